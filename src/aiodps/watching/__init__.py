"""Observers of other libraries' kinds. Nothing here is imported unless it is asked for."""
