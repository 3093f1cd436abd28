"""Measurements: samples, percentiles, progress, and the load of the generator itself."""
