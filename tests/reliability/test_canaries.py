"""No secret gets out: not in logs, steps, errors or tracebacks with locals, in any encoding."""

from __future__ import annotations

import base64
import itertools
import logging
import pickle
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from tests.attestation_kinds import KINDS, Kind, Made, Way, client_of
from tests.certificates import root
from tests.scripted.proxies import PASSWORD, USER
from tests.scripted.running_proxy import running_proxy

import aiodps
from aiodps import Proxy, testing
from aiodps.attestation.files import AttestationFiles
from aiodps.pki.files import CredentialFiles
from aiodps.testing import RunningEmulator

pytestmark = pytest.mark.sockets

PAYLOAD = b"canary-of-the-request-payload"


def encodings(secret: bytes) -> Iterator[str]:
    """Write a secret in each way in which it could get out."""
    yield secret.decode("latin-1")
    yield repr(secret)[2:-1]
    yield secret.hex()
    yield quote(secret, safe="")
    yield secret[::-1].decode("latin-1")
    for shift in range(3):
        # Whatever stands before it: the characters that depend on the secret alone.
        text = base64.b64encode(bytes(shift) + secret).decode()[(4 * shift + 2) // 3 :]
        yield text[:-4]
        yield quote(text[:-4], safe="")
        yield text[:-4][::-1]


def found(told: str, secrets: dict[str, bytes]) -> set[str]:
    """Name the secrets that are in a text."""
    return {
        name
        for name, secret in secrets.items()
        for text in encodings(secret)
        if len(text) > 8 and text in told
    }


def test_a_canary_is_found() -> None:
    """The net has no holes: each encoding of a secret is found in what surrounds it."""
    secret = bytes(range(160, 192))
    for before, text in itertools.product(("", "a", "ab"), encodings(secret)):
        assert found(f"{before}{text} ", {"it": secret}) == {"it"}

    for start in (b"", b"k", b"ke", b"key"):
        encoded = base64.b64encode(start + secret + b"after").decode()
        assert found(encoded, {"it": secret}) == {"it"}


@pytest.fixture(scope="module")
def dps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEmulator]:
    """One emulator for all, in a thread."""
    with testing.running(ca=root(), directory=tmp_path_factory.mktemp("dps")) as running:
        yield running


@pytest.fixture(scope="module")
def proxy_port() -> Iterator[int]:
    """One proxy of both schemes."""
    with running_proxy() as port:
        yield port


WRONG = "canary-of-a-user:canary-of-another-proxy-password"
REPLY = b"canary-of-the-reply-payload"
FAULTS = {
    "assigned": "",
    "replied": '[[rule]]\noperation = "operation status"\n'
    f'members = {{registrationState = {{payload = {{wifi = "{REPLY.decode()}"}}}}}}',
    "lost": '[[rule]]\noperation = "register"\ndrop = "after"\nhow = "reset"',
    "refused": '[[rule]]\noperation = "register"\nstatus = 401\nerror_code = 401002',
    "garbage": '[[rule]]\noperation = "register"\ngarbage = "message"',
}


ONCE = aiodps.RetryPolicy(min_poll_interval=0, poll_interval=0, base=0.0, max_failures=1)


class CrashError(BaseException):
    """Not an error that anything catches."""


CRASHES = {"rest": aiodps.StepKind.SENT, "mqtt": aiodps.StepKind.SESSION_OPENED}
"""Where an observer crashes, by transport: while a token is in use."""


class Ear:
    """Hears everything that is told of a registration."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.locals: list[str] = []
        """Of frames that are not this test's own."""
        self.crash_at: aiodps.StepKind | None = None

    def step(self, step: aiodps.Step) -> None:
        """Take a step, with what went over the wire."""
        self.lines += [repr(step), step.text]
        if step.kind is self.crash_at:
            raise CrashError

    def error(self, error: BaseException) -> None:
        """Take an error as logs, crash reports and other processes get it."""
        whole = traceback.TracebackException.from_exception(error, capture_locals=True)
        self.locals += [part for part in whole.format() if __file__ not in part]
        self.lines += [repr(error), str(error), repr(error.__cause__), repr(error.__context__)]
        if isinstance(error, aiodps.ProvisioningError):
            self.lines += [repr(error.facts()), pickle.dumps(error).decode("latin-1")]


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize(
    ("kind", "transport", "way"),
    [
        pytest.param(kind, transport, way, id=f"{name}-{transport}-{way}", marks=kind.marks)
        for name, kind in KINDS.items()
        for transport in kind.codes
        for way in kind.ways
    ],
)
async def test_no_secret_gets_out(
    dps: RunningEmulator,
    caplog: pytest.LogCaptureFixture,
    kind: Kind,
    transport: str,
    way: Way,
) -> None:
    """X7: in each outcome, with every logger at DEBUG."""
    caplog.set_level(logging.DEBUG)
    ear = Ear()
    made: dict[str, Made] = {}
    for case in (*FAULTS, "crash"):
        ear.crash_at = CRASHES[transport] if case == "crash" else None
        name = f"{case}-{transport}-{way}-{id(kind)}"
        made[case] = kind.make(name, way)
        dps.enroll(made[case].enrollment(name, way))
        dps.misbehave(FAULTS.get(case, ""))
        await listen(dps, transport, made[case], ear)

    secrets = {
        f"{name} of {case}": secret
        for case, one in made.items()
        for name, secret in one.secrets.items()
    }
    told = "\n".join([*ear.lines, *(repr(vars(each)) for each in caplog.records), caplog.text])
    assert len(ear.locals) > 20
    assert "aiodps.registration" in {each.name for each in caplog.records}
    assert found(told, {"payload": PAYLOAD, "reply": REPLY}) == set()
    told += "\n".join(ear.locals)
    assert found(told, secrets) == set()
    assert "SharedAccessSignature" not in told
    assert "sig=" not in told


