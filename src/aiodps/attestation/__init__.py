"""How a device proves who it is."""
