"""The dialler is told an address and an identity, and of tokens and ids nothing."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import anyio
from tests.scripted.attested import Attested

from aiodps.attestation.base import NoCertificate
from aiodps.network.trust import Trust
from aiodps.observe import Reporter
from aiodps.transports.base import Target


@dataclass(frozen=True)
class Asked(Attested):
    """An attestation that remembers what it was asked for."""

    asked: list[tuple[str, int]] = field(default_factory=list)

    async def authorization(self, audience: str, *, expires: int) -> str | None:
        """Remember."""
        self.asked.append((audience, expires))
        return None


def target(attestation: Attested) -> Target:
    """Make a target."""
    return Target(
        endpoint="dps.example.test",
        id_scope="0ne00000000",
        registration_id="dev-1",
        attestation=attestation,
        trust=Trust.of(None),
        report=Reporter("dev-1", "rest"),
        timeout=90.0,
    )


def test_at_port() -> None:
    """An endpoint has host and port, what the device shows, and shows neither."""
    endpoint = target(Attested(sas="canary")).at_port(8883)

    assert (endpoint.host, endpoint.port) == ("dps.example.test", 8883)
    assert endpoint.identity == NoCertificate()
    assert "canary" not in repr(endpoint)


def test_a_token_outlives_the_registration() -> None:
    """It is for one registration, and good for longer than that may take."""
    attestation = Asked()
    before = time.time()
    anyio.run(target(attestation).authorization)

    [(audience, expires)] = attestation.asked
    assert audience == "0ne00000000/registrations/dev-1"
    assert expires > before + 90
