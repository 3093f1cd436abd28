"""`run_shard`: one shard of a run as a plain function, for any `concurrent.futures.Executor`."""

from __future__ import annotations

import functools
import itertools
import time

import anyio

from aiodps.errors import ConfigurationError
from aiodps.fleet.journal.background import background_task
from aiodps.fleet.measure.generator_load import GeneratorLoad
from aiodps.fleet.plan.spec import ShardSpec
from aiodps.fleet.run.control_files import POLL_INTERVAL, ControlFiles, Order, StartOrder
from aiodps.fleet.run.session import Session, SessionEnd
from aiodps.network.event_loop import backend_options
from aiodps.process.garbage_collection import few_full_collections

_POLLS_PER_REPORT = 3
"""Polls of the control files between two progress reports."""


def run_shard(spec: ShardSpec, *, retry_failed: bool = False) -> SessionEnd:
    """Run one shard to its end, in an event loop of its own.

    Calling it again resumes the shard: if its process or machine was lost, run it again on any
    machine that has the run folder.

    Args:
        spec: The shard.
        retry_failed: Whether failed devices are tried once more.

    Raises:
        ProvisioningError: If the shard cannot run. Failures of devices are in the journal.
    """
    if not spec.folder.is_dir():
        raise ConfigurationError(
            f"the run folder {str(spec.folder)!r} does not exist on this machine",
            setting="out",
            hint="put the run folder on a disk that all machines of the run share",
        )

    with Session(spec, retry_failed=retry_failed) as session, few_full_collections():
        return anyio.run(functools.partial(_run, session, spec), backend_options=backend_options())


async def _run(session: Session, spec: ShardSpec) -> SessionEnd:
    control = ControlFiles(spec.folder)
    control.report_ready(spec.shard, session.progress())
    order = await _wait_for_start(control)
    if order is None:
        # No device has started: with such a session, the next one would look resumed.
        load = GeneratorLoad()
        return SessionEnd(
            shard=spec.shard, progress=session.progress(), generator_load=load, seconds=0.0
        )

    skew = order.skew(spec.shard, seen=time.time())
    async with background_task(
        functools.partial(_follow_control_files, session, spec.shard, control)
    ):
        end = await session.run(at=order.at, skew=skew)

    control.write_progress(spec.shard, end.progress)
    return end


async def _wait_for_start(control: ControlFiles) -> StartOrder | None:
    """Wait for the order to start together; None if an order to stop came first."""
    while (start := control.start_order()) is None and control.order() is None:  # noqa: ASYNC110 (files)
        await anyio.sleep(POLL_INTERVAL)

    return start


async def _follow_control_files(session: Session, shard: int, control: ControlFiles) -> None:
    """Carry out orders to stop, and report progress."""
    obeyed: Order | None = None
    for poll in itertools.count():
        order = control.order()
        if order is not obeyed:
            obeyed = order
            session.halt() if order is Order.HALT else session.drain()

        if poll % _POLLS_PER_REPORT == 0:
            control.write_progress(shard, session.progress())

        await anyio.sleep(POLL_INTERVAL)
