"""TPM attestation's structures and devices: what TPM 2.0 specifies, and a TPM in software."""
