"""Checks of the way to an endpoint, and of what answers there."""
