"""Where an instance keeps what it must not forget."""
