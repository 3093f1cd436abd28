"""Argument, else environment, else file, else default; and every mistake by its name."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import get_type_hints

import pytest

from aiodps.errors import ConfigurationError
from aiodps.key_text import HIDDEN
from aiodps.network.proxy import Proxy
from aiodps.settings import GLOBAL_ENDPOINT, Settings, SettingsArguments


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take everything of ours out of the environment."""
    for name in ("ID_SCOPE", "TRANSPORT", "CONFIG", "TIMEOUT", "PORT"):
        monkeypatch.delenv(f"AIODPS_{name}", raising=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Write a settings file."""
    path = tmp_path / "aiodps.toml"
    path.write_text(
        'id_scope = "0neFILE"\ntransport = "rest"\ntimeout = 60\ncertificate = "dev.pem"\n'
        'trust = "certifi"\nhub_suffixes = [".example.test"]\n',
        encoding="utf-8",
    )
    return path


def test_defaults() -> None:
    """Everything but the id scope has a default."""
    settings = Settings.load()

    assert (settings.id_scope, settings.endpoint) == (None, GLOBAL_ENDPOINT)
    assert (settings.transport, settings.timeout, settings.port) == ("auto", 90.0, None)


def test_file(file: Path) -> None:
    """A file is read where an argument names it; its paths are meant from where it lies."""
    settings = Settings.load(config=file)

    assert (settings.id_scope, settings.transport, settings.timeout) == ("0neFILE", "rest", 60.0)
    assert settings.certificate == file.parent / "dev.pem"
    assert settings.trust == "certifi"
    assert settings.hub_suffixes == (".example.test",)


def test_precedence(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Argument over environment over file."""
    monkeypatch.setenv("AIODPS_CONFIG", str(file))
    monkeypatch.setenv("AIODPS_ID_SCOPE", "0neENV")
    monkeypatch.setenv("AIODPS_TIMEOUT", "30")
    monkeypatch.setenv("AIODPS_HUB_SUFFIXES", ".a.test, .b.test")
    settings = Settings.load(timeout=5)

    assert (settings.id_scope, settings.transport, settings.timeout) == ("0neENV", "rest", 5.0)
    assert settings.hub_suffixes == (".a.test", ".b.test")


def test_unknown_names(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is no setting is an error that says where it stands and lists the known ones."""
    file.write_text('id_scop = "x"\n', encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"aiodps.toml.*'id_scop'") as caught:
        Settings.load(config=file)

    assert caught.value.hint.startswith("did you mean id_scope? known settings: address, ")


@pytest.mark.parametrize(
    "name", ["SCOPE", "TIMOUT", "REGISTRATIONID", "KEY", "DPS_ENDPOINT", "CONFG"]
)
def test_a_mistyped_variable_is_told(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What resembles a setting, is a part of its name or contains it, may have been meant."""
    monkeypatch.setenv(f"AIODPS_{name}", "x")
    with pytest.raises(ConfigurationError, match=f"AIODPS_{name} .*is not a setting") as caught:
        Settings.load()

    assert "id_scope" in caught.value.hint


@pytest.mark.parametrize(
    "name", ["IMAGE", "VERSION", "LOG_LEVEL", "SCALE", "KILLS", "HOSTILE", "EMULATOR_HTTPS_PORT"]
)
def test_variables_of_others_are_ignored(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container or a test suite may have its own variables with this prefix."""
    monkeypatch.setenv(f"AIODPS_{name}", "x")

    assert Settings.load() == Settings()


def test_bad_files(tmp_path: Path) -> None:
    """A file that is not there or is not TOML is told."""
    with pytest.raises(ConfigurationError, match="cannot be read"):
        Settings.load(config=tmp_path / "none.toml")

    bad = tmp_path / "bad.toml"
    bad.write_text("= 1", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"bad.toml' is not TOML: .*line 1, column 1"):
        Settings.load(config=bad)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            pytest.param("timeout", value, id=f"C09-{value}")
            for value in (0, -1, math.nan, math.inf, "30", 1e12, True)
        ),
        *(pytest.param("port", value, id=f"C07-{value}") for value in (0, 65536, "443", True)),
        pytest.param("transport", "amqp", id="transport"),
        pytest.param("transport", 7, id="transport-7"),
        pytest.param("transport", [], id="transport-list"),
        pytest.param("trust", 7, id="trust"),
        pytest.param("trust", "", id="trust-empty"),
        pytest.param("certificate", 7, id="certificate"),
        pytest.param("tpm", "/dev/tpmrm0", id="tpm-path"),
        pytest.param("tpm", True, id="tpm"),
        pytest.param("hub_suffixes", ".a", id="suffix-text"),
        pytest.param("hub_suffixes", [], id="suffix-empty"),
        pytest.param("id_scope", "a/b", id="C01"),
        pytest.param("registration_id", "a/b", id="C02"),
        pytest.param("endpoint", "https://x", id="C05"),
        pytest.param("address", "https://x", id="address"),
        pytest.param("proxy", "proxy.example:3128", id="proxy"),
        pytest.param("proxy", 7, id="proxy-7"),
        pytest.param("proxy_password_file", 7, id="proxy-password"),
    ],
)
def test_nonsense(name: str, value: object) -> None:
    """A value that makes no sense is refused by the setting's name."""
    with pytest.raises(ConfigurationError) as caught:
        Settings.load(**{name: value})  # type: ignore[arg-type]  # that is the point

    assert caught.value.setting == name


@pytest.mark.parametrize(("name", "text"), [("PORT", "https"), ("TIMEOUT", "soon")])
def test_numbers_in_the_environment(name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers in the environment are texts; what is no number is told by the variable's name."""
    monkeypatch.setenv(f"AIODPS_{name}", text)
    with pytest.raises(ConfigurationError, match=f"AIODPS_{name}"):
        Settings.load()


def test_nothing_else_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """C15: proxies, certificate files, key logs and netrc are not looked at."""
    for name in ("HTTPS_PROXY", "ALL_PROXY", "SSL_CERT_FILE", "SSLKEYLOGFILE", "NETRC"):
        monkeypatch.setenv(name, "/nowhere")

    assert Settings.load() == Settings()


def test_a_proxy(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From wherever it comes: its user and password are in no text, and its file is a path."""
    url = "http://canary:canary@proxy.example:3128"
    monkeypatch.setenv("AIODPS_PROXY", url)
    file.write_text('proxy_password_file = "password"\naddress = "10.0.0.1"\n', encoding="utf-8")
    settings = Settings.load(config=file)

    assert settings.proxy == Settings.load(proxy=Proxy.parse(url)).proxy
    assert settings.proxy_password_file == file.parent / "password"
    assert settings.address == "10.0.0.1"
    assert "proxy.example" in repr(settings)
    assert "canary" not in repr(settings)
    monkeypatch.setenv("AIODPS_PROXY", f"{url}/canary")
    with pytest.raises(ConfigurationError, match="AIODPS_PROXY") as caught:
        Settings.load()

    assert "canary" not in str(caught.value)


def test_arguments() -> None:
    """What `provision` takes by name is every setting and nothing else."""
    fields = [field.name for field in dataclasses.fields(Settings)]

    assert list(get_type_hints(SettingsArguments)) == fields


def test_replace() -> None:
    """A copy can differ; None changes nothing; changes are checked."""
    settings = Settings().replace(timeout=5, port=None)

    assert (settings.timeout, settings.port) == (5.0, None)
    with pytest.raises(ConfigurationError):
        settings.replace(timeout=0)


def test_what_is_given_itself_is_checked() -> None:
    """Settings that nothing has loaded are what those are that were."""
    settings = Settings(proxy="http://user:secret@proxy.example:3128", issue="p256")  # type: ignore[arg-type]  # as by `load`

    assert settings == Settings.load(proxy="http://user:secret@proxy.example:3128", issue="p256")
    assert "secret" not in repr(settings)
    with pytest.raises(ConfigurationError, match="timeout"):
        Settings(timeout=-1)


def test_what_is_shown_of_settings() -> None:
    """What is not the default; never a key that was given in place of its path."""
    key = "pkcs11:token=T?pin-value=1234"
    settings = Settings.load(id_scope="0ne00012ABC", certificate="a.pem", private_key=key)

    assert repr(settings) == (
        f"Settings(id_scope='0ne00012ABC', certificate={Path('a.pem')!r}, private_key={HIDDEN})"
    )


def test_an_argument_that_is_not_a_setting() -> None:
    """It is named, and the setting that it resembles."""
    with pytest.raises(ConfigurationError, match=r"^'id_scop' is not a setting") as caught:
        Settings.load(id_scop="0ne1")  # type: ignore[call-arg]  # the mistake

    assert caught.value.hint.startswith("did you mean id_scope?")
