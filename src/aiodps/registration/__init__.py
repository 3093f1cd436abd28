"""The registration: a sans-IO machine and the driver that runs it."""
