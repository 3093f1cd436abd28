"""Attestation: how a device authenticates to the service."""
