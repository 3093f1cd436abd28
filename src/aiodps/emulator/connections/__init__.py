"""Ports: a `Listener` accepts, `TlsHandshake` makes a stream, and a front speaks on it."""
