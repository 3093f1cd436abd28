"""What a browser sends when a form is submitted."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.emulator.admin.page.visitor import multipart
from tests.emulator.admin.visits import request_of

from aiodps.emulator.admin.forms import Form, read_form

pytestmark = pytest.mark.anyio
MULTIPART = "multipart/form-data; boundary=----boundary"
BOUNDARY = b"----boundary"


async def sent(kind: str, body: bytes) -> Form:
    """Read a form of this media type."""
    return await read_form(request_of("POST", "/", {"content-type": kind}, body))


async def test_plain() -> None:
    """Fields of a form without files; what is missing is empty."""
    form = await sent("application/x-www-form-urlencoded", b"id=+lamp+%C3%A4+&enabled=yes&ca=")

    assert (form.text("id"), form.text("ca"), form.text("other")) == ("lamp ä", "", "")
    assert form.checked("enabled")
    assert not form.checked("ca")
    assert form.file("primary") == b""


@given(name=st.text("abc _-.:äß", max_size=20), content=st.binary(max_size=200))
@pytest.mark.slow
async def test_files_arrive_byte_by_byte(name: str, content: bytes) -> None:
    """DER has bytes of every kind."""
    assume(BOUNDARY not in content)
    form = await sent(MULTIPART, multipart({"name": name}, {"certificate": content}))

    assert form.text("name") == name.strip()
    assert form.file("certificate") == content


@given(st.binary(max_size=300))
async def test_any_bytes_are_a_form(body: bytes) -> None:
    """What cannot be read is a form without fields."""
    for kind in (MULTIPART, "multipart/form-data", "application/x-www-form-urlencoded", "", "ü"):
        assert isinstance(await sent(kind, body), Form)
