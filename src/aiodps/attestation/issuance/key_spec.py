"""The kind of key that a device makes for the certificate that it asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, assert_never, get_args

import anyio

from aiodps.errors import ConfigurationError
from aiodps.key_text import shown
from aiodps.libraries import crypto

IssuedKeyType: TypeAlias = Literal["p256", "p384", "rsa2048"]
"""EC P-256, EC P-384, or RSA with 2048 bits."""


@dataclass(frozen=True, slots=True)
class KeySpec:
    """The kind of key that the device makes for the certificate that it asks for."""

    type: IssuedKeyType = "p256"
    """P-256 and RSA have been seen to work; early documentation names P-384 alone."""

    def __post_init__(self) -> None:
        """Check the type.

        Raises:
            ConfigurationError: If it is none of `IssuedKeyType`.
        """
        if self.type not in get_args(IssuedKeyType):
            raise ConfigurationError(
                f"{shown(self.type)} is not a type of key for issued certificates",
                setting="issue",
                hint=f"give one of {', '.join(get_args(IssuedKeyType))}",
            )

    async def generate(self) -> crypto.ec.EllipticCurvePrivateKey | crypto.rsa.RSAPrivateKey:
        """Generate a key; RSA in a worker thread, because it takes long."""
        match self.type:
            case "p256":
                return crypto.ec.generate_private_key(crypto.ec.SECP256R1())
            case "p384":
                return crypto.ec.generate_private_key(crypto.ec.SECP384R1())
            case "rsa2048":
                return await anyio.to_thread.run_sync(crypto.rsa.generate_private_key, 65537, 2048)
            case _:
                assert_never(self.type)
