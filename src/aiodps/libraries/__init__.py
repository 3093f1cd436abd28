"""Libraries that are imported when they are used first."""
