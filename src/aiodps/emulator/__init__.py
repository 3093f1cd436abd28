"""A Device Provisioning Service on this machine."""
