"""Reading of submitted forms, with or without files."""

from __future__ import annotations

import email.parser
import email.policy
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from urllib.parse import parse_qsl

from starlette.requests import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A submitted form."""

    fields: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Not in the repr: they may hold keys."""
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    def text(self, name: str) -> str:
        """Return the value of a field, stripped; "" if it is empty or absent."""
        return self.fields.get(name, "").strip()

    def checked(self, name: str) -> bool:
        """Whether a box was ticked."""
        return bool(self.text(name))

    def file(self, name: str) -> bytes:
        """Return an uploaded file; b"" if none was chosen."""
        return self.files.get(name, b"")


async def read_form(request: Request) -> Form:
    """Read a form as browsers encode it; anything else is an empty form."""
    kind = request.headers.get("content-type", "")
    if kind.startswith("multipart/form-data"):
        return _read_multipart(kind, await request.body())

    text = (await request.body()).decode("utf-8", "replace")
    return Form(fields=dict(parse_qsl(text, keep_blank_values=True)))


def _read_multipart(kind: str, body: bytes) -> Form:
    head = f"Content-Type: {kind}\r\n\r\n".encode("latin-1", "replace")
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
    fields: dict[str, str] = {}
    files: dict[str, bytes] = {}
    for part in message.iter_parts() if message.is_multipart() else ():
        _read_part(part, fields, files)

    return Form(fields=fields, files=files)


def _read_part(part: Message, fields: dict[str, str], files: dict[str, bytes]) -> None:
    name = part.get_param("name", header="content-disposition")
    content = part.get_payload(decode=True)
    if not isinstance(name, str) or not isinstance(content, bytes):
        return

    if part.get_param("filename", header="content-disposition") is None:
        fields[name] = content.decode("utf-8", "replace")
    else:
        files[name] = content
