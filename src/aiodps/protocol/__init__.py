"""The wire protocol of DPS: pure functions that build requests and parse responses."""