async def listen(dps: RunningEmulator, transport: str, made: Made, ear: Ear) -> None:
    """Provision a device, and hear what is told about it."""
    client, attestation = client_of(dps, transport, retry=ONCE), made.right
    ear.lines += [repr(client), repr(attestation), str(attestation)]
    try:
        assignment = await client.provision(
            attestation=attestation,
            payload={"wifi": PAYLOAD.decode()},
            issue=made.issue,
            on_step=ear.step,
        )
        ear.lines += [repr(assignment), str(assignment), repr(assignment.issued)]
    except (aiodps.ProvisioningError, CrashError) as error:
        ear.error(error)


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("scheme", ["http", "socks5"])
@pytest.mark.parametrize("transport", ["rest", "mqtt"])
async def test_no_password_of_a_proxy_gets_out(
    dps: RunningEmulator,
    proxy_port: int,
    caplog: pytest.LogCaptureFixture,
    transport: str,
    scheme: str,
) -> None:
    """Neither it nor the user, whether the proxy takes them, refuses them or is none at all."""
    caplog.set_level(logging.DEBUG)
    ear = Ear()
    right = f"{USER}:{PASSWORD}"
    https = dps.https_port
    for number, (login, port) in enumerate(
        [(right, proxy_port), (WRONG, proxy_port), (right, https)]
    ):
        name = f"proxied-{transport}-{scheme}-{number}"
        made = next(iter(KINDS.values())).make(name, "individual")
        dps.enroll(made.enrollment(name, "individual"))
        client = client_of(
            dps, transport, retry=ONCE, proxy=Proxy.parse(f"{scheme}://{login}@127.0.0.1:{port}")
        )
        ear.lines += [repr(client), repr(client.settings), repr(client.settings.proxy)]
        try:
            await client.provision(attestation=made.right, on_step=ear.step)
        except aiodps.ProvisioningError as error:
            ear.error(error)

    told = "\n".join([*ear.lines, *ear.locals, *(repr(vars(each)) for each in caplog.records)])
    assert "tunnel-opened" in told
    assert "refused user and password" in told
    secrets = {text: text.encode() for text in (USER, PASSWORD, WRONG, right)}
    assert found(told, secrets) == set()


@pytest.mark.parametrize("opens", [True, False], ids=["right", "wrong"])
def test_no_password_gets_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, opens: bool
) -> None:
    """Neither one that opens a key, nor one that does not; from a file or a function."""
    caplog.set_level(logging.DEBUG)
    password = b"canary-of-the-password"
    given = password if opens else b"canary-of-another-password"
    files = CredentialFiles(directory=tmp_path, name="dev-1")
    files.write(root().device("dev-1"), password=password)
    path = tmp_path / "password"
    path.write_bytes(given)
    ear = Ear()
    loads: list[Callable[[], aiodps.Attestation]] = [
        lambda: AttestationFiles(
            certificate=files.chain, private_key=files.private_key, key_password_file=path
        ).load(None),
        lambda: aiodps.X509.from_files(files.chain, files.private_key, password=given),
        lambda: aiodps.X509.from_files(files.chain, files.private_key, password=lambda: given),
    ]
    for load in loads:
        try:
            ear.lines += [repr(load())]
        except aiodps.CredentialError as error:
            ear.error(error)

    told = "\n".join([*ear.lines, *ear.locals, caplog.text])
    assert bool(ear.locals) is not opens
    assert found(told, {"password": given}) == set()
