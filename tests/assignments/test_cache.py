"""A stored assignment is returned and nothing is sent, until it does not fit; faults are told."""

from __future__ import annotations

import json
import logging
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.assignments.stored import assignment, key, look_up, number_of
from tests.attestation_kinds import KINDS, Kind, Made, client_of
from tests.certificates import root

import aiodps
from aiodps import AssignmentCache, StepKind, errors, testing
from aiodps.assignments.cache_file import Miss
from aiodps.assignments.cache_key import CacheKey
from aiodps.protocol.payloads import parse_assignment
from aiodps.testing import RunningEmulator

pytestmark = pytest.mark.anyio
SOCKETS = pytest.mark.sockets
QUIET = pytest.mark.parametrize("anyio_backend", ["asyncio"])
OWN = {name: kind for name, kind in KINDS.items() if "issued" not in name}


@pytest.fixture(scope="module")
def dps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEmulator]:
    """One emulator for all tests, in a thread."""
    with testing.running(ca=root(), directory=tmp_path_factory.mktemp("dps")) as running:
        yield running


@pytest.fixture
def cache(tmp_path: Path) -> AssignmentCache:
    """Name a folder that does not exist yet."""
    return AssignmentCache(tmp_path / "cache")


def enrolled(dps: RunningEmulator, name: str, kind: str = "symmetric key", **members: Any) -> Made:
    """Enroll a device of a kind."""
    made = KINDS[kind].make(name, "individual")
    dps.enroll(made.enrollment(name, "individual", **members))
    return made


class Steps(list[aiodps.Step]):
    """An observer that keeps what it is told."""

    def __call__(self, step: aiodps.Step, /) -> None:
        """Keep a step."""
        self.append(step)

    def of_cache(self) -> list[StepKind]:
        """Return the steps that only a cache has."""
        return [step.kind for step in self if "cache" in step.kind]


@SOCKETS
@pytest.mark.parametrize(
    ("kind", "anyio_backend"),
    [
        pytest.param(*(kind, loop), id=f"{name}-{loop}", marks=kind.marks)
        for name, kind in OWN.items()
        for loop in (("asyncio", "trio") if name == "symmetric key" else ("asyncio",))
    ],
)
async def test_each_kind_of_device(
    dps: RunningEmulator, cache: AssignmentCache, kind: Kind, anyio_backend_name: str
) -> None:
    """The second time nothing is sent, the same assignment is returned, and says so."""
    name = f"each-{abs(hash((id(kind), anyio_backend_name)))}"
    made, steps = kind.make(name, "individual"), Steps()
    dps.enroll(made.enrollment(name, "individual"))
    client = client_of(dps, "rest")
    first = await client.provision(attestation=made.right, cache=cache)
    second = await client.provision(attestation=made.right, cache=cache, on_step=steps)

    assert first == second
    assert (first.cached, second.cached) == (False, True)
    assert dps.register_requests(name) == kind.registers
    assert [step.kind for step in steps] == [StepKind.CACHED, StepKind.ASSIGNED]
    [file] = cache.folder.iterdir()
    for what, secret in made.secrets.items():
        if not what.startswith("key 1"):  # of a TPM, which only the TPM can decrypt
            assert secret not in file.read_bytes()


@SOCKETS
@QUIET
async def test_it_registers_again(dps: RunningEmulator, cache: AssignmentCache) -> None:
    """By force, for another payload, and with another credential; then that is stored."""
    made, client = enrolled(dps, "again"), client_of(dps, "rest")
    own: dict[str, Any] = {"attestation": made.right, "cache": cache}
    for registers, arguments in enumerate(
        [own, {**own, "force": True}, {**own, "payload": {}}], 1
    ):
        await client.provision(**arguments)
        assert dps.register_requests("again") == registers

    assert (await client.provision(**own, payload={})).cached
    renewed = enrolled(dps, "again")
    assert not (await client.provision(attestation=renewed.right, cache=cache, payload={})).cached
    assert len(list(cache.folder.iterdir())) == 1


@SOCKETS
@QUIET
async def test_a_failure_is_not_stored(dps: RunningEmulator, cache: AssignmentCache) -> None:
    """And does not remove what was: its hub may be reached when the service is not."""
    made, client = enrolled(dps, "fails"), client_of(dps, "rest")
    await client.provision(attestation=made.right, cache=cache)
    disabled = made.enrollment("fails", "individual", provisioningStatus="disabled")
    dps.enroll(disabled)
    with pytest.raises(errors.RegistrationDisabledError):
        await client.provision(attestation=made.right, cache=cache, force=True)

    assert (await client.provision(attestation=made.right, cache=cache)).cached
    with pytest.raises(errors.RegistrationDisabledError):
        await client.provision(attestation=made.right, cache=AssignmentCache(cache.folder / "new"))

    assert len(list(cache.folder.iterdir())) == 1


