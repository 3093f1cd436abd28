"""Ports, TLS and streams."""
