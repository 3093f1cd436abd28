"""Shared access signatures as the clients of this world make them, written down once more."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from urllib.parse import quote

from tests.emulator.instance import NOW, SCOPE

from aiodps.emulator.protocol.messages import Identity

KEY = base64.b64encode(bytes(range(64))).decode()
OTHER_KEY = base64.b64encode(bytes(range(64, 128))).decode()


def signature(key: str, resource: str, expiry: int | str) -> str:
    """Sign a resource, as it is written in the token."""
    text = f"{resource}\n{expiry}".encode()
    digest = hmac.new(base64.b64decode(key), text, hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def derived(group_key: str, registration_id: str) -> str:
    """Make a device's key from its group's."""
    digest = hmac.new(base64.b64decode(group_key), registration_id.encode(), hashlib.sha256)
    return base64.b64encode(digest.digest()).decode()


def _python(resource: str, key: str, expiry: int) -> str:
    sr = quote(resource, safe="")
    return f"sr={sr}&sig={quote(signature(key, sr, expiry), safe='')}&se={expiry}"


def _node(resource: str, key: str, expiry: int) -> str:
    sig = quote(signature(key, resource, expiry), safe="")
    return f"sr={resource}&sig={sig}&skn=registration&se={expiry}"


def _articles(resource: str, key: str, expiry: int) -> str:
    return f"{_python(resource, key, expiry)}&skn=registration"


def _c(resource: str, key: str, expiry: int) -> str:
    sr = quote(resource, safe="").replace("%2F", "%2f").replace("%3A", "%3a")
    sig = quote(signature(key, sr, expiry), safe="")
    return f"sr={sr}&sig={sig}&se={expiry}&skn=registration"


def _java(resource: str, key: str, expiry: int) -> str:
    sig = quote(signature(key, resource, expiry), safe="")
    return f"sr={resource}&sig={sig}&se={expiry}&skn="


def _rust(resource: str, key: str, expiry: int) -> str:
    return _articles(resource.lower(), key, expiry)


def _bare(resource: str, key: str, expiry: int) -> str:
    return f"se={expiry}&skn=registration&sr={resource}&sig={signature(key, resource, expiry)}"


DIALECTS: dict[str, Callable[[str, str, int], str]] = {
    "azure-iot-device for Python": _python,
    "azure-iot-provisioning-device for Node": _node,
    "Microsoft's articles, C# and Embedded C": _articles,
    "azure-iot-sdk-c": _c,
    "azure-iot-sdk-java": _java,
    "IoT Edge": _rust,
    "nothing escaped, another order": _bare,
}
"""What each writes after the scheme's word, as seen on the wire or read in its source."""


def token(
    registration_id: str = "device-1",
    *,
    key: str = KEY,
    dialect: str = "Microsoft's articles, C# and Embedded C",
    id_scope: str = SCOPE,
    expiry: float = NOW + 3600,
) -> str:
    """Make a device's token."""
    resource = f"{id_scope}/registrations/{registration_id}"
    return f"SharedAccessSignature {DIALECTS[dialect](resource, key, int(expiry))}"


def signed(registration_id: str = "device-1", **more: object) -> Identity:
    """Show a token and no certificate."""
    return Identity(authorization=token(registration_id, **more))  # type: ignore[arg-type]
