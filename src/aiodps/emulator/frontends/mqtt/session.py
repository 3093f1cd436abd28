"""The MQTT frontend: one session for each connection.

As seen on the wire, clients need an acknowledgement for everything, the PUBACK before the
response, and responses even without a subscription on this connection, because `azure-iot-device`
repeats its request after a reconnect without subscribing first.
"""

from __future__ import annotations

from typing import Final

import anyio.lowlevel

from aiodps.emulator.connections.deliver import deliver
from aiodps.emulator.connections.delivery import Delivery
from aiodps.emulator.connections.stream import Stream
from aiodps.emulator.connections.timeouts import RESPONSE_SECONDS
from aiodps.emulator.dispatch.dispatcher import Dispatcher
from aiodps.emulator.faults.effects import Point
from aiodps.emulator.frontends.mqtt.codec import (
    FAILURE,
    PINGRESP,
    Connect,
    ConnectCode,
    Decoder,
    Disconnect,
    OtherProtocol,
    Packet,
    PingReq,
    ProtocolViolation,
    PubAck,
    Publish,
    Subscribe,
    Unsubscribe,
    connack,
    oversized,
    puback,
    suback,
    unsuback,
)
from aiodps.emulator.frontends.mqtt.responses import ResponseWriter
from aiodps.emulator.frontends.mqtt.topics import (
    RESPONSE_FILTER,
    TopicRequest,
    UserName,
    connect_deviations,
    read_topic,
    read_user_name,
    topic_deviations,
)
from aiodps.emulator.protocol.messages import Identity, Request, Transport
from aiodps.emulator.protocol.strict_rules import StrictRule

CONNECT_SECONDS: Final = 30.0
"""Seconds until the CONNECT of a client."""
KEEP_ALIVE_FACTOR: Final = 1.5
"""MQTT 3.1.1, 3.1.2-24: the server ends a connection silent for that many keep-alives."""
LONGEST_SILENCE: Final = 1770.0
"""Seconds without a packet for clients without a keep-alive.

Microsoft Learn, "Communicate with an IoT hub using MQTT": the load balancer's 29.5 minutes.
"""


class MqttFrontend:
    """Serves MQTT connections."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    async def serve(self, stream: Stream, *, transport: str = "mqtt") -> None:
        """Serve one connection.

        Args:
            stream: The connection.
            transport: Its name in the request log and in fault rules.
        """
        try:
            await self._serve(_PacketStream(stream), transport)
        except ProtocolViolation as exc:
            self._dispatcher.reject(
                400, str(exc), what="closed", transport=transport, certificates=stream.certificates
            )

    async def _serve(self, packets: _PacketStream, transport: str) -> None:
        packet = await packets.next_packet(within=CONNECT_SECONDS)
        if packet is None:
            return

        try:
            connect = _expect_connect(packet)
            user = _check_names(connect)
        except _RefusedError as exc:
            await packets.stream.send(connack(exc.code))
            self._dispatcher.reject(
                401,
                str(exc),
                what="CONNECT",
                transport=transport,
                certificates=packets.stream.certificates,
            )
            await packets.stream.linger()
            return

        if not await self._accept(user, packets, transport):
            return

        client = f"{user.id_scope}/{user.registration_id}".lower()
        with self._dispatcher.session(client, end=packets.stream.peer_timeout.end):
            await _Session(packets, connect, user, self._dispatcher, transport).run()

    async def _accept(self, user: UserName, packets: _PacketStream, transport: str) -> bool:
        """Accept a CONNECT; False if a fault refuses it."""
        delivery = self._dispatcher.fault_for(
            Point.CONNECT,
            registration_id=user.registration_id,
            transport=transport,
            certificates=packets.stream.certificates,
        )
        code = None if delivery is None else delivery.connack
        await _send(packets.stream, connack(code or ConnectCode.ACCEPTED), delivery)
        if code is None:
            return True

        await packets.stream.linger()
        return False


class _PacketStream:
    """Packets over a stream."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self._decoder = Decoder()

    async def next_packet(self, *, within: float) -> Packet | None:
        """Wait for the next packet; None if the client has ended the connection."""
        self.stream.peer_timeout.start(silence=within, total=within)
        packet = self._decoder.next_packet()
        if packet is not None:
            # A peer that sends many packets at once must not keep the others waiting.
            await anyio.lowlevel.checkpoint()

        while packet is None:
            data = await self.stream.receive()
            if not data:
                return None

            self._decoder.feed(data)
            packet = self._decoder.next_packet()

        return packet


