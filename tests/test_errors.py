"""Errors carry what a person and a program need, and no error forgets its hint."""

from __future__ import annotations

import inspect
import json
import pickle
import re
from typing import Any

import pytest
from tests.test_printable import HOSTILE

from aiodps import errors
from aiodps.models import Phase, RegistrationStatus

KINDS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, errors.ProvisioningError) and not kind.__name__.startswith("_")
]


def make(kind: type[errors.ProvisioningError]) -> errors.ProvisioningError:
    """Make an error of a kind, whatever it needs."""
    needed: dict[str, Any] = {"reason": "r", "setting": "s", "status_code": 418}
    names = inspect.signature(kind).parameters
    error = kind("it went wrong", **{k: v for k, v in needed.items() if k in names})
    return error.locate(
        phase=Phase.POLL, transport="rest", attempts=2, elapsed=1.25, registration_id="dev-1"
    )


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_one_line_for_a_ticket(kind: type[errors.ProvisioningError]) -> None:
    """The text names what, where, how often, how long, whose and what to do next."""
    text = str(make(kind))

    for part in ("it went wrong", "phase poll", "attempts 2", "1.25 s", "'dev-1'"):
        assert part in text

    assert "\n" not in text


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_has_a_hint_of_its_own(kind: type[errors.ProvisioningError]) -> None:
    """Each kind names a next step; `hint=` replaces it."""
    assert make(kind).hint
    if kind is not errors.ProvisioningError:
        assert make(kind).hint != errors.ProvisioningError.default_hint


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_pickling(kind: type[errors.ProvisioningError]) -> None:
    """Errors cross process borders whole."""
    error = make(kind)
    twin = pickle.loads(pickle.dumps(error))

    assert type(twin) is kind
    assert vars(twin) == vars(error)
    assert str(twin) == str(error)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_facts_are_plain(kind: type[errors.ProvisioningError]) -> None:
    """An error can be written as JSON."""
    facts = make(kind).facts()

    assert json.loads(json.dumps(facts))["error"] == kind.__name__


def test_the_tree_in_the_docstring_is_whole() -> None:
    """Every class is drawn in the module's docstring."""
    drawn = set(re.findall(r"\w+Error", errors.__doc__ or ""))

    assert {kind.__name__ for kind in KINDS} <= drawn


def test_timeout_facts() -> None:
    """A time-out tells the last status and the last trouble."""
    error = errors.ProvisioningTimeoutError(
        "late",
        last_status=RegistrationStatus.ASSIGNING,
        last_error=errors.ConnectError("refused"),
        operation_id="5.x",
    )

    assert error.facts()["last_status"] == "assigning"
    assert "refused" in str(error.facts()["last_error"])
    assert isinstance(error, TimeoutError)


def test_service_codes_in_the_text() -> None:
    """Codes and tracking id of the service stand in the text; what is absent does not."""
    full = errors.UnauthorizedError(
        "no", status_code=401, error_code=401002, tracking_id="8ad0463c"
    )

    assert str(full).endswith("[status 401, error 401002, tracking id 8ad0463c]")
    assert str(errors.UnauthorizedError("no", status_code=401)).endswith("[status 401]")


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_message_is_printable(text: str) -> None:
    """It goes into terminals and logs, and may quote what a server sent."""
    error = errors.ServiceError(f"no: {text}", status_code=400, hint=f"see {text}")

    assert all(each.isprintable() for each in (str(error), *error.args, error.hint))


def test_nothing_was_tried() -> None:
    """An error before the first attempt speaks of no attempts and no time."""
    error = errors.ConfigurationError("no id scope", setting="id_scope", hint="give it")

    assert str(error) == "no id scope (phase configuration); give it"


def test_the_facts_of_a_refusal() -> None:
    """The service's time is a date, and the challenge, which is bytes, is left out."""
    error = errors.UnauthorizedError("no", status_code=401)
    error.service_time, error.challenge = 1.5, b"for the TPM alone"
    facts = error.facts()

    assert facts["service_time"] == "1970-01-01T00:00:01+00:00"
    assert "challenge" not in facts


def test_a_time_that_no_calendar_has() -> None:
    """A response may claim any; the facts then have the number."""
    error = errors.UnauthorizedError("no", status_code=401)
    error.service_time = 1e300

    assert error.facts()["service_time"] == 1e300
