"""The management APIs of an instance: Azure Resource Manager and the service API."""
