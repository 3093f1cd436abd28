"""Processes that share the ports: they do connections, the one service in the parent decides."""
