"""Enrollments: which devices may register, and how they are assigned."""
