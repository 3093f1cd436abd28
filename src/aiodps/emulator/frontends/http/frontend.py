"""The HTTPS frontend: the device API, the management APIs, and MQTT over WebSocket."""

from __future__ import annotations

import random
from http import HTTPStatus
from typing import assert_never

from aiodps.emulator.connections.stream import Stream
from aiodps.emulator.dispatch.dispatcher import Dispatcher
from aiodps.emulator.frontends.http.connection import HttpConnection
from aiodps.emulator.frontends.http.requests import HttpRequest, RefusedError
from aiodps.emulator.frontends.http.routes import WrongMethodError, route
from aiodps.emulator.frontends.http.websocket import Handshake, asks_for_websocket
from aiodps.emulator.frontends.mqtt.session import MqttFrontend
from aiodps.emulator.protocol.formats import guid
from aiodps.emulator.protocol.messages import (
    Identity,
    ManagementRequest,
    Operation,
    Request,
    Response,
)

_RNG = random.Random()  # noqa: S311 (ids are not secret, and the system's randomness is slow)
WEBSOCKET = "mqtt-ws"
"""MQTT over WebSocket in the request log."""


class HttpFrontend:
    """Serves HTTPS connections."""

    def __init__(self, dispatcher: Dispatcher, mqtt: MqttFrontend) -> None:
        self._dispatcher = dispatcher
        self._mqtt = mqtt

    async def serve(self, stream: Stream) -> None:
        """Serve one connection: any number of requests, one after the other."""
        http = HttpConnection(stream)
        try:
            while (request := await http.next_request()) is not None:
                if asks_for_websocket(request):
                    await self._speak_websocket(http, request, stream)
                    return

                await self._respond(http, request, stream)
        except RefusedError as exc:
            await self._refuse(http, exc, "unreadable request", stream, {"Connection": "close"})
            await stream.linger()
        finally:
            http.close()

    async def _speak_websocket(
        self, http: HttpConnection, request: HttpRequest, stream: Stream
    ) -> None:
        """Switch to MQTT over WebSocket, until the end of the connection."""
        websocket = await Handshake(request).accept(stream, http.unread)
        await self._mqtt.serve(websocket, transport=WEBSOCKET)
        await websocket.linger()

    async def _respond(self, http: HttpConnection, request: HttpRequest, stream: Stream) -> None:
        try:
            asked = route(request)
        except RefusedError as exc:
            allow = {"Allow": exc.allowed} if isinstance(exc, WrongMethodError) else {}
            await self._refuse(http, exc, f"{request.method} {request.target}", stream, allow)
            return

        match asked:
            case Request():
                identity = Identity(stream.certificates, request.headers.get("authorization"))
                response = self._dispatcher.handle_device(
                    asked, identity=identity, transport="https"
                )
                headers = _headers(response) | _location(asked, request, response)
                await http.respond(response.status_code, response.body, headers, response.delivery)
            case ManagementRequest():
                answer = self._dispatcher.handle_management(asked)
                headers = {"x-ms-request-id": guid(_RNG), **answer.headers}
                await http.respond(answer.status_code, answer.body, headers, answer.delivery)
            case _:
                assert_never(asked)

    async def _refuse(
        self,
        http: HttpConnection,
        error: RefusedError,
        what: str,
        stream: Stream,
        headers: dict[str, str],
    ) -> None:
        response = self._dispatcher.reject(
            error.status_code,
            str(error),
            what=what[:80],
            transport="https",
            certificates=stream.certificates,
        )
        await http.respond(response.status_code, response.body, _headers(response) | headers)


def _headers(response: Response) -> dict[str, str]:
    """Return the headers that the service sends; the request id is an error's tracking id.

    `x-ms-error-code` is in the specification, but in no recording.
    """
    headers = {"x-ms-request-id": str(response.body.get("trackingId") or guid(_RNG))}
    if response.status_code >= HTTPStatus.BAD_REQUEST and "errorCode" in response.body:
        headers["x-ms-error-code"] = str(response.body["errorCode"])

    if response.wait is not None:
        headers["Retry-After"] = response.wait

    return headers


def _location(asked: Request, request: HttpRequest, response: Response) -> dict[str, str]:
    """Return `Location` as the service does: the address of the register request."""
    if response.status_code != HTTPStatus.ACCEPTED or asked.operation is not Operation.REGISTER:
        return {}

    host = request.headers.get("host", "").encode("ascii", "ignore").decode()
    return {"Location": f"https://{host}{request.target.partition('?')[0]}"}
