"""What is to be run: devices, arrivals, shards."""