class _Session:
    """The session after an accepted CONNECT."""

    def __init__(
        self,
        packets: _PacketStream,
        connect: Connect,
        user: UserName,
        dispatcher: Dispatcher,
        transport: str,
    ) -> None:
        self._packets = packets
        self._user = user
        self._dispatcher = dispatcher
        self._transport = transport
        self._silence = connect.keep_alive * KEEP_ALIVE_FACTOR or LONGEST_SILENCE
        password = (connect.password or b"").decode(errors="replace")
        self._identity = Identity(packets.stream.certificates, password or None)
        self._responses = ResponseWriter()
        self._connect = connect
        self._is_subscribed = False

    async def run(self) -> None:
        """Handle packets until the client disconnects."""
        while True:
            packet = await self._packets.next_packet(within=self._silence)
            match packet:
                case None | Disconnect():
                    return
                case Publish():
                    await self._published(packet)
                case Subscribe():
                    await self._subscribed(packet)
                case Unsubscribe():
                    self._responses.qos = 1
                    await self._packets.stream.send(unsuback(packet.packet_id))
                case PingReq():
                    await self._packets.stream.send(PINGRESP)
                case PubAck():
                    pass
                case Connect() | OtherProtocol():  # 3.1.0-2
                    raise ProtocolViolation("a second CONNECT")

    async def _subscribed(self, packet: Subscribe) -> None:
        """Grant the one filter that is allowed; the service never grants more than QoS 1."""
        codes = tuple(
            min(qos, 1) if name == RESPONSE_FILTER else FAILURE for name, qos in packet.filters
        )
        granted = [code for code in codes if code != FAILURE]
        if granted:
            self._responses.qos = granted[-1]
            self._is_subscribed = True

        delivery = self._dispatcher.fault_for(
            Point.SUBSCRIBE,
            registration_id=self._user.registration_id,
            transport=self._transport,
            certificates=self._packets.stream.certificates,
        )
        if delivery is not None and delivery.suback is not None:
            codes = (delivery.suback,) * len(codes)

        await _send(self._packets.stream, suback(packet.packet_id, codes), delivery)

    async def _published(self, packet: Publish) -> None:
        """Hand a request to the service; send the acknowledgement, then the response."""
        asked = read_topic(packet.topic)
        self._packets.stream.peer_timeout.ensure(RESPONSE_SECONDS)
        response = self._dispatcher.handle_device(
            Request(
                operation=asked.operation,
                id_scope=self._user.id_scope,
                registration_id=self._user.registration_id,
                api_version=self._user.api_version,
                operation_id=asked.operation_id,
                body=packet.payload,
                transport=Transport.MQTT,
                deviations=lambda: self._deviations(packet, asked),
            ),
            identity=self._identity,
            transport=self._transport,
        )
        ack = b"" if packet.packet_id is None else puback(packet.packet_id)
        await self._responses.send(self._packets.stream, response, asked.rid, ack=ack)

    def _deviations(self, packet: Publish, asked: TopicRequest) -> tuple[StrictRule, ...]:
        """Return the strict rules that a request breaks, with those of its session."""
        return (
            *connect_deviations(self._connect, self._user),
            *(() if self._is_subscribed else (StrictRule.NOT_SUBSCRIBED,)),
            *topic_deviations(packet.topic, asked),
        )


async def _send(stream: Stream, answer: bytes, delivery: Delivery | None) -> None:
    """Send a CONNACK or SUBACK, with the fault if there is one."""
    if delivery is None:
        await stream.send(answer)
    else:
        answer = oversized(answer, delivery.oversize)
        await deliver(stream, answer * (1 + delivery.duplicate), delivery)


class _RefusedError(Exception):
    """A CONNECT that is refused."""

    def __init__(self, code: ConnectCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def _expect_connect(packet: Packet) -> Connect:
    match packet:
        case Connect():
            return packet
        case OtherProtocol(level):
            raise _RefusedError(
                ConnectCode.WRONG_PROTOCOL_LEVEL,
                f"MQTT of level {level}; DPS speaks 3.1.1, which is level 4",
            )
        case _:  # 3.1.0-1
            raise ProtocolViolation("a packet before CONNECT")


def _check_names(connect: Connect) -> UserName:
    """Check user name and client id; credentials are verified when the device registers.

    That a client id other than the registration id is refused with code 5 was seen on the wire.
    """
    if not connect.client_id:
        raise _RefusedError(ConnectCode.CLIENT_ID_REJECTED, "the client id is empty")

    user = read_user_name(connect.user_name or "")
    if user is None:
        raise _RefusedError(
            ConnectCode.BAD_USER_NAME,
            "the user name is not {idScope}/registrations/{registrationId}/api-version={v}",
        )

    if user.registration_id.lower() != connect.client_id.lower():
        raise _RefusedError(ConnectCode.NOT_AUTHORIZED, "the client id is not the registration id")

    return user
