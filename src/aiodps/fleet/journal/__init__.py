"""What is durable while a run is under way."""
