"""The plan of a run: devices, arrivals, options, shards."""
