"""A run in progress: a page with its charts, and its metrics for Prometheus."""
