"""What a device does with its assignment: keep it, and when to ask for a new one."""
