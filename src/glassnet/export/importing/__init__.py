"""Networks from elsewhere, proven to predict the same here."""
