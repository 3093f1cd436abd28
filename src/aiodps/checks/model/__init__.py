"""What is checked, and what is found."""
