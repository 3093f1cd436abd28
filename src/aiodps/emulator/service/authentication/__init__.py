"""How the service recognizes a device: certificates, shared access signatures, CAs."""