@SOCKETS
@QUIET
@pytest.mark.parametrize("content", [b"", b"{}", b"\x80garbage"], ids=["empty", "other", "bytes"])
async def test_a_damaged_file(
    dps: RunningEmulator,
    cache: AssignmentCache,
    content: bytes,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is told, and replaced."""
    made, client, steps = enrolled(dps, "damaged"), client_of(dps, "rest"), Steps()
    await client.provision(attestation=made.right, cache=cache)
    [file] = cache.folder.iterdir()
    file.write_bytes(content)
    with caplog.at_level(logging.WARNING, "aiodps"):
        assigned = await client.provision(attestation=made.right, cache=cache, on_step=steps)

    assert not assigned.cached
    assert steps.of_cache() == [StepKind.CACHE_FAILED]
    assert "is damaged" in caplog.text
    assert json.loads(file.read_bytes())["transport"] == "rest"


@contextmanager
def full_disk() -> Iterator[None]:
    """Let no file grow beyond some bytes."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@SOCKETS
@QUIET
@pytest.mark.parametrize("transport", ["rest", "mqtt"])
async def test_a_full_disk(
    dps: RunningEmulator, cache: AssignmentCache, caplog: pytest.LogCaptureFixture, transport: str
) -> None:
    """The assignment is returned with a warning, and what is out of date is not kept."""
    made, client = enrolled(dps, "full"), client_of(dps, transport)
    await client.provision(attestation=made.right, cache=cache)
    with full_disk(), caplog.at_level(logging.WARNING, "aiodps"):
        assigned = await client.provision(attestation=made.right, cache=cache, force=True)

    assert assigned.device_id == "full"
    assert "cannot be written: File too large" in caplog.text
    assert list(cache.folder.iterdir()) == []


@SOCKETS
@QUIET
async def test_a_folder_that_cannot_be(
    dps: RunningEmulator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The device is provisioned all the same."""
    (tmp_path / "file").touch()
    made = enrolled(dps, "nowhere")
    assigned = await client_of(dps, "rest").provision(
        attestation=made.right, cache=AssignmentCache(tmp_path / "file")
    )

    assert assigned.device_id == "nowhere"
    assert caplog.text.count("cannot be") == 2  # read, and written


class Cleared:
    """A TPM that cannot import any more what it could before; the next key it can."""

    def __init__(self, tpm: aiodps.Tpm) -> None:
        self.endorsement_key = tpm.tpm_keys.endorsement_key
        self.storage_root_key = tpm.tpm_keys.storage_root_key
        self._device = tpm._device
        self._refuses = True

    async def activate(self, challenge: bytes) -> None:
        """Refuse the first."""
        if self._refuses:
            self._refuses = False
            raise OSError("integrity")

        await self._device.activate(challenge)

    async def sign(self, data: bytes) -> bytes:
        """Sign as before."""
        return await self._device.sign(data)


@SOCKETS
@QUIET
async def test_a_tpm_that_was_cleared(dps: RunningEmulator, cache: AssignmentCache) -> None:
    """It cannot import the key for its hub any more, so it registers."""
    made, client, steps = enrolled(dps, "tpm", "TPM"), client_of(dps, "rest"), Steps()
    await client.provision(attestation=made.right, cache=cache)
    tpm = made.right
    assert isinstance(tpm, aiodps.Tpm)
    await client.provision(attestation=tpm, cache=cache)
    [file] = cache.folder.iterdir()
    assert "authenticationKey" in file.read_text()

    cleared = aiodps.Tpm(Cleared(tpm), registration_id="tpm")
    again = await client.provision(attestation=cleared, cache=cache, on_step=steps)

    assert not again.cached
    assert steps.of_cache() == [StepKind.CACHE_MISSED]


@SOCKETS
@QUIET
@pytest.mark.parametrize(
    ("arguments", "setting"),
    [
        ({"cache": "folder"}, "cache"),
        ({"force": 1}, "force"),
    ],
)
async def test_what_is_refused(
    dps: RunningEmulator, cache: AssignmentCache, arguments: dict[str, Any], setting: str
) -> None:
    """Before anything is sent."""
    made = enrolled(dps, "refused")
    with pytest.raises(errors.ConfigurationError) as refused:
        await client_of(dps, "rest").provision(
            **{"attestation": made.right, "cache": cache, **arguments}
        )

    assert refused.value.setting == setting
    assert dps.register_requests("refused") == 0


@SOCKETS
@QUIET
async def test_an_issued_certificate(dps: RunningEmulator, cache: AssignmentCache) -> None:
    """Who asks for one registers; the assignment is there for who does not, without the key."""
    made = KINDS["X.509, issued a certificate"].make("issued", "individual")
    dps.enroll(made.enrollment("issued", "individual"))
    client = client_of(dps, "rest")
    for registers in (1, 2):
        first = await client.provision(attestation=made.right, cache=cache, issue=made.issue)
        assert dps.register_requests("issued") == registers

    second = await client.provision(attestation=made.right, cache=cache)
    [file] = cache.folder.iterdir()

    assert second == first
    assert (second.cached, second.issued) == (True, None)
    assert made.secrets["issued key"] not in file.read_bytes()


@SOCKETS
@QUIET
async def test_the_function(dps: RunningEmulator, cache: AssignmentCache) -> None:
    """It has the same arguments."""
    made = enrolled(dps, "function")
    settings: dict[str, Any] = {
        "id_scope": dps.id_scope,
        "endpoint": dps.host,
        "port": dps.https_port,
        "transport": "rest",
        "trust": dps.ca_pem,
        "attestation": made.right,
        "cache": cache,
    }
    results = [await aiodps.provision(**settings, force=force) for force in (False, True, False)]

    assert [each.cached for each in results] == [False, False, True]


@pytest.mark.parametrize("folder", ["", 7, None, "-----BEGIN PRIVATE KEY-----\nMIIE", "a\0b"])
def test_bad_folders(folder: Any) -> None:
    """They are refused by name."""
    with pytest.raises(errors.ConfigurationError) as refused:
        AssignmentCache(folder)

    assert refused.value.setting == "cache"


def test_a_key_in_place_of_a_folder() -> None:
    """It is not repeated."""
    with pytest.raises(errors.ConfigurationError) as refused:
        AssignmentCache("SGVsbG8gd29ybGQsIHRoaXMgaXMgYSBrZXkgb2YgNDggYnl0ZXMhISEhISEh")

    assert "SGVsbG8" not in str(refused.value)
    assert repr(AssignmentCache("/var/lib/press")) == "AssignmentCache('/var/lib/press')"


def test_a_later_one_stays(cache: AssignmentCache) -> None:
    """Whichever of two processes stores last."""
    for number in (1, 3, 2):
        cache.store(key(), assignment(number=number))

    assert number_of(look_up(cache, "press-4")) == 3


def test_what_was_there_before_is_replaced(cache: AssignmentCache) -> None:
    """Also if its date is later: the service's clock may have been set back meanwhile."""
    cache.store(key(), assignment(number=3))
    seen = cache.read(key())
    cache.store(key(), assignment(number=2), seen=seen)
    assert number_of(look_up(cache, "press-4")) == 2

    cache.store(key(), assignment(number=1), seen=seen)
    assert number_of(look_up(cache, "press-4")) == 2, "another process has stored it since"


@SOCKETS
@QUIET
async def test_force_stores_what_the_service_said_last(
    dps: RunningEmulator, cache: AssignmentCache
) -> None:
    """Whatever is stored from a time that has not come yet."""
    made, client = enrolled(dps, "forced"), client_of(dps, "rest")
    first = await client.provision(attestation=made.right, cache=cache)
    (file,) = cache.folder.iterdir()
    stored = json.loads(file.read_text())
    stored_key = CacheKey(**stored["key"])
    later = {**first.raw, "assignedHub": "old.azure-devices.net"}
    later["lastUpdatedDateTimeUtc"] = "2999-01-01T00:00:00Z"
    cache.store(stored_key, parse_assignment(later, registration_id="forced", transport="rest"))
    assert (await client.provision(attestation=made.right, cache=cache)).assigned_hub != dps.hub

    await client.provision(attestation=made.right, cache=cache, force=True)

    found = await client.provision(attestation=made.right, cache=cache)
    assert (found.cached, found.assigned_hub) == (True, dps.hub)


def test_drafts_of_the_killed_are_removed(cache: AssignmentCache) -> None:
    """After an hour, by the next who stores something; nothing else is touched."""
    cache.folder.mkdir()
    names = [f".press-4.json.{'0' * 16}", f".press-4.json.{'1' * 16}", ".own", "own"]
    old, new, *others = [cache.folder / name for name in names]
    for path in (old, new, *others):
        path.touch()

    for path in (old, *others):
        os.utime(path, (0, 0))

    cache.store(key(), assignment())

    assert not old.exists()
    assert all(path.exists() for path in (new, *others))
    assert isinstance(look_up(cache, "press-5"), Miss)


def test_a_draft_that_cannot_be_removed(cache: AssignmentCache) -> None:
    """It stays."""
    draft = cache.folder / f".press-4.json.{'0' * 16}"
    draft.mkdir(parents=True)
    os.utime(draft, (0, 0))
    cache.store(key(), assignment())

    assert draft.exists()
