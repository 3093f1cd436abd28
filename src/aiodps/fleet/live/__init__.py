"""A run while it goes on: a page with its charts, and its metrics for Prometheus."""
