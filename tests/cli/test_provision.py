"""`aiodps provision` as a person types it, against an emulator in a process of its own."""

from __future__ import annotations

import base64
import dataclasses
import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from tests.attestation_kinds import POLICY
from tests.certificates import certify, root, write
from tests.emulated import DEVICES
from tests.sas_vectors import C_DERIVED_KEY, C_GROUP_KEY, C_KEY
from tests.scripted.http import HttpServer, Line, answer, once, state
from tests.scripted.proxies import PASSWORD, USER
from tests.scripted.running_proxy import running_proxy
from tests.scripted.server import Script, repeat
from tests.test_printable import HOSTILE

from aiodps import X509
from aiodps.cli.app import app
from aiodps.cli.provision import command
from aiodps.settings import Settings

pytestmark = pytest.mark.sockets
PATIENCE = 120.0
"""Seconds after which a process that does not end has failed."""

Run: TypeAlias = Callable[..., "subprocess.CompletedProcess[str]"]


def write_key(path: Path, key: str = C_GROUP_KEY) -> None:
    """Write a key that only its owner can read."""
    path.touch(mode=0o600)
    path.write_text(key, encoding="utf-8")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Run `aiodps emulator` in a process of its own."""
    folder = tmp_path_factory.mktemp("emulator")
    (folder / "root.pem").write_bytes(root().certificate_pem)
    pem = root().certificate_pem.decode()
    group = {
        **POLICY,
        "enrollmentGroupId": "by-root",
        "attestation": {
            "type": "x509",
            "x509": {"signingCertificates": {"primary": {"certificate": pem}}},
        },
    }
    (folder / "enrollments.json").write_text(json.dumps([group]), encoding="utf-8")
    write_key(folder / "group.key")
    command = [
        *(sys.executable, "-m", "aiodps", "emulator", "--json", "--quiet"),
        *("--https-port", "0", "--mqtt-port", "0", "--retry-after", "1"),
        *("--enrollments", "enrollments.json", "--verified-ca", "root.pem"),
        *("--group-key", "by-key=group.key"),
        *("--ca-out", "ca.pem", "--ready-file", "ready.json"),
    ]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        facts = json.loads(process.stdout.readline())
        assert facts == json.loads((folder / "ready.json").read_text(encoding="utf-8"))
        yield facts
        process.terminate()
        process.communicate(timeout=PATIENCE)

    assert process.returncode == 0


@pytest.fixture
def run(server: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs the command with a good device against the emulator."""
    write(DEVICES["root"], tmp_path)
    monkeypatch.chdir(tmp_path)

    def provision(
        *words: str, transport: str = "rest", cert: bool = True, own_process: bool = False
    ) -> subprocess.CompletedProcess[str]:
        port = server["https_port" if transport == "rest" else "mqtt_port"]
        typed = [
            *("provision", "--transport", transport),
            *("--id-scope", server["id_scope"], "--endpoint", server["host"]),
            *("--port", str(port), "--trust", server["ca_file"]),
            *(("--cert", "device_chain.pem", "--key", "device_key.pem") if cert else ()),
            *words,
        ]
        return in_a_process(typed) if own_process else in_this_process(typed)

    return provision


