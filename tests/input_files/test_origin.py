"""The origin of data names it in messages, and never repeats a key."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.certificates import root

from aiodps.errors import CertificateError, ConfigurationError, ProvisioningError
from aiodps.input_files.origin import Origin
from aiodps.key_text import HIDDEN

KEY = root().private_key_pem.decode()


def test_the_error_is_of_the_kind() -> None:
    """A credential's error has a reason, a setting's has its name."""
    certificate = Origin.file("a.pem", what="certificate file", kind=CertificateError)
    error = certificate.error("is empty", reason="empty")

    assert isinstance(error, CertificateError)
    assert error.message == "the certificate file 'a.pem' is empty"
    assert error.reason == "empty"

    setting = Origin(what="payload", kind="payload").error("is empty", reason="x", hint="h")
    assert isinstance(setting, ConfigurationError)
    assert (setting.message, setting.setting, setting.hint) == (
        "the payload is empty",
        "payload",
        "h",
    )


@pytest.mark.parametrize("path", ["", KEY, KEY.replace("\n", "\\n"), "a\nb", "x" * 600])
def test_what_is_not_a_path(path: str) -> None:
    """It is refused before it is opened, and not repeated."""
    with pytest.raises(ProvisioningError, match="the key file is not a path") as caught:
        Origin.file(path, what="key file", kind="key")

    assert not path or path not in str(caught.value)


@pytest.mark.parametrize(
    ("what", "name"),
    [
        ("password file", "hunter2"),
        ("key file", "".join(KEY.splitlines()[1:-1])),
        ("key file", "a1" * 32),
    ],
)
def test_a_name_that_may_be_a_secret(
    what: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is left out, unless there is a file of that name."""
    monkeypatch.chdir(tmp_path)
    origin = Origin.file(name, what=what, kind="x")
    assert str(origin) == f"the {what} {HIDDEN}"
    if "/" not in name:
        (tmp_path / name).touch()
        assert str(origin) == f"the {what} {name!r}"


def test_names_that_are_shown() -> None:
    """A name with a suffix or a folder is one."""
    for name in ("password.txt", "/run/secrets/password", "dir/pw"):
        assert name in str(Origin.file(name, what="password file", kind="x"))
