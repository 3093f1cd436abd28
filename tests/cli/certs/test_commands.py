"""`aiodps certs`, as it is typed."""

from __future__ import annotations

import json
import shlex
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from tests import certificates
from tests.pki.tls import openssl_verify

from aiodps.cli.certs.commands import command
from aiodps.pki import Credential
from aiodps.pki.files import CredentialFiles

Run: TypeAlias = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `aiodps certs` in an empty directory."""
    monkeypatch.chdir(tmp_path)

    def invoke(*words: str) -> Result:
        return CliRunner().invoke(command, words, catch_exceptions=False)

    return invoke


def made(run: Run, *words: str) -> dict[str, Any]:
    """Run a command that has to succeed, with `--json`."""
    result = run(*words, "--json")

    assert result.exit_code == 0, result.output
    assert not result.stderr
    return dict(json.loads(result.stdout))


def verified(directory: Path, name: str, root: str) -> str:
    """Ask openssl about a device's files; return what it says against them."""
    files = CredentialFiles(directory=directory, name=name)
    leaf, *above = x509.load_pem_x509_certificates(files.chain.read_bytes())
    ca = CredentialFiles(directory=directory, name=root).read_authority()
    device = Credential(certificate=leaf, private_key=ca.private_key, intermediates=tuple(above))
    return openssl_verify(directory / "verify", device, root=ca)


@pytest.mark.parametrize("key_type", ["ec", "rsa"])
@pytest.mark.sockets
def test_from_root_to_devices(run: Run, tmp_path: Path, key_type: str) -> None:
    """The three commands make chains that openssl takes strictly."""
    for words in (
        ("root", "My Root"),
        ("intermediate", "mine", "My Root"),
        ("intermediate", "lower", "mine"),
        ("device", "near", "My Root"),
        ("device", "far", "lower"),
    ):
        made(run, *words, "--key-type", key_type)

    chain = x509.load_pem_x509_certificates((tmp_path / "far_chain.pem").read_bytes())

    assert not verified(tmp_path, "near", "My Root")
    assert not verified(tmp_path, "far", "My Root")
    assert [each.subject.rfc4514_string() for each in chain] == ["CN=far", "CN=lower", "CN=mine"]


def test_files_go_where_they_are_told(run: Run, tmp_path: Path) -> None:
    """`--out` is made if need be; every file made is named with its use."""
    made(run, "root", "r", "--out", "a/b")
    answer = made(run, "device", "d", "r", "--out", "a/b")
    paths = [each["path"] for each in answer["files"]]

    assert paths == ["a/b/d_cert.pem", "a/b/d_key.pem", "a/b/d_chain.pem"]
    assert all((tmp_path / path).is_file() for path in paths)
    assert all(each["use"] for each in answer["files"])
    assert stat.S_IMODE((tmp_path / "a/b/d_key.pem").stat().st_mode) == 0o600
    assert not list(tmp_path.glob("*.pem"))


def test_the_next_step_works_as_printed(run: Run, tmp_path: Path) -> None:
    """What is said to do next can be pasted, blanks and all."""
    made(run, "root", "My Root", "--out", "my certs")
    answer = made(run, "intermediate", "my int", "My Root", "--out", "my certs")
    program, group, *words = shlex.split(answer["next"])
    made(run, *(word.replace("REGISTRATION_ID", "sensor-7") for word in words))

    assert (program, group) == ("aiodps", "certs")
    assert (tmp_path / "my certs" / "sensor-7_chain.pem").exists()


def test_proof_of_possession(run: Run, tmp_path: Path) -> None:
    """The root's own next step makes a leaf of the CA with the code as its CN, and no key."""
    answer = made(run, "root", "r", "--out", "certs")
    words = shlex.split(answer["next"].replace("CODE_FROM_THE_PORTAL", "106A5SD242AF512B3498"))
    proof = made(run, *words[2:])
    certificate = x509.load_pem_x509_certificate(
        (tmp_path / "certs" / "verification_cert.pem").read_bytes()
    )
    root = x509.load_pem_x509_certificate((tmp_path / "certs" / "r_cert.pem").read_bytes())
    certificate.verify_directly_issued_by(root)

    assert certificate.subject.rfc4514_string() == "CN=106A5SD242AF512B3498"
    assert [each["path"] for each in proof["files"]] == ["certs/verification_cert.pem"]
    assert len(list((tmp_path / "certs").iterdir())) == 3


def test_keys_under_a_password(run: Run, tmp_path: Path) -> None:
    """An encrypted CA issues when its password is given, and only then."""
    (tmp_path / "pw").write_text("secret\n")
    answer = made(run, "root", "r", "--password-file", "pw")
    refused = run("device", "d", "r")
    device = made(run, "device", "d", "r", "--ca-password-file", "pw", "--password-file", "pw")

    assert "--ca-password-file pw" in answer["next"]
    assert refused.exit_code == 2
    assert "--ca-password-file" in refused.stderr
    assert b"ENCRYPTED" in (tmp_path / "d_key.pem").read_bytes()
    assert "--key-password-file pw" in device["next"]


