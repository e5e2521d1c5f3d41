"""The gradient check, and what the curvature of the loss tells."""
