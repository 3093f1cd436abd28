"""The admin page: a small version of what Azure's portal offers for DPS."""
