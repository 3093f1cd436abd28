"""Stores for the state of an instance."""
