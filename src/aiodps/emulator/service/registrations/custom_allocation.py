"""Custom allocation: the request to a webhook, and the meaning of its response.

No webhook is called here; `webhook_client` does that. Source of
the shapes: Microsoft Learn, "Understand custom allocation policies with DPS". Its table and its
samples do not write all names in the same casing, so casing does not count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

from aiodps.emulator.protocol.errors import ErrorCode, Refusal
from aiodps.emulator.protocol.json_input import read_object
from aiodps.emulator.service.registrations.hub_devices import AssignmentTerms, HubDevice, Twin

MAX_RESPONSE: Final = 96 * 1024
"""Bytes of a webhook's response; as many as a device may send."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookCall:
    """A request to a webhook, to be sent by the caller of `take_calls`."""

    registration_id: str
    """The device whose registration waits for the response."""
    url: str = field(repr=False)
    """Never in a repr: Azure Functions have their key in it."""
    request: Mapping[str, Any] = field(repr=False)
    """`AllocationRequest`, a JSON object."""
    terms: AssignmentTerms
    """Terms of the assignment once the webhook has chosen."""

    @property
    def hubs(self) -> Sequence[str]:
        """Host names of the hubs that the webhook may choose from."""
        hubs: Sequence[str] = self.request["linkedHubs"]
        return hubs

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read a call from a store, where `asdict` has written it."""
        return cls(**{**document, "terms": AssignmentTerms(**document["terms"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookReply:
    """The result of a webhook call."""

    status_code: int | None = None
    """HTTP status; None if there was no response."""
    body: bytes = field(default=b"", repr=False)
    error: str | None = None
    """Why there was no response; None if there was one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The hub that a webhook has chosen, with what it says about the device."""

    hub: str
    """One of the hubs it may choose from, in their spelling."""
    initial_twin: Twin | None = field(default=None, repr=False)
    """In place of the enrollment's, where a twin is reset; None if it gave none."""
    payload: Mapping[str, Any] | None = field(default=None, repr=False)
    """For the device; None if there is none."""


def allocation_request(
    enrollment: Mapping[str, Any],
    *,
    registration_id: str,
    before: HubDevice | None,
    proof: Mapping[str, Any],
    payload: Mapping[str, Any] | None,
    hubs: Sequence[str],
) -> dict[str, Any]:
    """Write an `AllocationRequest`.

    Args:
        enrollment: As the service API shows it, without keys.
        registration_id: Of the device, as it writes it.
        before: The current assignment; None if there is none.
        proof: `x509` or `symmetricKey`, with what is public of it.
        payload: Of the register request; None if it has none.
        hubs: Host names of the hubs that the enrollment may use.
    """
    kind = "enrollmentGroup" if "enrollmentGroupId" in enrollment else "individualEnrollment"
    context: dict[str, Any] = {"registrationId": registration_id}
    if before is not None:
        context |= {"currentIotHubHostName": before.hub, "currentDeviceId": before.device_id}

    context |= proof
    if payload is not None:
        context["payload"] = payload

    return {kind: enrollment, "deviceRuntimeContext": context, "linkedHubs": list(hubs)}


def read_choice(call: WebhookCall, reply: WebhookReply) -> Choice:
    """Read the response of a webhook.

    Raises:
        Refusal: 400, if it chose no hub; its code goes to the device.
    """
    if reply.status_code is None:
        raise _failed(f": {reply.error or 'no response'}")

    if not 200 <= reply.status_code < 300:  # noqa: PLR2004 (HTTP's successes)
        raise _failed(f" with status code: {reply.status_code}")

    members = _members(reply.body)
    wanted = members.get("iothubhostname")
    hub = next((hub for hub in call.hubs if hub.lower() == str(wanted).lower()), None)
    if hub is None:
        raise _failed(": the webhook's iotHubHostName is not a linked hub")

    return Choice(
        hub=hub,
        initial_twin=_object(members, "initialTwin"),
        payload=_payload(members.get("payload")),
    )


def _payload(value: object) -> Mapping[str, Any] | None:
    """Return the payload for the device.

    One that is not an object is not delivered, and the device is assigned nevertheless (a user's
    report of Microsoft's own sample, which returns a string: azure-docs 51275).
    """
    return value if isinstance(value, dict) else None


def _members(body: bytes) -> Mapping[str, Any]:
    """Return the members of a response by their names in lower case."""
    if len(body) > MAX_RESPONSE:
        raise _failed(f": the webhook's response is larger than {MAX_RESPONSE} bytes")

    try:
        document = read_object(body)
    except ValueError as exc:
        raise _failed(": the webhook's response is not a JSON object") from exc

    return {name.lower(): value for name, value in document.items()}


def _object(members: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    value = members.get(name.lower())
    if value is None or isinstance(value, dict):
        return value

    raise _failed(f": the webhook's {name} is not a JSON object")


def _failed(what: str) -> Refusal:
    return Refusal(ErrorCode.CUSTOM_ALLOCATION, f"Custom allocation failed{what}")
