"""The product under test: a lamp that provisions itself when it is switched on."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiodps


@dataclass
class Lamp:
    """A lamp with a certificate."""

    certificate: Path
    private_key: Path
    hub: str | None = None
    trouble: str | None = None

    async def switch_on(self, **settings: Any) -> None:
        """Find the hub; shine red, and say why, if that fails."""
        try:
            device = aiodps.X509.from_files(self.certificate, self.private_key)
            assignment = await aiodps.provision(attestation=device, **settings)
        except aiodps.ProvisioningError as error:
            self.trouble = error.hint
        else:
            self.hub = assignment.assigned_hub
