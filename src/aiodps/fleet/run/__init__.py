"""Running it: shards, sessions, arrivals on time."""
