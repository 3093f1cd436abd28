"""An administrator who calls the service API of an instance with a shared access signature."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from tests.emulator.instance import NOW, instance
from tests.emulator.tokens import signature

from aiodps.emulator.azure_api.access_policies import OWNER, Access, AccessPolicy
from aiodps.emulator.azure_api.service_api import ServiceApi
from aiodps.emulator.protocol.messages import ManagementRequest, ManagementResponse
from aiodps.emulator.service.service import Service

HOST = "dps.localhost"
KEYS = {"type": "symmetricKey"}


def token(
    policy: AccessPolicy, *, resource: str = HOST, name: str | None = None, lasts: float = 600.0
) -> str:
    """Sign a token with the primary key of a policy."""
    expiry = int(NOW + lasts)
    sig = quote(signature(policy.primary_key, resource, expiry), safe="")
    skn = policy.name if name is None else name
    return f"SharedAccessSignature sr={resource}&sig={sig}&se={expiry}&skn={skn}"


@dataclass(slots=True)
class Administrator:
    """Calls the service API of an instance of its own, or of another one."""

    service: Service = field(default_factory=instance)
    policy: AccessPolicy = field(default_factory=lambda: AccessPolicy.create(OWNER))
    api_version: str | None = "2021-10-01"
    now: float = NOW
    api: ServiceApi = field(init=False)

    def __post_init__(self) -> None:
        """Let the policy in."""
        rng = random.Random(5)  # noqa: S311 (no secrets here)
        self.api = ServiceApi(self.service, Access([self.policy]), rng=rng)

    def send(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> ManagementResponse:
        """Make one call; a body of bytes goes as it is; `if_match` is the header `if-match`."""
        raw = (
            body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        )
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        request = ManagementRequest(
            method=method,
            path=path,
            query={} if self.api_version is None else {"api-version": self.api_version},
            headers={"host": f"{HOST}:8443", "authorization": token(self.policy)} | given,
            body=raw,
        )
        return self.api.handle(request, now=self.now)

    def call(self, method: str, path: str, body: object = None, **headers: str) -> Any:
        """Make one call that must succeed, return the body of the answer."""
        response = self.send(method, path, body, **headers)
        assert response.status_code in {200, 204}, response
        return response.body

    def refused(self, method: str, path: str, body: object = None, **headers: str) -> int:
        """Make one call that must be refused, return the error code."""
        response = self.send(method, path, body, **headers)
        assert isinstance(response.body, dict)
        error: int = response.body["errorCode"]
        assert response.status_code == error // 1000
        return error

    def enroll(self, registration_id: str = "device-1", **members: object) -> dict[str, Any]:
        """Create an individual enrollment by symmetric keys, return the answer."""
        document = {"registrationId": registration_id, "attestation": KEYS} | members
        answer: dict[str, Any] = self.call("PUT", f"/enrollments/{registration_id}", document)
        return answer

    def enroll_group(self, name: str = "group-1", **members: object) -> dict[str, Any]:
        """Create an enrollment group by symmetric keys, return the answer."""
        document = {"enrollmentGroupId": name, "attestation": KEYS} | members
        answer: dict[str, Any] = self.call("PUT", f"/enrollmentGroups/{name}", document)
        return answer
