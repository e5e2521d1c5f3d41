"""The loss, its gradient, its curvature and updates over a dataset, by either engine."""
