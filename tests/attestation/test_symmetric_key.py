"""Symmetric keys: read strictly, never shown, and used by functions that keep them elsewhere."""

from __future__ import annotations

import base64
import hashlib
import hmac
import pickle
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import anyio
import pytest
from tests.sas_vectors import ARTICLE_KEY, C_KEY, DERIVED, Derived

from aiodps.attestation.base import NoCertificate
from aiodps.attestation.symmetric_key import HmacKey, SymmetricKey, read_key, signed_token
from aiodps.errors import ConfigurationError, IdentityMismatchError, SymmetricKeyError

AUDIENCE = "0ne00111111/registrations/my-symkey-device"
CANONICAL: Final = (
    "SharedAccessSignature sr=0ne00111111%2Fregistrations%2Fmy-symkey-device"
    "&sig=8VPprb8BiTkuVE0hBqHm%2FSVrzVpdD8VZcXugntdbhuU%3D&se=1663952627&skn=registration"
)


def sign(data: bytes) -> bytes:
    """Sign as an HSM would."""
    return hmac.digest(base64.b64decode(ARTICLE_KEY), data, hashlib.sha256)


async def sign_slowly(data: bytes) -> bytes:
    """Sign as an HSM would that takes its time."""
    await anyio.lowlevel.checkpoint()
    return sign(data)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "credential",
    [{"key": ARTICLE_KEY}, {"key": f" {ARTICLE_KEY}\r\n"}, {"sign": sign}, {"sign": sign_slowly}],
    ids=["key", "with blanks", "function", "coroutine function"],
)
async def test_token(credential: dict[str, Any]) -> None:
    """However the key is held, the token is the one on record."""
    device = SymmetricKey(registration_id="my-symkey-device", **credential)

    assert await device.authorization(AUDIENCE, expires=1663952627) == CANONICAL
    assert device.registration_id == "my-symkey-device"
    assert device.tls_identity() == NoCertificate()


@pytest.mark.anyio
@pytest.mark.parametrize("vector", DERIVED.values(), ids=DERIVED)
async def test_derived(vector: Derived) -> None:
    """A derived key signs as the device's own key does."""
    name = vector.registration_id
    derived = SymmetricKey.derive(group_key=vector.group_key, registration_id=name)
    own = SymmetricKey(registration_id=name, key=vector.key)

    assert derived.registration_id == name
    assert await derived.authorization("a", expires=1) == await own.authorization("a", expires=1)


def b64(length: int) -> str:
    """Make a key of that many bytes."""
    return base64.b64encode(bytes(range(length))).decode()


BAD_KEYS = {
    "": "empty",
    " \n": "empty",
    b64(32)[:-1]: "bad_base64",
    b64(32)[:20] + " " + b64(32)[20:]: "bad_base64",
    "not base64: " + b64(32): "bad_base64",
    base64.urlsafe_b64encode(b"\xff" * 32).decode(): "bad_base64",
    f"HostName=x;SharedAccessKey={b64(32)}": "bad_base64",
    "schl\xfcssel": "bad_base64",
    b64(15): "too_short",
    b64(65): "too_long",
}
MAKERS: dict[str, Callable[[str], object]] = {
    "key": lambda key: SymmetricKey(registration_id="dev-1", key=key),
    "group key": lambda key: SymmetricKey.derive(group_key=key, registration_id="dev-1"),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize(("key", "reason"), BAD_KEYS.items(), ids=BAD_KEYS.values())
def test_bad_keys(make: Callable[[str], object], key: str, reason: str) -> None:
    """K26: refused with a reason, and not even a traceback with locals shows the key."""
    with pytest.raises(SymmetricKeyError) as caught:
        make(key)

    error = caught.value
    assert error.reason == reason
    assert "portal" in error.hint
    whole = traceback.TracebackException.from_exception(error, capture_locals=True)
    ours = "".join(each for each in whole.format() if __file__ not in each)
    assert "symmetric_key.py" in ours
    assert not key.strip() or key.strip() not in ours


@pytest.mark.parametrize("length", [16, 32, 64])
def test_lengths(length: int) -> None:
    """From 16 to 64 bytes."""
    assert MAKERS["key"](b64(length))


@pytest.mark.parametrize("credential", [{}, {"key": C_KEY, "sign": sign}], ids=["none", "both"])
def test_one_key(credential: dict[str, Any]) -> None:
    """Exactly one of key and function."""
    with pytest.raises(ConfigurationError, match=r"neither|both"):
        SymmetricKey(registration_id="dev-1", **credential)


def test_the_registration_id_is_checked() -> None:
    """It becomes part of what is signed."""
    with pytest.raises(ConfigurationError, match="position 3"):
        SymmetricKey(registration_id="dev 1", key=C_KEY)

    with pytest.raises(ConfigurationError, match="position 3"):
        SymmetricKey.derive(group_key=C_KEY, registration_id="dev 1")


def test_check() -> None:
    """The key of one device is not used for another; ids are compared without case."""
    device = SymmetricKey(registration_id="dev-1", key=C_KEY)
    device.check(registration_id="DEV-1", wall_time=0.0)
    with pytest.raises(IdentityMismatchError, match="is for 'dev-1'") as caught:
        device.check(registration_id="dev-2", wall_time=0.0)

    assert caught.value.reason == "symmetric_key"


def failing(_: bytes) -> bytes:
    """Fail as an HSM may."""
    raise OSError("no token in slot 0")


async def failing_slowly(_: bytes) -> bytes:
    """Fail as an HSM may."""
    await anyio.lowlevel.checkpoint()
    raise OSError("no token in slot 0")


@pytest.mark.anyio
@pytest.mark.parametrize("sign", [failing, failing_slowly])
async def test_a_function_that_fails(sign: Any) -> None:
    """Its own error is the cause."""
    with pytest.raises(SymmetricKeyError, match="OSError") as caught:
        await signed_token(sign, AUDIENCE, expires=1)

    assert caught.value.reason == "sign"
    assert isinstance(caught.value.__cause__, OSError)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("returned", "told"),
    [(b64(32), "a str|str"), (base64.b64encode(bytes(32)), "44 bytes"), (None, "NoneType")],
)
async def test_a_function_that_returns_something_else(returned: Any, told: str) -> None:
    """Such as base64: the message says what, the hint says what is needed."""
    with pytest.raises(SymmetricKeyError, match=told) as caught:
        await signed_token(lambda _: returned, AUDIENCE, expires=1)

    assert caught.value.reason == "sign"
    assert "32 bytes" in caught.value.hint


