"""Faults on demand: fault plans, their draws, and their effect on responses."""
