"""Provisions one device with paho, as Microsoft's articles do without any SDK.

    python paho_device.py tcp|websocket QOS

What it needs is in the variables DPS_*; it prints one line of JSON.
"""

from __future__ import annotations

import json
import os
import queue
import sys

from articles import (  # type: ignore[import-not-found]  # beside this file
    ANSWERS,
    password,
    provision,
    user_name,
)
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

PATIENCE = 20.0


class Session:
    """A connection, with what happens on it as a queue."""

    def __init__(self, *, websocket: bool, qos: int) -> None:
        self._qos = qos
        self._events: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self.client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=os.environ["DPS_REGISTRATION_ID"],
            protocol=paho.MQTTv311,
            transport="websockets" if websocket else "tcp",
            reconnect_on_failure=False,
        )
        self.client.ws_set_options("/$iothub/websocket")
        self.client.username_pw_set(user_name(), password())
        ca, certificate, key = (
            os.environ.get(f"DPS_{name}_FILE") for name in ("CA", "CERTIFICATE", "KEY")
        )
        self.client.tls_set(ca, certificate, key)
        put = self._events.put
        self.client.on_connect = lambda _c, _d, _f, reason, _p: put((f"CONNACK {reason}", b""))
        self.client.on_subscribe = lambda *_: put(("SUBACK", b""))
        self.client.on_message = lambda _c, _d, it: put((it.topic, bytes(it.payload)))
        self.client.on_disconnect = lambda _c, _d, _f, reason, _p: put((f"Lost: {reason}", b""))

    def expect(self, start: str) -> tuple[str, bytes]:
        """Wait for what must come next."""
        name, payload = self._events.get(timeout=PATIENCE)
        if not name.startswith(start):
            raise ConnectionError(name)

        return name, payload

    def ask(self, topic: str, payload: bytes) -> tuple[str, bytes]:
        """Publish, and wait for the answer."""
        self.client.publish(topic, payload, qos=self._qos)
        return self.expect(ANSWERS.rstrip("#"))


def main() -> None:
    """Print what came of it."""
    websocket = sys.argv[1] == "websocket"
    session = Session(websocket=websocket, qos=int(sys.argv[2]))
    port = os.environ["DPS_HTTPS_PORT" if websocket else "DPS_MQTT_PORT"]
    session.client.connect(os.environ["DPS_HOST"], int(port))
    session.client.loop_start()
    try:
        session.expect("CONNACK Success")
        session.client.subscribe(ANSWERS, 1)
        session.expect("SUBACK")
        answer = provision(session.ask)
    except ConnectionError as error:
        answer = {"error": [str(error)]}

    session.client.disconnect()
    session.client.loop_stop()
    print(json.dumps(answer))  # noqa: T201 (its answer)


if __name__ == "__main__":
    main()