@pytest.mark.anyio
async def test_an_error_of_ours_passes() -> None:
    """A function may say itself what is wrong with its key."""

    def sign(_: bytes) -> bytes:
        raise SymmetricKeyError("the HSM is locked", reason="sign")

    with pytest.raises(SymmetricKeyError, match="locked"):
        await signed_token(sign, AUDIENCE, expires=1)


def test_nothing_shows_a_key() -> None:
    """Neither the attestation nor the key it holds."""
    held = HmacKey(base64.b64decode(C_KEY))
    shown = repr(SymmetricKey(registration_id="dev-1", key=C_KEY)) + repr(held) + str(held)

    assert shown == "<SymmetricKey 'dev-1'>HmacKey()HmacKey()"
    assert held.text() == C_KEY


@pytest.mark.anyio
async def test_pickle() -> None:
    """Shards of a fleet get their devices this way."""
    device = SymmetricKey(registration_id="my-symkey-device", key=ARTICLE_KEY)
    twin = pickle.loads(pickle.dumps(device))

    assert await twin.authorization(AUDIENCE, expires=1663952627) == CANONICAL


@pytest.mark.parametrize("content", [C_KEY, f"{C_KEY}\n", f"{C_KEY}\r\n", f"\ufeff{C_KEY}"])
def test_a_key_in_a_file(tmp_path: Path, content: str) -> None:
    """Editors add line ends."""
    path = tmp_path / "key"
    path.touch(mode=0o600)
    path.write_bytes(content.encode())

    assert read_key(path).text() == C_KEY


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "unreadable"),
        (b"", "empty"),
        (b"x" * 9, "bad_base64"),
        (b"-----BEGIN PRIVATE KEY-----", "bad_base64"),
        (C_KEY.encode("utf-16"), "utf16"),
        (b"AAAA", "too_short"),
    ],
)
def test_a_file_without_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, reason: str
) -> None:
    """The message names the file, and not what it contains."""
    monkeypatch.chdir(tmp_path)
    path = Path("device.key")
    if content is not None:
        path.touch(mode=0o600)
        path.write_bytes(content)

    with pytest.raises(SymmetricKeyError, match=r"file 'device\.key' ") as caught:
        read_key(path)

    assert caught.value.reason == reason


def test_others_may_read(tmp_path: Path) -> None:
    """A key that others can read is used with a warning."""
    path = tmp_path / "key"
    path.write_text(C_KEY)
    path.chmod(0o644)
    with pytest.warns(UserWarning, match="chmod 600"):
        read_key(path)


def test_the_token_is_readable() -> None:
    """The constant of these tests is what the article describes."""
    assert unquote(CANONICAL).startswith("SharedAccessSignature sr=0ne00111111/registrations/my-")
