"""Issuance of certificates to devices, from the CSRs in their registrations."""
