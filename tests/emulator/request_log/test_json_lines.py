"""One line of JSON for each request: complete, at once, and without secrets."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.emulated import SCOPE, device, running
from tests.emulator.request_log.test_log import exchange
from tests.scripted_client import http, mqtt, mqtt_connect

from aiodps.emulator.request_log import json_lines
from aiodps.emulator.request_log.json_lines import to_json, write_to
from aiodps.emulator.request_log.log import RequestLog
from aiodps.errors import ConfigurationError

PATH = f"/{SCOPE}/registrations/device-1/register?api-version=2019-03-31"
RULE_FIELDS = [
    "time", "transport", "operation", "registration_id", "certificate", "key_name", "status",
    "error_code", "message", "fault", "took",
]  # fmt: skip
SAS = (
    f"SharedAccessSignature sr={SCOPE}%2Fregistrations%2Fd&sig=c2VjcmV0&se=99999999999&skn=master"
)


def read(path: Path) -> list[dict[str, Any]]:
    """Read the lines so far."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_documented_members() -> None:
    """All of them, always, in that order."""
    assert list(to_json(exchange(None))) == RULE_FIELDS
    assert json_lines.__doc__ is not None
    assert all(f"    {name} " in json_lines.__doc__ for name in RULE_FIELDS)


@pytest.mark.anyio
@pytest.mark.sockets
async def test_each_request_is_a_line_at_once(tmp_path: Path) -> None:
    """With who, what and how it went."""
    file = tmp_path / "journal"
    rule = '[[rule]]\nname = "bad luck"\nafter = 1\nstatus = 503'
    async with running(log_json=file, faults=rule) as dps, http(dps, device()) as client:
        for _ in range(2):
            await client.ask("PUT", PATH, b"{}")

        first, second = read(file)
        assert list(first) == RULE_FIELDS
        assert (first["transport"], first["operation"]) == ("https", "register")
        assert first["registration_id"] == "device-1"
        assert first["certificate"]["subject"] == "CN=device-1"
        assert len(first["certificate"]["sha256"]) == 64
        assert (first["status"], first["error_code"], first["fault"]) == (202, None, None)
        assert (second["status"], second["error_code"]) == (503, 503000)
        assert second["fault"] == "bad luck"


@pytest.mark.anyio
@pytest.mark.sockets
async def test_keys_have_names_and_no_more(tmp_path: Path) -> None:
    """Signatures and tokens stay out."""
    file = tmp_path / "journal"
    async with running(log_json=file) as dps, http(dps) as client:
        await client.ask("PUT", PATH, b"{}", [f"Authorization: {SAS}"])
        arm = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Devices/provisioningServices/d/certificates"
        version = "?api-version=2022-12-12"
        await client.ask("GET", arm + version, headers=["Authorization: Bearer c2VjcmV0"])

    lines = read(file)
    assert lines[0]["key_name"] == "master"
    assert (lines[0]["certificate"], lines[0]["status"]) == (None, 401)
    assert lines[1]["key_name"] is None
    assert "c2VjcmV0" not in file.read_text()


@pytest.mark.anyio
@pytest.mark.sockets
async def test_what_is_not_answered_is_there_too(tmp_path: Path) -> None:
    """Refused and dropped connections."""
    file = tmp_path / "journal"
    rule = '[[rule]]\noperation = "connect"\ndrop = "before"'
    async with running(log_json=file, faults=rule) as dps:
        async with mqtt(dps, device(), mqtt_connect()) as client:
            assert await client.ended()

        async with mqtt(dps, device(), mqtt_connect(client_id="other")) as client:
            await client.take()
            assert await client.ended()

    dropped, refused = read(file)
    assert (dropped["operation"], dropped["status"], dropped["fault"]) == (
        "CONNECT",
        None,
        "rule 1",
    )
    assert (refused["operation"], refused["status"]) == ("CONNECT", 401)
    assert "client id" in refused["message"]


def test_lines_are_added_to_a_file(tmp_path: Path) -> None:
    """What was there stays."""
    file, made = tmp_path / "journal", RequestLog()
    file.write_text("{}\n")
    with write_to(made, file):
        made.record(exchange(None))

    made.record(exchange(None))

    assert len(read(file)) == 2


def test_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    """Is called `-`, and stays open."""
    made = RequestLog()
    with write_to(made, "-"):
        made.record(exchange(None))

    assert json.loads(capsys.readouterr().out)["status"] == 202
    assert not sys.stdout.closed


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    """Is known at once."""
    with (
        pytest.raises(ConfigurationError, match="cannot be written to") as caught,
        write_to(RequestLog(), tmp_path / "none" / "journal"),
    ):
        pass

    assert caught.value.setting == "log_json"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_full_disk_does_not_end_the_emulator(caplog: pytest.LogCaptureFixture) -> None:
    """It is said once, and the journal in memory goes on."""
    made = RequestLog()
    with write_to(made, "/dev/full"):
        made.record(exchange(None))
        made.record(exchange(None))

    assert len(made) == 2
    assert len(caplog.records) == 1
