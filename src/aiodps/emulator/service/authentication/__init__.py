"""Authentication of devices: certificates, shared access signatures, CA certificates."""
