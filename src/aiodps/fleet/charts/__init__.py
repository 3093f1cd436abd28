"""Charts of a run, for its report and for its live page (`drawing`, which needs `[fleet]`)."""
