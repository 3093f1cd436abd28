"""The same shards on a Dask cluster: a real scheduler and two real workers, on loopback."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.cluster
