"""Certificate issuance: a request in the registration, a checked chain in its answer."""
