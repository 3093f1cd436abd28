"""Faults on demand: what they are, when they strike, and how they are carried out."""
