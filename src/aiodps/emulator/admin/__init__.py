"""The control port: for whoever runs the emulator, never for devices."""
