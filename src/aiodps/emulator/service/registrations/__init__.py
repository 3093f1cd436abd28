"""What becomes of a register request: operation, hub, record."""
