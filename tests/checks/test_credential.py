"""What is wrong with a device's credential is found before the service is asked."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests import certificates as certs
from tests.certificates import certify, intermediate, root, write

from aiodps.checks.credential import check_credentials
from aiodps.checks.model.finding import Finding, Verdict
from aiodps.pki import Credential
from aiodps.settings import Settings

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]

KEY = base64.b64encode(b"k" * 32).decode()


async def found(
    settings: Settings, *, verified: bool = True, now: datetime | None = None
) -> dict[str, Finding]:
    """Check a device's credential; the test root is verified at DPS, or nothing is known."""
    findings, _ = await check_credentials(
        settings,
        verified=[root().certificate] if verified else [],
        now=now or datetime.now(UTC),
    )
    return {each.check: each for each in findings}


def settings_of(credential: Credential, folder: Path, **more: Any) -> Settings:
    """Write a credential to files, and name them."""
    certificate, key = write(credential, folder)
    return Settings.load(certificate=certificate, private_key=key, **more)


def key_file(folder: Path, text: str) -> Path:
    """Write the file of a symmetric key."""
    path = folder / "device.key"
    path.touch(mode=0o600)
    path.write_text(text)
    return path


FAULTS: list[tuple[Callable[[], Credential], str, str]] = [
    (certs.expired, "dates", "expired"),
    (certs.not_yet_valid, "dates", "not_yet_valid"),
    (certs.expired_intermediate, "dates", "expired"),
    (certs.missing_intermediate, "chain", "missing_intermediate"),
    (certs.unknown_root, "chain", "wrong_ca"),
    (certs.wrong_key, "credential", "mismatch"),
    (certs.weak_rsa, "credential", "weak"),
    (certs.without_name, "credential", "no_cn"),
    (lambda: certify("other-1"), "credential", "registration_id_mismatch"),
    (lambda: certify("device-1", usages=certs.SERVER), "certificate", "unsuitable"),
]


@pytest.mark.parametrize(
    ("make", "check", "fault"), FAULTS, ids=lambda each: each if isinstance(each, str) else ""
)
async def test_fault(
    make: Callable[[], Credential], check: str, fault: str, tmp_path: Path
) -> None:
    """Each by its name, with what to do."""
    findings = await found(settings_of(make(), tmp_path, registration_id="device-1"))

    assert findings[check].advice or findings[check].fault is None
    assert {each.fault for each in findings.values()} - {None} == {fault}


async def test_good(tmp_path: Path) -> None:
    """A certificate with its key and its intermediate."""
    findings = await found(settings_of(certify("device-1"), tmp_path))

    assert list(findings) == ["credential", "chain", "dates"]
    assert {each.verdict for each in findings.values()} == {Verdict.GOOD}
    assert findings["credential"].seen == "certificate of 'device-1', with its key"
    assert findings["dates"].seen.endswith("29 days from now")


async def test_nothing_known_of_cas(tmp_path: Path) -> None:
    """Whether a leaf alone is enough depends on what is verified at DPS."""
    findings = await found(
        settings_of(intermediate().device("device-1"), tmp_path), verified=False
    )

    assert findings["chain"].verdict is Verdict.NOT_TRIED
    assert "--verified-ca" in findings["chain"].advice


async def test_self_signed(tmp_path: Path) -> None:
    """An individual enrollment takes it."""
    assert (await found(settings_of(certs.self_signed(), tmp_path)))["chain"].fault is None


async def test_clock_of_the_device(tmp_path: Path) -> None:
    """Dates are compared with the clock that is given."""
    late = datetime(2050, 1, 1, tzinfo=UTC)
    findings = await found(settings_of(certify("device-1"), tmp_path), now=late)

    assert findings["dates"].fault == "expired"


async def test_symmetric_key(tmp_path: Path) -> None:
    """A token is signed with it, and not shown."""
    settings = Settings.load(
        id_scope="0ne1", registration_id="dev-1", symmetric_key_file=key_file(tmp_path, KEY)
    )
    findings = await found(settings)

    assert {each.verdict for each in findings.values()} == {Verdict.GOOD}
    assert findings["token"].seen == "the key signs, for 0ne1/registrations/dev-1"


@pytest.mark.parametrize(
    ("text", "fault"), [("not base64!", "bad_base64"), ("QUJD", "too_short"), ("", "empty")]
)
async def test_malformed_key(tmp_path: Path, text: str, fault: str) -> None:
    """A key that cannot be one."""
    path = key_file(tmp_path, text)
    findings = await found(Settings.load(registration_id="dev-1", symmetric_key_file=path))

    assert [(name, each.fault) for name, each in findings.items()] == [("credential", fault)]


async def test_no_id_scope(tmp_path: Path) -> None:
    """A token needs one."""
    path = key_file(tmp_path, KEY)
    findings = await found(Settings.load(registration_id="dev-1", symmetric_key_file=path))

    assert findings["token"].verdict is Verdict.NOT_TRIED


async def test_secondary(tmp_path: Path) -> None:
    """Every credential is checked; the second has a number."""
    path = key_file(tmp_path, KEY)
    settings = settings_of(certify("device-1"), tmp_path, secondary_symmetric_key_file=path)
    findings = await found(settings)

    assert list(findings) == ["credential", "chain", "dates", "credential 2", "token 2"]


async def test_none() -> None:
    """The network can be checked without."""
    findings, credentials = await check_credentials(Settings(), verified=[], now=datetime.now(UTC))

    assert ([each.verdict for each in findings], credentials) == ([Verdict.NOT_TRIED], ())
