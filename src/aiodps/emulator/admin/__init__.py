"""The admin port: an API and a page for the operator of the emulator, never for devices."""
