"""The registration: a sans-IO state machine, and the driver that runs it."""
