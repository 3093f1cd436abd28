"""The policy by which certificates are issued to the devices of an enrollment.

Source: the published specification of the DPS service API, 2026-11-01; that its three names
belong together: Microsoft's command line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Self

from aiodps.emulator.protocol.json_object import JsonObject

_POLICY_NAME = re.compile(r"[0-9a-zA-Z][a-zA-Z0-9-]{2,62}", re.ASCII)
_NAMES: Final = {
    "namespaceName": re.compile(r"[a-z0-9][a-z0-9-]{1,62}[a-z0-9]", re.ASCII),
    "certificateAuthorityName": _POLICY_NAME,
    "certificatePolicyName": _POLICY_NAME,
}
_PREVIEW: Final = {"credentialPolicyName": re.compile(r"[^\x00-\x1f\x7f-\x9f]{1,128}")}
MEMBERS: Final = (*_NAMES, *_PREVIEW)
"""Their names in an enrollment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuancePolicy:
    """A certificate policy in Azure Device Registry."""

    name: str
    """`certificatePolicyName`; `credentialPolicyName` if there is no namespace."""
    namespace: str | None = None
    """`namespaceName`; None in versions before 2026-11-01."""
    certificate_authority: str | None = None
    """`certificateAuthorityName`; None in versions before 2026-11-01."""

    @classmethod
    def read(cls, members: JsonObject) -> Self | None:
        """Read the members of an enrollment; None if there are none.

        Raises:
            ConfigurationError: If they do not belong together; the message says which.
        """
        given = {name: text for name in MEMBERS if (text := members.string(name)) is not None}
        if given.keys() == _NAMES.keys():
            namespace, authority, name = given.values()
            return cls(name=name, namespace=namespace, certificate_authority=authority)

        if given.keys() == _PREVIEW.keys():
            return cls(name=given["credentialPolicyName"])

        if given:
            wanted = f"{', '.join(_NAMES)}, or credentialPolicyName alone"
            raise members.error("", f"has {', '.join(given)}; a policy is {wanted}")

        return None

    def problems(self) -> Iterator[str]:
        """Say what is wrong with the names."""
        forms = _NAMES | _PREVIEW
        for member, text in self.to_json().items():
            if not forms[member].fullmatch(text):
                wanted = "1 to 128 characters, without control characters"
                if member in _NAMES:
                    wanted = "3 to 64 letters, digits and dashes"

                yield f"{member} is not {wanted}."

    def to_json(self) -> dict[str, str]:
        """Write it as the members of an enrollment."""
        if self.namespace is None or self.certificate_authority is None:
            return {"credentialPolicyName": self.name}

        texts = (self.namespace, self.certificate_authority, self.name)
        return dict(zip(_NAMES, texts, strict=True))
