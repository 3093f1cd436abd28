"""A caller of Azure Resource Manager, who has a bearer token."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import Any

from tests.certificates import root
from tests.emulator.instance import instance

from aiodps.emulator.azure_api.access_policies import OWNER, Access, AccessPolicy
from aiodps.emulator.azure_api.arm import ARM_PREFIX, Arm
from aiodps.emulator.protocol.messages import ManagementRequest
from aiodps.emulator.service.service import Service

INSTANCE = (
    "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Devices/provisioningServices/dps"
)
PEM64 = base64.b64encode(root().certificate_pem).decode()
CREATED = 1507836230.0


@dataclass(slots=True)
class ResourceManager:
    """Calls the resource manager of an instance of its own."""

    service: Service = field(default_factory=instance)
    policy: AccessPolicy = field(default_factory=lambda: AccessPolicy.create(OWNER))

    def call(self, method: str, path: str, body: object = None, **more: Any) -> Any:
        """Make one call; a body of bytes goes as it is; paths are the instance's or whole ones."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode() if body else b""
        arguments = {
            "api_version": "2026-11-01",
            "authorization": f"Bearer {self.policy.primary_key}",
            "host": "localhost:8443",
        } | more
        version = arguments.pop("api_version")
        request = ManagementRequest(
            method=method,
            path=path if path.startswith(ARM_PREFIX) else INSTANCE + path,
            query={} if version is None else {"api-version": version},
            headers={
                name.replace("_", "-"): value
                for name, value in arguments.items()
                if value is not None
            },
            body=raw,
        )
        arm = Arm(self.service, Access([self.policy]))
        response = arm.handle(request, now=CREATED)
        return response.status_code, response.body

    def upload(self, **properties: object) -> dict[str, Any]:
        """Upload the root as `my-root`, return the answer."""
        document = {"properties": {"certificate": PEM64} | properties}
        status, answer = self.call("PUT", "/certificates/my-root", document)
        assert status == 200
        return dict(answer)
