"""What `ProvisioningClient` composes: a registration, or a look-up, of one device."""
