"""The journal of a shard: the durable state of each registration while a run goes on."""
