"""The journal of a shard: the durable state of each registration during a run."""
