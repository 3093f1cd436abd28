"""What to do about a refusal, by its cause in the request log, and about a failed registration.

The causes are those that the service writes for its operator; a step with `{id}`, `{scope}`,
`{new}` or `{enrollment}` is filled in by `next_steps`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final

from aiodps.emulator.admin.page.rendering import CERTIFICATES, HUBS
from aiodps.emulator.request_log.log import Exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class NextStep:
    """What to do next."""

    text: str
    lead: str = ""
    """What the command is for; "" if the text says it."""
    command: str = ""
    """For a shell, with names quoted; "" if there is none."""
    path: str = ""
    """Where on the page it is done; "" if nowhere."""
    label: str = ""
    """Of the link to it."""
    docs: str = ""
    """The page of the documentation that says more."""
    done: bool = False
    """Whether all is well, and the step is only what usually follows."""


ENROLLING: Final = "docs/emulator/enrollments.md"
"""The page about enrollments, certificates and hubs."""
_X509: Final = "docs/x509.md"
_KEYS: Final = "docs/symmetric-keys.md"
PROVE: Final = NextStep(
    text="Prove that you have the key of its CA, then let the device register again.",
    path=CERTIFICATES.path,
    label="Verify the CA certificate",
    docs=ENROLLING,
)
"""For a CA that is known and not verified."""
_OWN_KEY: Final = NextStep(
    text="The device signs with another key. Give it a key of the enrollment, "
    "or enroll the key that it has.",
    path="{enrollment}/edit",
    label="Edit the enrollment",
    docs=_KEYS,
)
_REFUSALS: Final[Mapping[str, NextStep]] = {
    "is uploaded, but not verified": PROVE,
    "top of the chain, is not uploaded": NextStep(
        text="Its chain ends in a CA that this instance does not know. "
        "Upload that CA certificate and verify it.",
        path=CERTIFICATES.path,
        label="Upload a CA certificate",
        docs=ENROLLING,
    ),
    "neither among them nor uploaded": NextStep(
        text="No enrollment matches: the CA that issued its certificate is not known. Let the "
        "device present all of its chain (the file that ends in _chain.pem), upload and verify "
        "the CA at the top, and add a group; or add an individual enrollment.",
        path="{new}",
        label="Add an individual enrollment",
        docs=_X509,
    ),
    "no group has a CA of its chain": NextStep(
        text="No enrollment matches. Add a group with a CA of its chain, "
        "or an individual enrollment with the device's own certificate.",
        path="{new}",
        label="Add an individual enrollment",
        docs=ENROLLING,
    ),
    "a CA that is enrolled is not a device": NextStep(
        text="It presented the certificate of a CA. Let it present a certificate of its own.",
        docs=_X509,
    ),
    "the device presented no certificate": NextStep(
        text="It presented neither a certificate nor a signature that matches. Give it the "
        "credential of its enrollment, and enroll it if it is not enrolled yet.",
        path="{enrollment}",
        label="Show or add the enrollment",
        docs=ENROLLING,
    ),
    "the CN is not the registration id": NextStep(
        text="The common name of its certificate must be the registration id. "
        "Register with that name, or issue a certificate for this one.",
        command="aiodps certs device {id} CA_NAME --out certs",
        docs=_X509,
    ),
    "another certificate is enrolled": NextStep(
        text="Its enrollment has another certificate. Enroll this one as the secondary, "
        "or let the device present the one that is enrolled.",
        path="{enrollment}/edit",
        label="Edit the enrollment",
        docs=_X509,
    ),
    "a certificate is not valid at this time": NextStep(
        text="A certificate of its chain has expired, or is not valid yet. "
        "Issue a new one, and check the clock of the device.",
        command="aiodps certs device {id} CA_NAME --out certs",
        docs=_X509,
    ),
    "by a key derived from that of a group": NextStep(
        text="No enrollment matches. Derive the device's key from that of its group, "
        "or add an individual enrollment with its key.",
        command="aiodps keys derive {id} --group-key-file GROUP.key --out {id}.key",
        path="{new}",
        label="Add an individual enrollment",
        docs=_KEYS,
    ),
    "is not by an enrolled key": _OWN_KEY,
    "the enrollment needs a signature": replace(
        _OWN_KEY,
        text="Its enrollment has a symmetric key, and it did not sign with one. "
        "Give it a key of the enrollment.",
        path="{enrollment}",
        label="Show the enrollment",
    ),
    "the signature expired": NextStep(
        text="Its signature has expired. Check the clock of the device.", docs=_KEYS
    ),
    "the signature is for": NextStep(
        text="It signed for another id scope or registration id. Both must be those it "
        "registers with.",
        docs=_KEYS,
    ),
    "another key of the device is remembered": NextStep(
        text="It registered with its other key within 30 minutes. Use that one, or wait.",
        docs="docs/emulator/strictness.md",
    ),
    "another endorsement key is enrolled": NextStep(
        text="Its TPM is not the enrolled one. Put the endorsement key into the enrollment.",
        command="aiodps keys endorsement",
        path="{enrollment}/edit",
        label="Edit the enrollment",
        docs="docs/tpm.md",
    ),
    "resend request using supplied key": NextStep(
        text="It was challenged, as every TPM is, and answers by itself.",
        docs="docs/tpm.md",
        done=True,
    ),
    "Enrollment not found": NextStep(
        text="No enrollment matches. Add an individual enrollment with the TPM's endorsement key.",
        command="aiodps keys endorsement",
        path="{new}",
        label="Add an individual enrollment",
        docs="docs/tpm.md",
    ),
    "ID scope not found": NextStep(
        text="It asked for another instance. The id scope of this one is {scope}.",
        docs="docs/troubleshooting.md",
    ),
    "api-version": NextStep(
        text="It must name an api-version that the service has.", docs="docs/protocol.md"
    ),
    "Invalid registration id": NextStep(
        text="A registration id has up to 128 letters, digits, and - . _ : and ends in a letter, "
        "a digit or a dash.",
        docs="docs/protocol.md",
    ),
}
"""What to do about a refusal, by a part of its message in the request log."""
_BY_STATUS: Final[Mapping[int, NextStep]] = {
    0: NextStep(text="The connection ended without a response; a device tries again by itself."),
    404: NextStep(text="It asked for what is not there. Let it register again."),
    429: NextStep(
        text="Too many requests: it waits as long as Retry-After says, and tries again.",
        docs="docs/emulator/strictness.md",
    ),
}
_OUTCOMES: Final[Mapping[int, NextStep]] = {
    401001: NextStep(
        text="No linked IoT hub can take it. Link a hub that its enrollment may use.",
        path=HUBS.path,
        label="Linked IoT hubs",
        docs=ENROLLING,
    ),
    400207: NextStep(
        text="The webhook gave no hub. Correct it, or choose another allocation policy.",
        path="{enrollment}/edit",
        label="Edit the enrollment",
        docs=ENROLLING,
    ),
}
"""What to do about a registration that failed, by its error code."""


def is_refused(exchange: Exchange) -> bool:
    """Whether a request was refused, or had no response."""
    return not 0 < exchange.status_code < HTTPStatus.BAD_REQUEST


def of_refusal(exchange: Exchange) -> NextStep:
    """Say what to do about a refused request."""
    message = exchange.message or ""
    for words, step in _REFUSALS.items():
        if words in message:
            return step

    other = NextStep(text="It was refused; the message says why.", docs="docs/troubleshooting.md")
    return _BY_STATUS.get(exchange.status_code, other)


def of_failure(error_code: int | None) -> NextStep:
    """Say what to do about a registration that failed; None is an unknown error."""
    other = NextStep(text="The registration failed. Let it register again.")
    return _OUTCOMES.get(error_code or 0, other)
