"""What is imported when: nobody waits for what is not used."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.sockets

HEAVY = {"aiomqtt", "anyio", "asyncio", "cryptography", "h11", "httpx", "paho", "rich", "trio"}
CLIENT = "aiodps.ProvisioningClient(id_scope='0ne00000000', transport='rest')"


def heavy_after(code: str) -> set[str]:
    """Run code in a new interpreter, and name the heavy packages that it has imported."""
    show = "import json, sys; print(json.dumps([each.split('.')[0] for each in sys.modules]))"
    command = (sys.executable, "-c", f"{code}\n{show}")
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return HEAVY & set(json.loads(done.stdout.splitlines()[-1]))


def test_the_package_alone() -> None:
    """Its names are imported when they are used."""
    assert heavy_after("import aiodps") == set()


def test_a_client_for_rest() -> None:
    """It does without the libraries of MQTT."""
    assert heavy_after(f"import aiodps; {CLIENT}").isdisjoint({"aiomqtt", "paho", "trio"})


def test_the_help() -> None:
    """Commands are imported when they are run; errors name certificates."""
    code = "from aiodps.cli.app import app\ntry: app(['--help'])\nexcept SystemExit: pass"

    assert heavy_after(code) == {"cryptography"}
