"""How files and frames become tables."""
