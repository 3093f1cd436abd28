"""The instance as Azure Resource Manager (ARM) shows it, and the keys of its policies.

Source: Microsoft's REST reference of `Microsoft.Devices/provisioningServices`. There is one
instance, with any name, in any resource group and subscription; it cannot be changed, created or
deleted this way.
"""

from __future__ import annotations

import re
from typing import Any, Final

from aiodps.emulator.azure_api.access_policies import Access, AccessPolicy
from aiodps.emulator.protocol.errors import ErrorCode, Refusal
from aiodps.emulator.protocol.json_input import read_body
from aiodps.emulator.protocol.messages import ManagementRequest, ManagementResponse
from aiodps.emulator.service.service import Service

NAME: Final = "emulated-dps"
"""The instance's name in lists."""
RESOURCE_GROUP: Final = "emulator"
_LOCATION = "loopback"
_TYPE = "Microsoft.Devices/provisioningServices"
_VALID_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{1,62}[A-Za-z0-9]", re.ASCII)


class InstanceCalls:
    """The calls for the instance."""

    def __init__(self, service: Service, access: Access, request: ManagementRequest) -> None:
        self._service = service
        self._access = access
        self._body = request.body
        self._host = request.headers.get("host", "")

    def get(self, instance: str) -> ManagementResponse:
        """Return the instance, under the resource id of the request."""
        return ManagementResponse(status_code=200, body=self._show(instance))

    def list(self, group: str) -> ManagementResponse:
        """List the one instance of a resource group."""
        instance = f"{group}/providers/{_TYPE}/{NAME}"
        return ManagementResponse(status_code=200, body={"value": [self._show(instance)]})

    def list_keys(self) -> ManagementResponse:
        """List all shared access policies, with their keys."""
        policies = [_show_policy(each, keys=True) for each in self._access.policies]
        return ManagementResponse(status_code=200, body={"value": policies})

    def get_keys(self, name: str) -> ManagementResponse:
        """Return a shared access policy, with its keys."""
        policy = self._access.policy(name)
        if policy is None:
            raise Refusal(ErrorCode.NOT_FOUND, f"Key {name!a} not found.")

        return ManagementResponse(status_code=200, body=_show_policy(policy, keys=True))

    def check_name(self) -> ManagementResponse:
        """Check whether a name is available."""
        name = read_body(self._body).get("name")
        if not isinstance(name, str):
            raise Refusal(ErrorCode.BAD_REQUEST, "The name is missing.")

        reason = None
        if not _VALID_NAME.fullmatch(name):
            reason = {"reason": "Invalid", "message": "3 to 64 letters, digits and dashes."}
        elif name.lower() == NAME:
            reason = {"reason": "AlreadyExists", "message": "This emulator has that name."}

        body = {"nameAvailable": reason is None} | (reason or {})
        return ManagementResponse(status_code=200, body=body)

    def _show(self, instance: str) -> dict[str, Any]:
        return {
            "id": instance,
            "name": instance.rpartition("/")[2],
            "type": _TYPE,
            "location": _LOCATION,
            "tags": {},
            "etag": "AAAAAAAAAAE=",
            "sku": {"name": "S1", "tier": "Standard", "capacity": 1},
            "properties": {
                "state": "Active",
                "provisioningState": "Succeeded",
                "publicNetworkAccess": "Enabled",
                "iotHubs": [
                    _show_hub(*each) for each in self._service.linked_hubs.weights.items()
                ],
                "allocationPolicy": "Hashed",
                "serviceOperationsHostName": self._host,
                "deviceProvisioningHostName": self._host,
                "idScope": self._service.id_scope,
                "authorizationPolicies": [
                    _show_policy(each, keys=False) for each in self._access.policies
                ],
                "disableLocalAuth": False,
            },
        }


def _show_hub(hub: str, weight: int) -> dict[str, Any]:
    return {
        "name": hub,
        "connectionString": f"HostName={hub};SharedAccessKeyName=iothubowner;SharedAccessKey=****",
        "location": _LOCATION,
        "applyAllocationPolicy": True,
        "allocationWeight": weight,
        "authenticationType": "KeyBased",
    }


def _show_policy(policy: AccessPolicy, *, keys: bool) -> dict[str, Any]:
    document = {"keyName": policy.name, "rights": ", ".join(sorted(policy.rights))}
    if keys:
        document |= {"primaryKey": policy.primary_key, "secondaryKey": policy.secondary_key}

    return document
