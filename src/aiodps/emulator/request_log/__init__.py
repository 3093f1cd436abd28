"""The request log of the emulator, its counts, and its form as JSON."""
