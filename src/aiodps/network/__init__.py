"""How a TLS connection comes about."""
