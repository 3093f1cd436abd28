"""`aiodps emulator`, as it is typed."""

from __future__ import annotations

import json
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests import certificates

from aiodps.cli.emulator import OPTIONS, command, print_exchange, variable_of
from aiodps.emulator.request_log.log import Exchange

pytestmark = pytest.mark.sockets
PORTS = ("--https-port", "0", "--mqtt-port", "0")
PATIENCE = 120.0


@contextmanager
def spawned(*options: str | Path) -> Iterator[subprocess.Popen[str]]:
    """Run the command until the block ends."""
    words = [sys.executable, "-m", "aiodps", "emulator", *PORTS, *map(str, options)]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def started(*options: str | Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """Run the command until the block ends; give its ready line."""
    with spawned("--json", *options) as process:
        assert process.stdout is not None

        yield process, json.loads(process.stdout.readline())


def ended(process: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str]:
    """End the command and give exit code and stderr."""
    process.send_signal(number)
    _, errors = process.communicate(timeout=PATIENCE)
    return process.returncode, errors


POLICY = ("--access-policy", "reader=EnrollmentRead,RegistrationStatusRead")


def group() -> list[dict[str, Any]]:
    """Enroll everything below the test root."""
    pem = certificates.root().certificate_pem.decode()
    signing = {"signingCertificates": {"primary": {"certificate": pem}}}
    return [{"enrollmentGroupId": "g", "attestation": {"type": "x509", "x509": signing}}]


def test_secrets_do_not_go_through_links(tmp_path: Path) -> None:
    """Nor into a file that others may read: a new one takes the place, and is gone at the end."""
    theirs, ready = tmp_path / "theirs", tmp_path / "ready.json"
    theirs.touch(mode=0o666)
    ready.symlink_to(theirs)
    with started("--ready-file", ready) as (process, facts):
        assert json.loads(ready.read_text()) == facts
        assert (ready.is_symlink(), ready.stat().st_mode & 0o777) == (False, 0o600)
        ended(process, signal.SIGTERM)

    assert (theirs.read_text(), ready.exists()) == ("", False)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_is_and_ends_cleanly(number: signal.Signals, tmp_path: Path) -> None:
    """The ready file and the line on stdout are the same; the CA lies where told."""
    ready, ca = tmp_path / "ready.json", tmp_path / "ca.pem"
    options = ("--ready-file", ready, "--ca-out", ca, "--id-scope", "0ne1", "--hub", "h.x")
    with started(*options, *("--service-key", "QUJD", *POLICY)) as (process, facts):
        names = list(facts["connection_strings"])
        assert json.loads(ready.read_text()) == facts
        assert facts | {"https_port": 0, "mqtt_port": 0} == {
            "host": "127.0.0.1",
            "https_port": 0,
            "mqtt_port": 0,
            "id_scope": "0ne1",
            "ca_file": str(ca),
            "hub": "h.x",
            "pid": process.pid,
            "connection_strings": facts["connection_strings"],
            "bearer_token": "QUJD",
            "connection_string": (
                f"HostName=127.0.0.1:{facts['https_port']};"
                "SharedAccessKeyName=provisioningserviceowner;SharedAccessKey=QUJD"
            ),
        }
        assert names == ["provisioningserviceowner", "reader"]
        assert b"CERTIFICATE" in ca.read_bytes()
        assert ended(process, number) == (0, "")

    assert sorted(path.name for path in tmp_path.iterdir()) == ["ca.pem"]


def test_it_serves_what_the_files_say(tmp_path: Path) -> None:
    """Enrollments and a verified CA; one line for each request; the CA goes with it."""
    (tmp_path / "enrollments.json").write_text(json.dumps(group()))
    (tmp_path / "root.pem").write_bytes(certificates.root().certificate_pem)
    device = certificates.intermediate().device("device-1")
    options = (
        *("--enrollments", tmp_path / "enrollments.json"),
        *("--verified-ca", tmp_path / "root.pem"),
        *("--assign-after", "3600", "--retry-after", "9"),
    )
    with started(*options) as (process, facts):
        context = ssl.create_default_context(cafile=facts["ca_file"])
        context.load_cert_chain(*certificates.write(device, tmp_path))
        client = HTTPSConnection(
            "localhost", facts["https_port"], context=context, timeout=PATIENCE
        )
        client.request(
            "PUT", "/0ne00000000/registrations/device-1/register?api-version=2019-03-31", b"{}"
        )
        answer = client.getresponse()
        assert (answer.status, answer.headers["Retry-After"]) == (202, "9")
        client.close()
        code, errors = ended(process, signal.SIGTERM)

    assert code == 0
    assert len(errors.splitlines()) == 1
    assert "202" in errors
    assert "register" in errors
    assert "device-1" in errors
    assert not Path(facts["ca_file"]).exists()


def test_without_json_it_says_what_to_type_next(tmp_path: Path) -> None:
    """Addresses, the CA, and a curl line."""
    with spawned("--ca-out", tmp_path / "ca") as process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        curl = next(line for line in lines if "curl --cacert" in line)
        address = next(line for line in lines if "/register?api-version=" in line)
        next(line for line in lines if "/certificates/NAME" in line)
        code, errors = ended(process, signal.SIGTERM)

    assert str(tmp_path / "ca") in curl
    assert "https://127.0.0.1:" in address
    assert "0ne00000000" in errors
    assert code == 0


def test_a_port_in_use_is_told_without_a_traceback() -> None:
    """Exit code 2 and the next step."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = CliRunner().invoke(command, ["--https-port", port, "--mqtt-port", "0"])

    assert result.exit_code == 2
    assert f"port {port} on '127.0.0.1' is in use" in result.stderr
    assert "next:" in result.stderr


def test_a_ready_file_of_an_earlier_run_is_gone_before_the_start(tmp_path: Path) -> None:
    """Who waits for it would take that one's ports for ours."""
    ready = tmp_path / "ready.json"
    ready.write_text("{}")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        words = ["--https-port", port, "--mqtt-port", "0", "--ready-file", str(ready)]
        result = CliRunner().invoke(command, words)

    assert result.exit_code == 2
    assert not ready.exists()


def test_addresses_of_ipv6_can_be_copied_from_the_welcome() -> None:
    """In URLs they stand in brackets."""
    with spawned("--quiet", "--host", "::1") as process:
        assert process.stderr is not None
        shown = "".join(iter(process.stderr.readline, "Press Ctrl-C to stop.\n"))
        code, _ = ended(process, signal.SIGTERM)

    assert "https://[::1]:" in shown
    assert "https://::1" not in shown
    assert code == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param(["--host", "0.0.0.0"], "other machines", id="host"),  # noqa: S104 (refused)
        pytest.param(["--retry-after", "1.5"], "--retry-after", id="fraction"),
        pytest.param(["--assign-after", "-1"], "--assign-after", id="negative"),
        pytest.param(["--https-port", "65536"], "--https-port", id="port"),
        pytest.param(["--enrollments", "FILE"], "enrollment 0 (registrationId 'x')", id="entry"),
        pytest.param(["--enrollments", "MISSING"], "cannot be read", id="no file"),
        pytest.param(["--verified-ca", "FILE"], "is not a certificate", id="no certificate"),
        pytest.param([*PORTS, "--ready-file", "MISSING/x"], "cannot be written", id="ready file"),
        pytest.param([*PORTS, "--ca-out", "MISSING/x"], "cannot be written", id="ca out"),
    ],
)
def test_bad_input_is_told_in_words(options: list[str], message: str, tmp_path: Path) -> None:
    """Exit code 2, and what is wrong."""
    (tmp_path / "FILE").write_text('[{"registrationId": "x"}]')
    files = {"FILE", "MISSING", "MISSING/x"}
    words = [str(tmp_path / option) if option in files else option for option in options]

    result = CliRunner().invoke(command, words)

    assert result.exit_code == 2
    assert message in result.stderr


