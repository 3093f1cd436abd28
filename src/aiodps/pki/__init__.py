"""A test certificate authority: root, intermediate, device and verification certificates."""
