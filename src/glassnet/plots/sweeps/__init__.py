"""The pictures of a sweep: curves, a heatmap and parallel coordinates."""
