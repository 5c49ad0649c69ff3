"""A daemon behind a real socket, and the command line in a thread."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trio

from ikeactors.cli import main
from tests.admin.daemon import FakeDaemon


@dataclass(frozen=True, slots=True)
class Printed:
    """What a command left behind."""

    code: int
    out: str
    err: str


Command = Callable[..., Awaitable[Printed]]


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[FakeDaemon]:
    made = FakeDaemon(tmp_path)
    yield made
    made.listener.close()


@pytest.fixture
async def command(
    daemon: FakeDaemon, nursery: trio.Nursery, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Run `ikeactors ARGV` against the daemon."""
    nursery.start_soon(daemon.run)

    async def run(*argv: str) -> Printed:
        whole = ["--socket", str(daemon.path), *argv]
        code = await trio.to_thread.run_sync(main, whole)
        out, err = capsys.readouterr()
        return Printed(code, out, err)

    return run
