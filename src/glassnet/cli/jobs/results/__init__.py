"""The results of an experiment: the folder, the record in it, and what was cut off."""
