"""`run_shard`: one part of a run as a plain function, for any `concurrent.futures.Executor`."""

from __future__ import annotations

import functools

import anyio

from aiodps.errors import ConfigurationError
from aiodps.fleet.journal.background import background_task
from aiodps.fleet.plan.spec import ShardSpec
from aiodps.fleet.run.control_files import POLL_INTERVAL, ControlFiles, Order
from aiodps.fleet.run.session import Session, SessionEnd

_REPORT_EACH = 3
"""Looks between two reports."""


def run_shard(spec: ShardSpec, *, again: bool = False) -> SessionEnd:
    """Run one shard to its end in an event loop of its own; blocks.

    Running it once more goes on where it was: so a shard whose process or machine was lost may
    simply be run again, anywhere where the run folder is.

    Args:
        spec: What to run.
        again: Whether failed devices are tried once more.

    Raises:
        ProvisioningError: If the shard cannot run at all. Devices that fail are in the journal.
    """
    if not spec.folder.is_dir():
        raise ConfigurationError(
            f"the run folder {str(spec.folder)!r} does not exist on this machine",
            setting="out",
            hint="put it on a disk that all machines of the run share",
        )

    with Session(spec, again=again) as session:
        return anyio.run(functools.partial(_run, session, spec))


async def _run(session: Session, spec: ShardSpec) -> SessionEnd:
    control = ControlFiles(spec.folder)
    control.report(spec.shard, session.progress())
    at = await _wait_for_start(control)
    async with background_task(functools.partial(_listen, session, spec.shard, control)):
        end = await session.run(at=at)

    control.report(spec.shard, end.progress)
    return end


async def _wait_for_start(control: ControlFiles) -> float | None:
    """Wait until all shards begin; one that is told to stop begins at once, and stops."""
    while (at := control.started()) is None and control.order() is None:  # noqa: ASYNC110 (files)
        await anyio.sleep(POLL_INTERVAL)

    return at


async def _listen(session: Session, shard: int, control: ControlFiles) -> None:
    """Pass on what the shard is told, and tell how it stands."""
    given: Order | None = None
    looks = 0
    while True:
        order = control.order()
        if order is not given:
            given = order
            session.halt() if order is Order.HALT else session.drain()

        if looks % _REPORT_EACH == 0:
            control.report(shard, session.progress())

        looks += 1
        await anyio.sleep(POLL_INTERVAL)
