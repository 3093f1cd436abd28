"""What is imported when: nobody waits for what is not used."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache

import pytest

pytestmark = pytest.mark.sockets

HEAVY = {"aiomqtt", "certifi", "cryptography", "h11", "httpx", "paho", "rich", "trio", "wsproto"}
SLOW = {"anyio", "asyncio", "email", "html", "http", "importlib.metadata", "ssl", "tomllib"}
OURS = {"aiodps.registration.driver", "aiodps.registration.machine", "aiodps.transports.rest"}
REST = {"aiodps.transports.rest", "cryptography", "email", "h11", "html", "http", "httpx", "rich"}
STATEMENTS = {
    "import aiodps": set[str](),
    "from aiodps.cli.app import app\ntry: app(['--help'])\nexcept SystemExit: pass": set[str](),
    "from aiodps import provision, ProvisioningClient, errors": {"anyio", "asyncio", "ssl"},
    "from aiodps import SymmetricKey, Tpm, KeySpec, Trust, AssignmentCache": set[str](),
    "ProvisioningClient(id_scope='0ne00000000', trust='system')": set[str](),
    "from aiodps import REST": REST | {"importlib.metadata"},
}
"""What may be new after each of them, one after the other in one process. (httpx has a command of
its own, in colours.)"""
SHOW = f"""
import json, sys
for statement in {list(STATEMENTS)!r}:
    exec(statement)
    print(json.dumps([each for each in {HEAVY | SLOW | OURS!r} if each in sys.modules]))
"""


@cache
def imported() -> list[set[str]]:
    """Run the statements in a new interpreter, and name the modules that each has imported."""
    done = subprocess.run((sys.executable, "-c", SHOW), capture_output=True, text=True, check=True)
    found = [set(json.loads(each)) for each in done.stdout.splitlines() if each.startswith("[")]
    return [now - before for before, now in zip([set(), *found], found, strict=False)]


@pytest.mark.parametrize("number", range(len(STATEMENTS)), ids=list(STATEMENTS))
def test_what_a_statement_imports(number: int) -> None:
    """Libraries are imported by what stands on them, when it is used."""
    assert imported()[number] <= list(STATEMENTS.values())[number]
