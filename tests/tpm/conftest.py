"""TPMs for tests: swtpm in processes of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # it needs tpm2-pytss
    from tests.tpm.simulator import Swtpm


@pytest.fixture
def simulators(tmp_path: Path) -> Iterator[list[Swtpm]]:
    """Run two new TPMs."""
    from tests.tpm.simulator import simulator  # noqa: PLC0415 (needs tpm2-pytss)

    with ExitStack() as stack:
        yield [stack.enter_context(simulator(tmp_path / each)) for each in ("own", "other")]


@pytest.fixture
def swtpm(simulators: list[Swtpm]) -> Swtpm:
    """Return the device's TPM."""
    return simulators[0]


@pytest.fixture
def other(simulators: list[Swtpm]) -> Swtpm:
    """Return the TPM of another device."""
    return simulators[1]
