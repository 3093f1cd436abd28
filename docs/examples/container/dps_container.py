"""The emulator as a container of Testcontainers: `with DpsContainer() as dps:`.

    pip install testcontainers

The image is built from the Containerfile beside this file: `docker build -t aiodps-emulator .`
"""

from __future__ import annotations

import json
from typing import Any

from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import HealthcheckWaitStrategy


class DpsContainer(DockerContainer):
    """A Device Provisioning Service, on free ports of this machine.

    Args:
        image: The image.
        options: Options of `aiodps emulator`, as variables without their prefix: `STRICT="1"`.
    """

    def __init__(self, image: str = "aiodps-emulator", **options: str) -> None:
        super().__init__(image)
        self.with_exposed_ports(8443, 8883)
        self.with_env("AIODPS_EMULATOR_I_KNOW_THIS_IS_NOT_SECURE", "1")
        self.with_env("AIODPS_EMULATOR_READY_FILE", "/state/ready.json")
        for name, value in options.items():
            self.with_env(f"AIODPS_EMULATOR_{name}", value)

        self.waiting_for(HealthcheckWaitStrategy())

    @property
    def host(self) -> str:
        """What clients connect to; the certificate has `localhost` unless TLS_NAME says more."""
        return self.get_container_host_ip()

    @property
    def https_port(self) -> int:
        """Port of HTTPS on this machine."""
        return int(self.get_exposed_port(8443))

    @property
    def mqtt_port(self) -> int:
        """Port of MQTT on this machine."""
        return int(self.get_exposed_port(8883))

    @property
    def ca_pem(self) -> bytes:
        """The CA that clients must trust."""
        return self._read("/shared/ca.pem")

    @property
    def facts(self) -> dict[str, Any]:
        """The ready file: id scope, connection string, and the like; holds secrets."""
        facts: dict[str, Any] = json.loads(self._read("/state/ready.json"))
        return facts

    def _read(self, path: str) -> bytes:
        code, output = self.exec(["cat", path])
        if code:
            raise RuntimeError(f"{path} cannot be read: {output!r}")

        return bytes(output)
