"""What systemd is told of us (sd_notify): that we serve, how it goes, and that we are alive.

The watchdog is told only when the event loop runs, the kernel actor has answered and the admin
socket has served a client: a daemon that runs and does nothing is restarted.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import trio

from ikeactors.actors.framing import frame
from ikeactors.actors.reports import ReportHub
from ikeactors.protocol.actions import Level, Report

Check = Callable[[], Awaitable[object]]

_SOCKET = "NOTIFY_SOCKET"
_MICROSECONDS = "WATCHDOG_USEC"
_PROCESS = "WATCHDOG_PID"

# Ours: pause and checks together take at most three of these, and systemd waits for four.
_SHARE = 0.25
# What an answer of the admin socket begins with is enough.
_RECEIVE = 4096


def tell_service_manager(*lines: str) -> None:
    """Tell systemd, where it has started us."""
    name = os.environ.get(_SOCKET)
    if not name:
        return
    # A name that begins with "@" is in Linux's abstract namespace.
    address = "\0" + name[1:] if name.startswith("@") else name
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as notification:
        notification.setblocking(False)
        notification.connect(address)
        notification.send("\n".join(lines).encode())


def watchdog_interval() -> float | None:
    """Seconds between signs of life; None where nobody waits for any."""
    microseconds = os.environ.get(_MICROSECONDS, "")
    process = os.environ.get(_PROCESS, "")
    if not microseconds.isdecimal() or process not in ("", str(os.getpid())):
        return None
    return int(microseconds) / 1e6 * _SHARE or None


@dataclass(slots=True)
class Watchdog:
    """The checks by their names, and what became of them."""

    interval: float
    checks: Mapping[str, Check]
    status: Callable[[], str]
    hub: ReportHub
    told: int = 0
    withheld: int = 0

    async def run(self) -> None:
        """Tell systemd that we are alive, as long as we are."""
        while True:
            stuck = [name for name, check in self.checks.items() if not await self._passes(check)]
            if stuck:
                self._withhold(", ".join(stuck))
            else:
                self._tell()
            await trio.sleep(self.interval)

    async def _passes(self, check: Check) -> bool:
        with trio.move_on_after(self.interval / len(self.checks)) as scope:
            try:
                await check()
            except (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
                return False
        return not scope.cancelled_caught

    def _tell(self) -> None:
        self.told += 1
        try:
            tell_service_manager("WATCHDOG=1", f"STATUS={self.status()}")
        except OSError as error:
            self._report(f"systemd cannot be told that we are alive: {error}")

    def _withhold(self, stuck: str) -> None:
        self.withheld += 1
        self._report(f"systemd is not told that we are alive: no answer of {stuck}")

    def _report(self, text: str) -> None:
        self.hub.publish(Report("watchdog", text, Level.ERROR))


async def ask_admin_socket(path: Path, request: bytes) -> None:
    """One round trip of a client of the admin socket. Raises OSError."""
    async with await trio.open_unix_socket(str(path)) as stream:
        await stream.send_all(frame(request))
        if not await stream.receive_some(_RECEIVE):
            raise ConnectionResetError("the admin socket hangs up")
