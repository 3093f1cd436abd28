"""Provisions one device with libmosquitto, as Microsoft's articles do without any SDK.

    python mosquitto_device.py

What it needs is in the variables DPS_*; it prints one line of JSON.
"""

from __future__ import annotations

import ctypes as c
import json
import os
import time
from collections.abc import Callable
from typing import Any, TypeVar

from articles import (  # type: ignore[import-not-found]  # beside this file
    ANSWERS,
    password,
    provision,
    user_name,
)

PATIENCE = 20.0
_T = TypeVar("_T")


class Message(c.Structure):
    """`struct mosquitto_message`."""

    _fields_ = (
        ("mid", c.c_int),
        ("topic", c.c_char_p),
        ("payload", c.c_void_p),
        ("payloadlen", c.c_int),
        ("qos", c.c_int),
        ("retain", c.c_bool),
    )


ON_CONNECT = c.CFUNCTYPE(None, c.c_void_p, c.c_void_p, c.c_int)
ON_SUBSCRIBE = c.CFUNCTYPE(None, c.c_void_p, c.c_void_p, c.c_int, c.c_int, c.POINTER(c.c_int))
ON_MESSAGE = c.CFUNCTYPE(None, c.c_void_p, c.c_void_p, c.POINTER(Message))
LIBRARY = c.CDLL("libmosquitto.so.1")
LIBRARY.mosquitto_new.restype = c.c_void_p
LIBRARY.mosquitto_strerror.restype = c.c_char_p
LIBRARY.mosquitto_connack_string.restype = c.c_char_p


class Mosquitto:
    """One client of the library, driven by hand."""

    def __init__(self) -> None:
        self.reasons: list[int] = []
        self.granted: list[int] = []
        self.messages: list[tuple[str, bytes]] = []
        LIBRARY.mosquitto_lib_init()
        device = os.environ["DPS_REGISTRATION_ID"].encode()
        self._handle = c.c_void_p(LIBRARY.mosquitto_new(device, c.c_bool(True), None))
        self._callbacks = (
            ON_CONNECT(lambda _h, _d, reason: self.reasons.append(reason)),
            ON_SUBSCRIBE(lambda _h, _d, _mid, _count, qos: self.granted.append(qos[0])),
            ON_MESSAGE(self._message),
        )
        names = ("connect", "subscribe", "message")
        for name, callback in zip(names, self._callbacks, strict=True):
            getattr(LIBRARY, f"mosquitto_{name}_callback_set")(self._handle, callback)

    def _message(self, _handle: Any, _data: Any, message: Any) -> None:
        it = message.contents
        self.messages.append((it.topic.decode(), c.string_at(it.payload, it.payloadlen)))

    def call(self, name: str, *arguments: Any) -> None:
        """Call a function of the library."""
        self._check(getattr(LIBRARY, f"mosquitto_{name}")(self._handle, *arguments))

    def publish(self, topic: str, payload: bytes) -> None:
        """Publish at QoS 1."""
        self.call("publish", None, topic.encode(), len(payload), payload, 1, c.c_bool(False))

    def wait(self, found: Callable[[], _T]) -> _T:
        """Work until something is there."""
        ends = time.monotonic() + PATIENCE
        while not (value := found()):
            if time.monotonic() > ends:
                raise ConnectionError("no answer")

            self.call("loop", 100, 1)

        return value

    @staticmethod
    def _check(code: int) -> None:
        if code:
            raise ConnectionError(LIBRARY.mosquitto_strerror(code).decode())


def connect() -> Mosquitto:
    """Connect and subscribe."""
    names = ("DPS_CA_FILE", "DPS_CERTIFICATE_FILE", "DPS_KEY_FILE")
    ca, certificate, key = (os.environ.get(name, "").encode() or None for name in names)
    client = Mosquitto()
    client.call("tls_set", ca, None, certificate, key, None)
    client.call("username_pw_set", user_name().encode(), (password() or "").encode() or None)
    client.call("connect", os.environ["DPS_HOST"].encode(), int(os.environ["DPS_MQTT_PORT"]), 60)
    try:
        client.wait(lambda: client.reasons)
    except ConnectionError:
        if not client.reasons:
            raise

    if client.reasons != [0]:
        reason = LIBRARY.mosquitto_connack_string(client.reasons[0]).decode()
        raise ConnectionError(f"CONNACK: {reason}")

    client.call("subscribe", None, ANSWERS.encode(), 1)
    client.wait(lambda: client.granted)
    return client


def main() -> None:
    """Print what came of it."""
    try:
        client = connect()

        def ask(topic: str, payload: bytes) -> tuple[str, bytes]:
            client.publish(topic, payload)
            client.wait(lambda: client.messages)
            return client.messages.pop()

        answer = provision(ask)
        client.call("disconnect")
    except ConnectionError as error:
        answer = {"error": [str(error)]}

    print(json.dumps(answer))  # noqa: T201 (its answer)


if __name__ == "__main__":
    main()
