"""DPS on the wire: pure functions both ways, no policy, no input or output."""
