"""What was typed becomes a run; what is refused is in `test_fleet_run`."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import pytest

from aiodps import KeySpec
from aiodps.cli.fleet.arguments.options import check_start, parse_shard, run_from_arguments
from aiodps.cli.fleet.arguments.run_options import RunArguments
from aiodps.cli.fleet.run import command
from aiodps.errors import ConfigurationError
from aiodps.fleet.plan.devices import GeneratedDevices
from aiodps.fleet.plan.manifest_devices import ManifestDevices
from aiodps.fleet.plan.run_file import RunFile
from aiodps.settings import Settings


def made(*words: str, independent: bool = False) -> RunFile:
    """Make a run of words."""
    names = {field.name for field in dataclasses.fields(RunArguments)}
    with command.make_context("run", list(words)) as context:
        typed = {name: value for name, value in context.params.items() if name in names}

    return run_from_arguments(RunArguments(**typed), Path("runs/a"), independent=independent)


def test_a_limit_for_azure_alone(tmp_path: Path) -> None:
    """A thousand a minute there, unless told otherwise; none for an emulator."""
    path = tmp_path / "m.csv"
    path.write_text("registration_id\ndev-1\n")
    earnest = ("--manifest", str(path), "--id-scope", "0ne1")

    assert made("--emulator").options.max_per_minute is None
    assert made(*earnest).options.max_per_minute == 1000
    assert made(*earnest, "--limit-rate", "60").options.max_per_minute == 60
    assert made(*earnest, "--limit-rate", "0").options.max_per_minute is None
    assert made(*earnest, "--endpoint", "dps.example").options.max_per_minute is None


def test_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it says of the service applies, unless an argument says otherwise; not of a device."""
    path = tmp_path / "m.csv"
    path.write_text("registration_id\ndev-1\n")
    given = {"ID_SCOPE": "0neENV", "ENDPOINT": "dps.example", "TIMEOUT": "30"}
    of_a_device = {"TRANSPORT": "auto", "PORT": "9", "CERTIFICATE": "a.pem", "ISSUE": "p256"}
    for name, value in (given | of_a_device).items():
        monkeypatch.setenv(f"AIODPS_{name}", value)

    found = made("--manifest", str(path), "--timeout", "20").options

    assert found.settings == Settings(id_scope="0neENV", endpoint="dps.example", timeout=20)
    assert found.transports == ("mqtt",)
    (tmp_path / "s.toml").write_text('proxy = "http://p:1"\ntrust = "certifi"\n')
    by_file = made("--manifest", str(path), "--config", str(tmp_path / "s.toml")).options
    assert (by_file.settings.trust, by_file.settings.id_scope) == ("certifi", "0neENV")
    assert made("--emulator").options.settings.endpoint == "127.0.0.1"


def test_a_proxy(tmp_path: Path) -> None:
    """Its user and password are in a file, of which the run has the path alone."""
    devices, secret = tmp_path / "m.csv", tmp_path / "secret"
    devices.write_text("registration_id\ndev-1\n")
    secret.write_text("user:canary\n")
    words = ("--manifest", str(devices), "--id-scope", "0ne1", "--proxy", "socks5://p:1")
    run = made(*words, "--proxy-password-file", str(secret), "--address", "10.0.0.1")
    run.write(tmp_path)

    assert str(run.options.settings.proxy) == "socks5://p:1"
    assert run.options.settings.address == "10.0.0.1"
    assert RunFile.read(tmp_path).options == run.options
    assert "canary" not in (tmp_path / "run.json").read_text()
    with pytest.raises(ConfigurationError, match="in a file") as caught:
        made(*words[:-1], "http://canary:canary@p:1")

    assert "canary" not in str(caught.value)


def test_a_journal_in_memory() -> None:
    """For load tests; the default is durable, and Azure has to be forced."""
    assert made("--emulator").options.durable
    assert not made("--emulator", "--journal", "memory").options.durable


def test_independent_shards_agree(tmp_path: Path) -> None:
    """The same words give the same run and the same seed, on any machine; others another run."""
    first, second = (made("--emulator", "--devices", "5", independent=True) for _ in range(2))

    assert (first.run_id, first.options) == (second.run_id, second.options)
    rows = "registration_id\ndev-1\n"
    paths = [tmp_path / "here.csv", tmp_path / "there.csv"]
    ids = set()
    for path in paths:
        path.write_text(rows)
        ids.add(made("--manifest", str(path), "--id-scope", "0ne1", independent=True).run_id)

    assert len(ids) == 1
    assert first.run_id != made("--emulator", "--devices", "6", independent=True).run_id
    assert made("--emulator").run_id != made("--emulator").run_id


def test_one_shard_of_many() -> None:
    """`I/N`, counted from 0."""
    assert parse_shard("2/3", 1) == (2, 3)
    assert parse_shard(None, 4) == (None, 4)
    for text, shards in (("3/3", 1), ("-1/3", 1), ("1", 1), ("0/2", 2)):
        with pytest.raises(ConfigurationError):
            parse_shard(text, shards)


def test_a_start_in_the_past() -> None:
    """It is a mistake, however short ago: the other shards have started. None is none."""
    check_start(None)
    check_start(1e12)
    for at in (float("nan"), time.time()):
        with pytest.raises(ConfigurationError, match="has passed") as caught:
            check_start(at)

        assert caught.value.setting == "start_at"


def test_devices_with_keys(tmp_path: Path) -> None:
    """With an emulator the kind, with a manifest the group's key; not both ways at once."""
    path, key = tmp_path / "m.csv", tmp_path / "group.key"
    path.write_text("registration_id\ndev-1\n")
    earnest = ("--manifest", str(path), "--id-scope", "0ne1", "--group-key-file", str(key))
    generated = made("--emulator", "--attestation", "symmetric-key").source
    listed = made(*earnest).source

    assert isinstance(generated, GeneratedDevices)
    assert isinstance(listed, ManifestDevices)
    assert (generated.certificate, listed.group_key_file) == (None, key)
    for words in (
        ("--emulator", "--group-key-file", str(key)),
        (*earnest, "--attestation", "x509"),
        (*earnest, "--ca", "ca", "--ca-key", "key", "--keys-out", str(tmp_path)),
    ):
        with pytest.raises(ConfigurationError):
            made(*words)


def test_issued_certificates(tmp_path: Path) -> None:
    """A folder for the keys, which an emulator's devices need not have, and a CA as well."""
    path, keys = tmp_path / "m.csv", tmp_path / "keys"
    path.write_text("registration_id\ndev-1\n")
    earnest = ("--manifest", str(path), "--id-scope", "0ne1")
    issued = made(*earnest, "--issue", "--keys-out", str(keys)).options
    tried = made("--emulator", "--issue", "p384").options

    assert (issued.settings.issue, issued.keys_out) == (KeySpec(), keys)
    assert (tried.settings.issue, tried.keys_out) == (KeySpec("p384"), None)
    assert keys.is_dir()
    for words in (
        (*earnest, "--issue"),
        (*earnest, "--keys-out", str(keys)),
        ("--emulator", "--issue", "--keys-out", "runs/a/keys"),
        ("--emulator", "--issue", "--keys-out", "runs/b/../a/keys"),
        ("--emulator", "--issue", "--keys-out", str(path)),
    ):
        with pytest.raises(ConfigurationError) as caught:
            made(*words)

        assert caught.value.setting == "keys_out"
