"""The emulated service: rules and records, pure and synchronous."""
