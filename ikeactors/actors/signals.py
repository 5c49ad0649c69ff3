"""What the daemon makes of signals."""

from __future__ import annotations

import signal

import trio

from ikeactors.actors.reports import ReportHub
from ikeactors.protocol.actions import Level, Report

_STOPPING = (signal.SIGTERM, signal.SIGINT)
# The habit of asking for a reload, and a terminal that closes: neither is to cost tunnels.
_IGNORED = (signal.SIGHUP,)


async def heed_signals(
    stopping: trio.Event,
    insist: trio.CancelScope,
    hub: ReportHub,
    task_status: trio.TaskStatus[None],
) -> None:
    """Set `stopping` at the first signal to stop, cancel `insist` at the second."""
    with trio.open_signal_receiver(*_STOPPING, *_IGNORED) as signals:
        task_status.started()
        async for number in signals:
            name = signal.Signals(number).name
            if number in _IGNORED:
                text = f"{name} is ignored: the configuration cannot be reloaded yet"
                hub.publish(Report("signal-ignored", text, Level.WARNING))
                continue
            hub.publish(Report("daemon-stopping", f"stopping because of {name}"))
            if stopping.is_set():
                insist.cancel()
            stopping.set()
