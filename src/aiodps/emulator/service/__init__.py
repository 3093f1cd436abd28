"""What DPS decides: rules and records, pure and synchronous."""
