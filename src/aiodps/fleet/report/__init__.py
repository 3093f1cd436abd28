"""What is said about a run: `html` writes the page; it needs the extra `[fleet]`."""