def test_what_a_client_sends_cannot_play_with_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Control characters are not printed, and lines have an end."""
    print_exchange(
        Exchange(
            transport="mqtt",
            what="register",
            status_code=401,
            took=0.001,
            registration_id="\x1b[2J\n" + "x" * 1000,
            certificate=None,
            message="Unauthorized",
        )
    )
    line = capsys.readouterr().err

    assert "?[2J?xxx" in line
    assert line.count("\n") == 1
    assert len(line) < 400
    assert "no certificate" in line


def test_the_admin_port_is_there_when_asked_for(tmp_path: Path) -> None:
    """Its address and token stand in the ready file, which nobody else may read."""
    ready = tmp_path / "ready.json"
    options = ("--admin-port", "0", "--ready-file", ready, "--harsh", "--seed", "5")
    with started(*options) as (_, facts):
        host = facts["admin_url"].removeprefix("http://")
        client = HTTPConnection(host, timeout=PATIENCE)
        token = {"Authorization": f"Bearer {facts['admin_token']}"}
        client.request("GET", "/api/faults", headers=token)
        plan = json.load(client.getresponse())
        client.close()

        assert plan["seed"] == 5
        assert all(rule.startswith("harsh: ") for rule in plan["rules"])
        assert ready.stat().st_mode & 0o777 == 0o600


def test_faults_and_a_journal_of_them(tmp_path: Path) -> None:
    """What is not there is refused as planned, and written down."""
    faults, request_log = tmp_path / "faults.toml", tmp_path / "journal"
    faults.write_text('[[rule]]\nname = "out"\nstatus = 503\n')
    with started("--faults", faults, "--log-json", request_log) as (process, facts):
        context = ssl.create_default_context(cafile=facts["ca_file"])
        port = facts["https_port"]
        client = HTTPSConnection("localhost", port, context=context, timeout=PATIENCE)
        client.request("PUT", "/0ne1/registrations/d/register?api-version=2019-03-31", b"{}")
        assert client.getresponse().status == 503
        client.close()
        _, errors = ended(process, signal.SIGTERM)

    line = json.loads(request_log.read_text())
    assert (line["status"], line["fault"]) == (503, "out")
    assert "[out]" in errors


@pytest.mark.parametrize("content", [b"[[rule]]\nsatus = 1", b"\xff"])
def test_a_wrong_fault_file(content: bytes, tmp_path: Path) -> None:
    """Ends it before it begins, and the message says what is wrong."""
    file = tmp_path / "faults.toml"
    file.write_bytes(content)
    result = CliRunner().invoke(command, [*PORTS, "--faults", str(file)])

    assert result.exit_code == 2
    assert "satus" in result.stderr or "UTF-8" in result.stderr


def test_each_option_has_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Named after its flag, and the command line takes precedence."""
    given = {
        "HTTPS_PORT": "0",
        "TLS_NAME": "dps dps.example",
        "I_KNOW_THIS_IS_NOT_SECURE": "1",
        "HARSH": "1",
        "ID_SCOPE": "0ne1",
    }
    for name, value in given.items():
        monkeypatch.setenv(f"AIODPS_EMULATOR_{name}", value)

    options = command.make_context("emulator", ["--id-scope", "0ne2"]).params

    assert options["https_port"] == 0
    assert options["server_names"] == ("dps", "dps.example")
    assert (options["beyond_loopback"], options["harsh"], options["quiet"]) == (True, True, False)
    assert options["id_scope"] == "0ne2"
    assert len({variable_of(each) for each in OPTIONS}) == len(OPTIONS)


def test_variables_that_are_not_options_are_told() -> None:
    """A typing error must not pass; others may set such variables, so it is a warning."""
    variables = {"AIODPS_EMULATOR_HTTP_PORT": "1", "AIODPS_EMULATOR_HTTPS_PORT": "x"}
    result = CliRunner().invoke(
        command, env={"AIODPS_EMULATOR_HTTP_PORT": "1"}, args=["--host", "x"]
    )
    bad = CliRunner().invoke(command, env=variables)

    assert "not an option of the emulator: AIODPS_EMULATOR_HTTP_PORT" in result.stderr
    assert bad.exit_code == 2
    assert "AIODPS_EMULATOR_HTTPS_PORT" in bad.stderr
