"""Which devices may register, and what they are assigned to."""