def test_validity_that_was_cut_is_said(run: Run) -> None:
    """No certificate outlives its issuer, and nobody has to find out later."""
    made(run, "root", "r", "--days", "30")
    told = run("intermediate", "i", "r", "--days", "60")
    kept = made(run, "device", "d", "r", "--days", "10")

    assert "shortened from 60 days" in told.stdout
    assert kept["note"] is None
    assert kept["certificate"]["days_left"] == 9


def test_nothing_is_overwritten_without_force(run: Run, tmp_path: Path) -> None:
    """A second run keeps the first one's files unless it is told not to."""
    made(run, "root", "r")
    before = (tmp_path / "r_key.pem").read_bytes()
    refused = run("root", "r")
    kept = (tmp_path / "r_key.pem").read_bytes()
    made(run, "root", "r", "--force")

    assert refused.exit_code == 2
    assert "--force" in refused.stderr
    assert kept == before
    assert (tmp_path / "r_key.pem").read_bytes() != before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("root", "a/b"), "file name"),
        (("root", ".."), "file name"),
        (("root", ""), "empty"),
        (("root", "x" * 65), "65 bytes"),
        (("root", "x", "--days", "0"), "0 days"),
        (("root", "x", "--out", "/dev/null"), "/dev/null"),
        (("root", "x", "--password-file", "nowhere"), "password file (not shown"),
        (("intermediate", "r", "r"), "exists"),
        (("intermediate", "r", "r", "--force"), "that of the issuer"),
        (("device", "d", "nowhere"), "has no CA 'nowhere'"),
        (("device", "d", "certs/r"), "file name"),
        (("device", "d", "leaf"), "not a CA"),
        (("device", "ends_", "r"), "registration id"),
        (("device", "d" * 65, "r"), "65 bytes"),
        (
            ("verification", "--ca", "r_cert.pem", "--key", "leaf_key.pem", "--nonce", "C"),
            "belong",
        ),
        (("verification", "--ca", "r_cert.pem", "--key", "r_key.pem", "--nonce", ""), "empty"),
        (
            (*("verification", "--ca", "r_cert.pem", "--key", "r_key.pem"), "--nonce", "THE_CODE"),
            "letters and digits only",
        ),
        (("show", "nowhere"), "nowhere"),
        (("show", "."), "directory"),
        (("show", "/dev/zero"), "regular file"),
    ],
    ids=lambda value: shlex.join(value)[:40] if isinstance(value, tuple) else "",
)
def test_bad_input(run: Run, tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    """Bad input is exit code 2, a message and a hint on stderr, and no file made."""
    made(run, "root", "r")
    made(run, "device", "leaf", "r")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    result = run(*words)

    assert result.exit_code == 2
    assert not result.stdout
    assert said in result.stderr
    assert "next:" in result.stderr
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_errors_for_machines(run: Run) -> None:
    """With `--json` an error is an object too."""
    result = run("root", "a/b", "--json")

    assert result.exit_code == 2
    assert json.loads(result.stdout)["error"] == "ConfigurationError"


def test_show_for_people(run: Run, tmp_path: Path) -> None:
    """Each certificate is shown with what DPS looks at; the key itself never is."""
    made(run, "root", "r")
    made(run, "device", "d", "r")
    key = (tmp_path / "d_key.pem").read_bytes()
    (tmp_path / "all.pem").write_bytes((tmp_path / "d_chain.pem").read_bytes() + key)
    said = run("show", "all.pem").stdout

    assert "CN=d" in said
    assert thumbprint(tmp_path / "d_cert.pem") in said
    assert "belongs to" in said
    assert not any(line.decode() in said for line in key.splitlines())


def test_show_for_machines(run: Run, tmp_path: Path) -> None:
    """`show --json` has one object for each thing in the file."""
    (tmp_path / "chain.pem").write_bytes(certificates.missing_intermediate().chain_pem)
    answer = made(run, "show", "chain.pem")
    [shown] = answer["contents"]

    assert answer["file"] == "chain.pem"
    assert shown["kind"] == "certificate"
    assert "the issuer is not in this file" in shown["chain"]


@pytest.mark.parametrize(
    "words", [(), ("root",), ("intermediate",), ("device",), ("verification",), ("show",)]
)
def test_help(run: Run, words: tuple[str, ...]) -> None:
    """Each command explains itself."""
    result = run(*words, "--help")

    assert result.exit_code == 0
    assert "Usage:" in result.stdout


def thumbprint(path: Path) -> str:
    """Return the SHA-1 thumbprint of a certificate file as Azure writes it."""
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    return certificate.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303 (what Azure shows)
