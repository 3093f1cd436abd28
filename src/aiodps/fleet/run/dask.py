"""`DaskExecutor`: runs the shards of a run on a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, TypeVar

from distributed import Client

from aiodps.errors import ConfigurationError

T = TypeVar("T")
CONNECT_TIMEOUT = 10.0
"""Seconds until the scheduler must have responded."""


class DaskExecutor(Executor):
    """Runs each shard on a worker, and on another one if that worker is lost."""

    def __init__(self, address: str, count: int) -> None:
        """Connect.

        Args:
            address: The scheduler's, like `tcp://scheduler:8786`.
            count: Number of shards that have to run at once.

        Raises:
            ConfigurationError: If no scheduler responds, or there are too few workers.
        """
        try:
            self._client = Client(address, timeout=CONNECT_TIMEOUT, set_as_default=False)
        except (OSError, ValueError) as exc:
            raise ConfigurationError(
                f"no Dask scheduler responds at {address!r}",
                setting="dask",
                hint="give its address, like tcp://scheduler:8786",
            ) from exc

        threads = sum(self._client.nthreads().values())
        if threads < count:
            self._client.close()
            raise ConfigurationError(
                f"the cluster has {threads} worker threads, and {count} shards start together",
                setting="shards",
                hint="start more workers, or give fewer --shards",
            )

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Run a function on a worker; equal calls are run separately."""
        executor: Executor = self._client.get_executor(pure=False)
        return executor.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 (the base class's)
        """Disconnect from the cluster, which keeps running."""
        self._client.close()
