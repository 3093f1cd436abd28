"""The admin port: an API and a page for whoever runs the emulator, never for devices."""