def in_a_process(words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run `aiodps` in a process of its own, as a person does; it takes most of a second."""
    command = [sys.executable, "-m", "aiodps", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)


def in_this_process(words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run it here."""
    done = CliRunner().invoke(app, words)
    return subprocess.CompletedProcess(words, done.exit_code, done.stdout, done.stderr)


@pytest.mark.parametrize("transport", ["rest", "mqtt"])
def test_assigned(run: Run, transport: str) -> None:
    """0: assigned; the steps on stderr, the assignment on stdout."""
    done = run(transport=transport, own_process=True)

    assert done.returncode == 0, done.stderr
    assert "emulated-hub.azure-devices.net" in done.stdout
    assert "by-root-1" in done.stdout
    assert "tls secured" in done.stderr
    assert "assigned" in done.stderr


def test_the_second_time_nothing_is_sent(run: Run, tmp_path: Path) -> None:
    """`--cache` is shown in the steps and in JSON; `--force` registers all the same."""
    words = ("--cache", str(tmp_path / "cache"))
    first, second = run(*words), run(*words)
    forced = run(*words, "--force", "--json")

    assert (first.returncode, second.returncode, forced.returncode) == (0, 0, 0)
    assert "not in the cache: " in first.stderr
    assert "taken from the cache: emulated-hub.azure-devices.net" in second.stderr
    assert "register" not in second.stderr
    assert not json.loads(forced.stdout)["cached"]


def test_watched_in_one_line(run: Run) -> None:
    """`--watch` shows nothing where there is no terminal but the result; `--trace` excludes it."""
    done, both = run("--watch"), run("--watch", "--trace")

    assert (done.returncode, "tls secured" in done.stderr) == (0, False)
    assert "emulated-hub.azure-devices.net" in done.stdout
    assert (both.returncode, "give one of them" in both.stderr) == (2, True)


def issuing(server: dict[str, Any], folder: Path, *words: str) -> list[str]:
    """Write the words of a command for a device that asks for a certificate."""
    write(DEVICES["root"], folder)
    return [
        *("--id-scope", server["id_scope"], "--endpoint", server["host"], "--transport", "rest"),
        *("--port", str(server["https_port"]), "--trust", server["ca_file"]),
        *("--cert", str(folder / "device_chain.pem"), "--key", str(folder / "device_key.pem")),
        *words,
    ]


def test_a_certificate_is_issued(server: dict[str, Any], tmp_path: Path) -> None:
    """One file with chain and key, whose path is printed, and the key nowhere."""
    words = issuing(server, tmp_path, "--issue", "--keys-out", str(tmp_path / "keys"), "--trace")
    done = CliRunner().invoke(command, words)
    path = tmp_path / "keys" / "by-root-1.pem"
    as_json = CliRunner().invoke(command, [*words, "--json"])

    assert (done.exit_code, as_json.exit_code) == (0, 0), done.stderr
    assert str(path) in "".join(done.stdout.partition("issued credential")[2].split())
    assert json.loads(as_json.stdout)["issued_credential"] == str(path)
    assert X509.from_files(path).registration_id == "by-root-1"
    lines = path.read_text().partition("PRIVATE KEY-----\n")[2].splitlines()
    assert len(lines) > 2
    assert not any(line in as_json.output + done.output for line in lines[:2])


def test_a_certificate_for_a_key_of_one_s_own(server: dict[str, Any], tmp_path: Path) -> None:
    """The file has the chain alone."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "by-root-1")])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject)
    pem = request.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    (tmp_path / "own.csr").write_bytes(pem)
    words = ["--csr", str(tmp_path / "own.csr"), "--keys-out", str(tmp_path / "issued")]
    done = CliRunner().invoke(command, issuing(server, tmp_path, *words))

    assert done.exit_code == 0, done.stderr
    issued = (tmp_path / "issued" / "by-root-1.pem").read_bytes()
    assert b"PRIVATE" not in issued
    assert x509.load_pem_x509_certificate(issued).public_key() == key.public_key()


@pytest.mark.parametrize(
    ("words", "environment"),
    [
        pytest.param(["--issue"], {}, id="no folder"),
        pytest.param(["--keys-out", "keys"], {}, id="a folder for nothing"),
        pytest.param([], {"AIODPS_ISSUE": "p256"}, id="no folder for the setting"),
        pytest.param(["--issue", "--keys-out", __file__], {}, id="nothing can be written"),
    ],
)
def test_a_certificate_without_a_place(
    server: dict[str, Any], tmp_path: Path, words: list[str], environment: dict[str, str]
) -> None:
    """2: nothing is sent, so that no key is lost."""
    done = CliRunner().invoke(
        command, [*issuing(server, tmp_path, *words), "--json"], env=environment
    )

    assert done.exit_code == 2
    assert json.loads(done.stdout)["setting"] == "keys_out"


@pytest.mark.parametrize("transport", ["rest", "mqtt"])
def test_symmetric_keys(run: Run, tmp_path: Path, transport: str) -> None:
    """A group's key, or the device's own in a file that a setting names; the key is not shown."""
    write_key(tmp_path / "group.key")
    write_key(tmp_path / "own.key", C_DERIVED_KEY)
    device = ("--registration-id", "ut-device", "--trace")
    by_group = run(*device, "--group-key-file", "group.key", transport=transport, cert=False)
    by_own = run(*device, "--symmetric-key-file", "own.key", transport=transport, cert=False)
    mistaken = run(*device, "--symmetric-key-file", "group.key", transport=transport, cert=False)

    assert (by_group.returncode, by_own.returncode) == (0, 0), by_group.stderr + by_own.stderr
    assert mistaken.returncode == 1
    assert "--group-key-file" in mistaken.stderr
    told = "".join(one.stdout + one.stderr for one in (by_group, by_own, mistaken))
    assert "***" in told
    assert C_GROUP_KEY not in told
    assert C_DERIVED_KEY not in told
    assert "sig=" not in told


def test_two_credentials(run: Run, tmp_path: Path) -> None:
    """The second is taken when the first is refused, which is told."""
    write_key(tmp_path / "wrong.key", C_KEY)
    write_key(tmp_path / "own.key", C_DERIVED_KEY)
    words = ("--symmetric-key-file", "wrong.key", "--secondary-symmetric-key-file", "own.key")
    done = run("--registration-id", "ut-device", *words, cert=False)

    assert done.returncode == 0, done.stderr
    assert "credential refused, now: credential 1" in done.stderr


def test_each_setting_of_a_second_credential_is_an_option() -> None:
    """As it is for the first."""
    names = {each.name for each in dataclasses.fields(Settings)}
    options = {each.name for each in command.params}

    assert {name for name in names if name.startswith("secondary_")} <= options


def test_json(run: Run) -> None:
    """--json prints one object and nothing else."""
    done = run("--json", "--payload", '{"a": 1}')
    facts = json.loads(done.stdout)

    assert (done.returncode, done.stderr) == (0, "")
    assert facts["assigned_hub"] == "emulated-hub.azure-devices.net"
    assert facts["enrollment_group_id"] == "by-root"


@pytest.mark.parametrize(
    ("transport", "shown"),
    [
        ("rest", ("PUT /0ne00000000/registrations/by-root-1/register?", "HTTP/1.1 202")),
        ("mqtt", ("CONNECT client id 'by-root-1'", "$dps/registrations/res/202/?$rid=")),
    ],
)
def test_trace(run: Run, transport: str, shown: tuple[str, ...], tmp_path: Path) -> None:
    """--trace shows everything that goes over the wire, without the payload."""
    (tmp_path / "payload.json").write_text('{"wifi": "canary"}', encoding="utf-8")
    done = run("--trace", "--payload", "@payload.json", transport=transport)

    assert done.returncode == 0
    assert all(text in done.stderr for text in shown)
    assert "canary" not in done.stderr + done.stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--id-scope", "0neFFFFFFFF"), 1, "ServiceError|UnauthorizedError|NotFoundError"),
        (("--registration-id", "another"), 2, "IdentityMismatchError"),
        (("--cert", "nowhere.pem"), 2, "CertificateError"),
        (("--symmetric-key-file", "nowhere.key"), 2, "ConfigurationError"),
        (("--payload", "{"), 2, "ConfigurationError"),
        (("--payload", "@nowhere.json"), 2, "ConfigurationError"),
        (("--timeout", "0"), 2, "ConfigurationError"),
        (("--endpoint", "https://x"), 2, "ConfigurationError"),
        (("--config", "nowhere.toml"), 2, "ConfigurationError"),
        (("--trust", "azure"), 3, "ServerIdentityError"),
        (("--timeout", "1.2"), 4, "ProvisioningTimeoutError"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_exit_codes(run: Run, words: tuple[str, ...], code: int, said: str) -> None:
    """Each way to fail has its exit code, its error and one next step; never a traceback."""
    done = run(*words)

    assert done.returncode == code, done.stderr
    assert not done.stdout
    assert any(f"error={name}" in done.stderr for name in said.split("|"))
    assert "next:" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("scheme", ["http", "socks5"])
@pytest.mark.parametrize("password", [PASSWORD, "canary-of-a-wrong-one"], ids=["right", "wrong"])
def test_a_proxy(run: Run, tmp_path: Path, scheme: str, password: str) -> None:
    """0 or 3: with user and password from a file, which are shown nowhere."""
    file = tmp_path / "password"
    file.write_text(f"{USER}:{password}\n")
    with running_proxy() as port:
        url = f"{scheme}://127.0.0.1:{port}"
        done = run("--proxy", url, "--proxy-password-file", str(file), "--trace")

    assert done.returncode == (0 if password == PASSWORD else 3), done.stderr
    assert ("proxy tunnel opened" in done.stderr) is (password == PASSWORD)
    assert ("error=ProxyError" in done.stderr) is (password != PASSWORD)
    for secret in (USER, password, base64.b64encode(f"{USER}:{password}".encode()).decode()):
        assert secret not in done.stdout + done.stderr


def test_nobody_there(run: Run) -> None:
    """3: a closed port is tried as often as told, and each try is shown."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        done = run("--port", str(taken.getsockname()[1]), "--attempts", "2")

    assert done.returncode == 3
    assert "error=ConnectError" in done.stderr
    assert "attempts=2" in done.stderr
    assert "try again in" in done.stderr


def test_usage(run: Run) -> None:
    """2: an option that does not exist."""
    assert run("--transprot", "rest").returncode == 2


HOSTILE_TEXT = "".join(HOSTILE.values()).replace("\ud83d", "")


def hostile_refusal() -> Script:
    """Refuse with text in every member and header that is shown."""
    details = {"errorCode": 400000, "message": f"a{HOSTILE_TEXT}b", "trackingId": HOSTILE_TEXT}
    body = json.dumps({**details, "timestampUtc": HOSTILE_TEXT}).encode()
    headers = {"X-Ms-Request-Id": "\x9b2J\x9d0;owned\x9c", "X-Other": "\x9b31m"}
    return once(answer(400, body, **headers))


def hostile_redirect() -> Script:
    """Redirect to a host that is named to do harm."""
    return once(answer(302, Location="https://\x9b2Jevil.test\xad/"))


def hostile_content_type() -> Script:
    """Say that it is not JSON."""
    return repeat(Line.take, answer(200, Content_Type="text/\x9b2Jx"))


def hostile_assignment() -> Script:
    """Assign the device, and say odd things about it."""
    facts = {"etag": HOSTILE_TEXT, "substatus": HOSTILE_TEXT, "payload": {"a": HOSTILE_TEXT}}
    names = {"registrationId": "device-1", "deviceId": "d", "assignedHub": "h.azure-devices.net"}
    group = {"x509": {"enrollmentGroupId": HOSTILE_TEXT}}
    chain = {"issuedCertificateChain": [HOSTILE_TEXT]}
    return once(
        answer(200, state("assigned", registrationState={**names, **facts, **group, **chain}))
    )


@pytest.mark.parametrize("words", [(), ("--trace",), ("--json",)], ids=["plain", "trace", "json"])
@pytest.mark.parametrize(
    "script", [hostile_refusal, hostile_redirect, hostile_content_type, hostile_assignment]
)
def test_nothing_that_a_server_says_acts_on_the_terminal(
    script: Callable[[], Script], words: tuple[str, ...], tmp_path: Path
) -> None:
    """In whatever member or header it says it; JSON escapes it."""
    certificate, key = write(certify("device-1"), tmp_path)
    (tmp_path / "ca.pem").write_bytes(root().certificate_pem)
    with HttpServer(script()) as peer:
        done = CliRunner().invoke(
            command,
            [
                *("--transport", "rest", "--endpoint", "127.0.0.1", "--port", str(peer.port)),
                *("--id-scope", "0ne00000000", "--trust", str(tmp_path / "ca.pem")),
                *("--cert", str(certificate), "--key", str(key), "--attempts", "1", *words),
            ],
        )

    assert done.exit_code in {0, 1}
    assert all(line.isprintable() for line in (done.stdout + done.stderr).split("\n"))
    assert "Traceback" not in done.stderr
