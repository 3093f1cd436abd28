"""Execution of a run: shards, their sessions, and the pacing of arrivals."""
