"""Routing of management requests to Azure Resource Manager or the service API."""

from __future__ import annotations

from aiodps.emulator.azure_api.access_policies import OWNER, Access, AccessPolicy
from aiodps.emulator.azure_api.arm import ARM_PREFIX, Arm
from aiodps.emulator.azure_api.service_api import ServiceApi
from aiodps.emulator.protocol.messages import ManagementRequest, ManagementResponse
from aiodps.emulator.service.service import Service


class AzureApi:
    """The management APIs of one instance.

    Args:
        service: The instance.
        access: Its shared access policies; None for an owner with unknown keys.
    """

    def __init__(self, service: Service, access: Access | None = None) -> None:
        self.access: Access = access or Access([AccessPolicy.create(OWNER)])
        """The shared access policies."""
        self._arm = Arm(service, self.access)
        self._service_api = ServiceApi(service, self.access)

    def handle(self, request: ManagementRequest, *, now: float) -> ManagementResponse:
        """Handle any request; `now` is in seconds since 1970."""
        if request.path.lower().startswith(ARM_PREFIX):
            return self._arm.handle(request, now=now)

        return self._service_api.handle(request, now=now)
