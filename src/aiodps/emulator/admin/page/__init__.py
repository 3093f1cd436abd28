"""The page for people: what Azure's portal offers for DPS, made small."""
