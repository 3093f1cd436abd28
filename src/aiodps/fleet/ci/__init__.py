"""Results of a run in the formats of CI systems."""
