"""Training runs as files."""
