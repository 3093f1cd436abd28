"""Statistical inference: whether figures of runs differ by more than they vary."""
