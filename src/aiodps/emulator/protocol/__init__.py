"""What goes over the wire, as the emulator reads and writes it: messages, formats, error codes."""
