"""The packets of an aiomqtt session: its client writes and numbers them.

aiomqtt 2.5 connects in a pool of six threads, hangs until its timeout when the server closes
early, and leaks a socket and a task when it is cancelled. So it neither connects nor waits here:
its paho client reads and writes memory. A test pins the two private names that this depends on.
"""

from __future__ import annotations

import aiomqtt
from paho.mqtt import client as paho

from aiodps.errors import ProtocolError
from aiodps.protocol.mqtt_packets import puback_packet

_NOBODY = "dps"
"""Host name for paho, which requires one but does not connect."""
_UNUSED = (
    *("on_connect", "on_disconnect", "on_message", "on_publish", "on_subscribe", "on_unsubscribe"),
    *("on_socket_open", "on_socket_close"),
    *("on_socket_register_write", "on_socket_unregister_write"),
)
"""Callbacks of aiomqtt's coroutines; without the last two, paho writes immediately."""
_ACKNOWLEDGEMENTS = 8 * 4
"""Bytes of acknowledgements that paho reads at once: for each it creates objects of MQTT 5, which
takes longer than to write a message. Until then it keeps at most eight messages too many."""


class PahoWriter:
    """A `PacketWriter` that is the client of aiomqtt."""

    def __init__(
        self, *, client_id: str, user_name: str, password: str | None, keep_alive: int
    ) -> None:
        client = aiomqtt.Client(
            _NOBODY,
            identifier=client_id,
            username=user_name,
            password=password,
            protocol=aiomqtt.ProtocolVersion.V311,
            clean_session=True,
            keepalive=keep_alive,
            # A missing PUBACK must not block anything as long as responses arrive.
            max_inflight_messages=0,
        )
        self._keep_alive = keep_alive
        self._memory = memory = _Memory()
        self._paho = client._client  # noqa: SLF001 (it has no public name)
        # The only hook: paho calls this to connect.
        self._paho._create_socket = lambda: memory  # type: ignore[method-assign]  # noqa: SLF001
        self._paho.disable_logger()
        for name in _UNUSED:
            setattr(self._paho, name, None)

    def connect(self) -> bytes:
        """Return CONNECT."""
        self._paho.connect(_NOBODY, keepalive=self._keep_alive)
        return self._memory.taken()

    def subscribe(self, topic_filter: str) -> tuple[int, bytes]:
        """Return SUBSCRIBE."""
        _, packet_id = self._paho.subscribe(topic_filter, qos=1)
        assert packet_id is not None  # noqa: S101 (only without a connection)
        return packet_id, self._memory.taken()

    def publish(self, topic: str, payload: bytes) -> tuple[int, bytes]:
        """Return PUBLISH."""
        packet_id = self._paho.publish(topic, payload, qos=1).mid
        return packet_id, self._memory.taken()

    def acknowledged(self, packet_id: int) -> None:
        """Let paho forget a message, with others that were acknowledged before it.

        Raises:
            ProtocolError: If paho does not accept the acknowledgements.
        """
        self._memory.inbound += puback_packet(packet_id)
        if len(self._memory.inbound) >= _ACKNOWLEDGEMENTS:
            self._read()

    def _read(self) -> None:
        try:
            code = self._paho.loop_read()
        except Exception as exc:
            raise _not_accepted() from exc

        if code != paho.MQTT_ERR_SUCCESS:
            raise _not_accepted()


def _not_accepted() -> ProtocolError:
    return ProtocolError("the MQTT library could not process a packet", reason="packet")


class _Memory:
    """What paho uses as its socket."""

    def __init__(self) -> None:
        self.inbound = b""
        """What paho has not yet read."""
        self._outbound = b""

    def taken(self) -> bytes:
        """Return what paho has written since the last call."""
        written, self._outbound = self._outbound, b""
        return written

    def recv(self, size: int) -> bytes:
        """Return at most `size` bytes of the packet."""
        if not self.inbound:
            raise BlockingIOError

        chunk, self.inbound = self.inbound[:size], self.inbound[size:]
        return chunk

    def send(self, data: bytes | bytearray) -> int:
        """Accept everything."""
        self._outbound += data
        return len(data)

    def fileno(self) -> int:
        """Return -1: there is no descriptor."""
        return -1

    def setblocking(self, flag: bool) -> None:  # noqa: FBT001 (a socket's own signature)
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""
