"""Connections: a `Listener` accepts them, `TlsHandshake` makes streams for the frontends."""
