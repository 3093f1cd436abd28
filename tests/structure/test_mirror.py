"""The tests mirror the source: what a module does is found where its name says."""

from __future__ import annotations

from pathlib import Path

from tests.structure.source import FILES, PACKAGE

TESTS = Path(__file__).parents[1]
TESTED_ELSEWHERE = {
    "__main__.py": "tests/cli/test_app.py runs it",
    "version.py": "tests/structure/test_types.py",
    "error_base.py": "tests/test_errors.py, for every class",
    "protocol/messages.py": "plain values",
    "protocol/limits.py": "plain values; each limit is tested where it holds",
    "registration/events.py": "plain values",
    "registration/actions.py": "plain values",
    "registration/retrying.py": "tests/registration, by both machines",
    "cli/device_options.py": "tests/cli/test_provision.py and test_status.py",
    "attestation/base.py": "contracts",
    "transports/base.py": "a contract; tests/transports/conformance.py holds transports to it",
    "emulator/protocol/messages.py": "plain values",
    "emulator/connections/delivery.py": "plain values",
    "emulator/state/store.py": "a contract; tests/emulator/state holds stores to it",
    "emulator/connections/stream.py": "a contract; TLS, plain and WebSocket streams keep it",
}


def test_each_module_has_its_test() -> None:
    """`src/aiodps/a/b.py` is tested by `tests/a/test_b.py`, or it is said why not."""
    modules = [path.relative_to(PACKAGE) for path in FILES if path.name != "__init__.py"]
    untested = [
        str(path)
        for path in modules
        if not (TESTS / path.parent / f"test_{path.name}").exists()
        and str(path) not in TESTED_ELSEWHERE
    ]

    assert untested == []


def test_no_excuse_is_stale() -> None:
    """Every module that is excused exists."""
    assert all((PACKAGE / name).exists() for name in TESTED_ELSEWHERE)
