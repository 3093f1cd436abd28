"""How an instance is managed: Azure Resource Manager and the service API."""
