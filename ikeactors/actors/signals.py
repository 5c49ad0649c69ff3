"""What the daemon makes of signals."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable

import trio

from ikeactors.actors.reports import ReportHub
from ikeactors.protocol.actions import Report

_STOPPING = (signal.SIGTERM, signal.SIGINT)
# To reload; or a terminal that closes, which is not to cost tunnels.
_RELOADING = (signal.SIGHUP,)


async def heed_signals(
    stopping: trio.Event,
    insist: trio.CancelScope,
    hub: ReportHub,
    reload: Callable[[], Awaitable[None]],
    task_status: trio.TaskStatus[None],
) -> None:
    """Set `stopping` at the first signal to stop, cancel `insist` at the second.

    At a signal to reload, await `reload`.
    """
    with trio.open_signal_receiver(*_STOPPING, *_RELOADING) as signals:
        task_status.started()
        async for number in signals:
            name = signal.Signals(number).name
            if number in _RELOADING:
                await reload()
                continue
            hub.publish(Report("daemon-stopping", f"stopping because of {name}"))
            if stopping.is_set():
                insist.cancel()
            stopping.set()
