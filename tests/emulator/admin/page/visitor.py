"""Somebody who looks at the page and presses its buttons, without a browser."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncGenerator, Mapping
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match
from tests.emulator.admin.visits import request_of
from tests.emulator.instance import instance

from aiodps.emulator.admin.page.page import Page
from aiodps.emulator.admin.page.recent_requests import RecentRequests
from aiodps.emulator.admin.responses import EventStream
from aiodps.emulator.request_log.log import RequestLog
from aiodps.emulator.service.service import Service

CONNECTION_STRING = "HostName=localhost;SharedAccessKeyName=owner;SharedAccessKey=c2VjcmV0"
_BOUNDARY = "----boundary"


class Visitor:
    """One visitor of the page of one instance."""

    def __init__(self, service: Service | None = None) -> None:
        self.service = instance() if service is None else service
        self.recent = RecentRequests()
        self.saved = 0
        self.request_log = RequestLog()
        self._routes = Page(
            service=self.service,
            recent=self.recent,
            request_log=self.request_log,
            facts={
                "host": "127.0.0.1",
                "https_port": 8443,
                "mqtt_port": 8883,
                "id_scope": self.service.id_scope,
                "hub": "hub.azure-devices.net",
                "connection_string": CONNECTION_STRING,
            },
            ca_pem=b"-----BEGIN CERTIFICATE-----",
            save=self._save,
        ).routes()

    async def get(self, path: str) -> str:
        """Open a page that is there; return its text."""
        answer = await self.ask("GET", path)
        assert answer.status_code == 200, text_of(answer)
        return text_of(answer)

    async def post(
        self,
        path: str,
        fields: Mapping[str, str] | None = None,
        files: Mapping[str, bytes] | None = None,
    ) -> str:
        """Submit a form that is taken; return the page that comes next."""
        answer = await self.submit(path, fields, files)
        assert answer.status_code == 303, text_of(answer)
        return await self.get(answer.headers["Location"])

    async def refused(
        self,
        path: str,
        fields: Mapping[str, str] | None = None,
        files: Mapping[str, bytes] | None = None,
    ) -> str:
        """Submit a form that is not taken; return the page that says why."""
        answer = await self.submit(path, fields, files)
        assert answer.status_code == 400
        return text_of(answer)

    async def submit(
        self,
        path: str,
        fields: Mapping[str, str] | None = None,
        files: Mapping[str, bytes] | None = None,
    ) -> Response:
        """Submit a form; with files it goes as browsers send files."""
        if files is None:
            kind, body = "application/x-www-form-urlencoded", urlencode(fields or {}).encode()
        else:
            kind = f"multipart/form-data; boundary={_BOUNDARY}"
            body = multipart(fields or {}, files)

        return await self.ask("POST", path, kind, body)

    async def follow(self, path: str) -> AsyncGenerator[bytes, None]:
        """Open what a live page listens to."""
        answer = await self.ask("GET", path)
        assert isinstance(answer, EventStream)
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        return answer.body_iterator

    async def ask(self, method: str, path: str, kind: str = "", body: bytes = b"") -> Response:
        """Make any request."""
        request = request_of(method, path, {"content-type": kind}, body)
        for route in self._routes:
            match, found = route.matches(request.scope)
            if match is Match.FULL:
                response = await route.endpoint(
                    Request({**request.scope, **found}, request.receive)
                )
                assert isinstance(response, Response)
                return response

        raise AssertionError(f"nothing takes {method} {path}")

    def _save(self) -> None:
        self.saved += 1


def multipart(fields: Mapping[str, str], files: Mapping[str, bytes]) -> bytes:
    """Write a form as browsers do when it has files; an empty file is none that was chosen."""
    parts = [
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    for name, content in files.items():
        head = f'Content-Disposition: form-data; name="{name}"; filename="file.pem"\r\n'
        kind = "Content-Type: application/octet-stream\r\n\r\n"
        parts.append(f"--{_BOUNDARY}\r\n{head}{kind}".encode() + content + b"\r\n")

    return b"".join((*parts, f"--{_BOUNDARY}--\r\n".encode()))


def text_of(answer: Response) -> str:
    """Return what people read: without tags, in single spaces."""
    words = re.sub(r"<[^>]*>", " ", bytes(answer.body).decode())
    return " ".join(html.unescape(words).split())
