"""A daemon behind a real socket, for the tests of the admin protocol."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from tests.admin.daemon import FakeDaemon


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[FakeDaemon]:
    made = FakeDaemon(tmp_path)
    yield made
    made.listener.close()


@pytest.fixture
async def serving(daemon: FakeDaemon, nursery: trio.Nursery) -> FakeDaemon:
    nursery.start_soon(daemon.run)
    return daemon
