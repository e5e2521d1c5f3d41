"""Tables in Parquet files that are made ready for a network without being in memory."""
