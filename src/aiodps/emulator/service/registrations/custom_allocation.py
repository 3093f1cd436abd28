"""Custom allocation: what a webhook is asked, and how its answer is read.

The service decides what to ask and what an answer means; it never calls anybody itself. Source of
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

MAX_ANSWER: Final = 96 * 1024
"""Bytes of a webhook's answer; as many as a device may send."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookCall:
    """One question to a webhook."""

    registration_id: str
    """Whose registration waits for it."""
    url: str = field(repr=False)
    """Never in a repr: Azure Functions have their key in it."""
    request: Mapping[str, Any] = field(repr=False)
    """`AllocationRequest`, a JSON object."""
    terms: AssignmentTerms
    """What becomes of the answer."""

    @property
    def hubs(self) -> Sequence[str]:
        """Host names of the hubs that the webhook may choose from."""
        hubs: Sequence[str] = self.request["linkedHubs"]
        return hubs

    def to_json(self) -> dict[str, Any]:
        """Write it for a store."""
        return {
            "registration_id": self.registration_id,
            "url": self.url,
            "request": self.request,
            "terms": self.terms.to_json(),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read what `to_json` writes."""
        return cls(**{**document, "terms": AssignmentTerms.from_json(document["terms"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookReply:
    """What came of a call."""

    status_code: int | None = None
    """Of HTTP; None if there was no answer at all."""
    body: bytes = field(default=b"", repr=False)
    trouble: str | None = None
    """Why there was no answer; None if there was one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A webhook's answer, read."""

    hub: str
    """One of the hubs it may choose from, as it is spelt there."""
    initial_twin: Twin | None = field(default=None, repr=False)
    """Goes before the enrollment's, and before moving the twin along; None if it gave none."""
    payload: Mapping[str, Any] | None = field(default=None, repr=False)
    """For the device; None if there is nothing to say."""


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
        before: Where the device is at home; None if nowhere.
        proof: How it proved who it is: `x509` or `symmetricKey`, with what is public of it.
        payload: What the device has to say; None if nothing.
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
    """Read what a webhook answered.

    Raises:
        Refusal: 400, if it chose no hub; with the code that the device is told.
    """
    if reply.status_code is None:
        raise _failed(f": {reply.trouble or 'no answer'}")

    if not 200 <= reply.status_code < 300:  # noqa: PLR2004 (HTTP's successes)
        raise _failed(f" with status code: {reply.status_code}")

    members = _members(reply.body)
    wanted = members.get("iothubhostname")
    hub = next((hub for hub in call.hubs if hub.lower() == str(wanted).lower()), None)
    if hub is None:
        raise _failed(": the webhook's iotHubHostName is none of the linked hubs")

    return Choice(
        hub=hub,
        initial_twin=_object(members, "initialTwin"),
        payload=_object(members, "payload"),
    )


def _members(body: bytes) -> Mapping[str, Any]:
    """Return the members of an answer by their lower-case names."""
    if len(body) > MAX_ANSWER:
        raise _failed(f": the webhook's answer is larger than {MAX_ANSWER} bytes")

    try:
        document = read_object(body)
    except ValueError as exc:
        raise _failed(": the webhook's answer is no JSON object") from exc

    return {name.lower(): value for name, value in document.items()}


def _object(members: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    value = members.get(name.lower())
    if value is None or isinstance(value, dict):
        return value

    raise _failed(f": the webhook's {name} is no JSON object")


def _failed(what: str) -> Refusal:
    return Refusal(ErrorCode.CUSTOM_ALLOCATION, f"Custom allocation failed{what}")
