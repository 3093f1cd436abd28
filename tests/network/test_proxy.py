"""The URL of a proxy is read as it is meant, refused clearly, and never repeated."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiodps.errors import ConfigurationError
from aiodps.network.proxy import Proxy, authority

CANARY = "canary-7f3a"


@pytest.mark.parametrize(
    ("url", "scheme", "host", "port"),
    [
        ("http://proxy.example:3128", "http", "proxy.example", 3128),
        ("HTTP://Proxy.Example:80/", "http", "proxy.example", 80),
        ("socks5://10.0.0.1:1080", "socks5", "10.0.0.1", 1080),
        ("socks5h://[fd00::1]:1080", "socks5", "fd00::1", 1080),
    ],
)
def test_parse(url: str, scheme: str, host: str, port: int) -> None:
    """Scheme, host and port; there is no user."""
    proxy = Proxy.parse(url)

    assert (proxy.scheme, proxy.host, proxy.port) == (scheme, host, port)
    assert (proxy.user, proxy.password) == (None, None)
    assert Proxy.parse(str(proxy)) == proxy


def test_a_user_is_percent_decoded_and_hidden() -> None:
    """Neither it nor its password is in any text of the proxy."""
    proxy = Proxy.parse(f"http://{CANARY}%40corp:{CANARY}%2F%3A%C3%A9@proxy.example:3128")

    assert proxy.user == f"{CANARY}@corp"
    assert proxy.password == f"{CANARY}/:é"
    assert CANARY not in repr(proxy) + str(proxy)
    assert pickle.loads(pickle.dumps(proxy)) == proxy


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("proxy.example:3128", "no scheme"),
        ("", "no scheme"),
        ("https://proxy.example:3128", "TLS"),
        ("socks4://proxy.example:1080", "another scheme"),
        ("http://proxy.example", "no port"),
        ("http://:3128", "no host"),
        ("http://proxy.example:0", "port"),
        ("http://proxy.example:65536", "not a URL"),
        ("http://pro xy.example:3128", "neither a name"),
        ("http://pröxy.example:3128", "not a URL"),
        ("http://[fd00::1:3128", "not a URL"),
        ("http://proxy.example:3128/path", "a path"),
        ("http://proxy.example:3128?query", "a path"),
        ("http://proxy.example:3128\r\n", "not a URL"),
        (f"http://{CANARY}:{CANARY}/@proxy.example:3128", "percent-encoded"),
        (f"http://{CANARY}:{CANARY}#@proxy.example:3128", "percent-encoded"),
        (f"http://{CANARY}:%FF{CANARY}@proxy.example:3128", "percent-encoded"),
        (f"http://{CANARY}%0A:{CANARY}@proxy.example:3128", "control characters"),
        (f"http://{CANARY}%3A:{CANARY}@proxy.example:3128", "a colon"),
        (f"http://:{CANARY}@proxy.example:3128", "1 to 255"),
        (f"socks5://{CANARY}:@proxy.example:3128", "1 to 255"),
        (f"socks5://{CANARY}:{256 * 'x'}@proxy.example:3128", "1 to 255"),
        (b"http://proxy.example:3128", "not a URL"),
        (None, "not a URL"),
    ],
)
def test_what_cannot_be_used_is_refused(url: object, fault: str) -> None:
    """It is said what is wrong, and nothing of the URL is repeated."""
    with pytest.raises(ConfigurationError, match=fault) as caught:
        Proxy.parse(url)  # type: ignore[arg-type]  # also what is no string

    assert caught.value.setting == "proxy"
    assert "http://proxy.example:3128" in caught.value.hint
    assert CANARY not in str(caught.value)


@given(st.text(), st.sampled_from(["http://", "socks5://u:p@", "http://[", ""]))
def test_any_text_is_a_proxy_or_refused(text: str, before: str) -> None:
    """Nothing else comes of it."""
    try:
        proxy = Proxy.parse(before + text)
    except ConfigurationError:
        return

    assert Proxy.parse(str(proxy)).port == proxy.port


def test_a_proxy_in_python_is_checked_as_well() -> None:
    """Whoever makes one by hand gets the same errors."""
    for arguments in (
        {"scheme": "https"},
        {"host": "a b"},
        {"host": 7},
        {"port": "3128"},
        {"user": 7},
        {"user": "\ud800"},
        {"password": "without a user"},
    ):
        with pytest.raises(ConfigurationError):
            Proxy(**{"scheme": "http", "host": "p", "port": 3128, **arguments})  # type: ignore[arg-type]  # idem


@pytest.mark.parametrize(
    ("url", "line", "user", "password"),
    [
        ("http://u@p:1", "pass:word", "u", "pass:word"),
        ("http://p:1", "u:pass:word\nmore", "u", "pass:word"),
        ("socks5://p:1", "ü:ö", "ü", "ö"),
    ],
)
def test_a_password_in_a_file(
    tmp_path: Path, url: str, line: str, user: str, password: str
) -> None:
    """Its first line, with the user unless the URL has one."""
    file = tmp_path / "password"
    file.write_text(line, encoding="utf-8")
    proxy = Proxy.load(Proxy.parse(url), file)

    assert proxy is not None
    assert (proxy.user, proxy.password) == (user, password)


def test_without_a_file_a_proxy_is_as_it_was() -> None:
    """There may be no proxy at all."""
    proxy = Proxy.parse("http://u:p@p:1")

    assert Proxy.load(None, None) is None
    assert Proxy.load(proxy, None) is proxy


@pytest.mark.parametrize(
    ("url", "line"),
    [
        (None, b"u:p"),
        ("http://u:p@p:1", b"p"),
        ("http://p:1", CANARY.encode()),
        ("http://p:1", CANARY.encode() + b"\xff:p"),
        ("http://p:1", b":" + CANARY.encode()),
        ("http://u@p:1", CANARY.encode() + b"\x00"),
        ("http://u@p:1", b""),
        ("http://u@p:1", None),
    ],
)
def test_what_does_not_fit_together_is_refused(
    tmp_path: Path, url: str | None, line: bytes | None
) -> None:
    """A file without a proxy, two passwords, a user without one, a line that is none."""
    file = tmp_path / "password"
    file.write_bytes(line or b"")
    proxy = None if url is None else Proxy.parse(url)
    with pytest.raises(ConfigurationError) as caught:
        Proxy.load(proxy, None if line is None else file)

    assert CANARY not in str(caught.value)


def test_authority() -> None:
    """As in a URL."""
    assert authority("dps.example", 443) == "dps.example:443"
    assert authority("fd00::1", 443) == "[fd00::1]:443"
