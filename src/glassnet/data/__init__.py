"""Every source of rows as one kind of dataset, with preprocessing and splits."""
