"""Between the frontends and the service: faults are drawn, requests handled and logged."""
