"""What the emulator has been asked: the request log, its counts, and its form as JSON."""
