"""How a request travels to the service and an answer comes back."""
