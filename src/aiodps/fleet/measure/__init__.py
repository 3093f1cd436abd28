"""What is measured: samples, percentiles, progress, the generator's own load."""
