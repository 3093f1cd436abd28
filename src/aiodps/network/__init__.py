"""TLS connections: name resolution, TCP, proxies, TLS, and the handshake limiter."""
