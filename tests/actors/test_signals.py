"""Signals: to stop, to insist, and those that cost nothing."""

from __future__ import annotations

import os
import signal

import trio

from ikeactors.actors.reports import ReportHub
from ikeactors.actors.signals import heed_signals


async def test_a_signal_to_reload_stops_nothing() -> None:
    stopping, hub, reloaded = trio.Event(), ReportHub(lambda: 0.0), trio.Event()

    async def reload() -> None:
        reloaded.set()

    async with trio.open_nursery() as nursery:
        await nursery.start(heed_signals, stopping, nursery.cancel_scope, hub, reload)
        os.kill(os.getpid(), signal.SIGHUP)
        await reloaded.wait()
        assert not stopping.is_set()
        nursery.cancel_scope.cancel()


async def test_the_first_signal_stops_and_the_second_insists() -> None:
    stopping, hub = trio.Event(), ReportHub(lambda: 0.0)
    async with trio.open_nursery() as nursery:
        reload = trio.lowlevel.checkpoint
        await nursery.start(heed_signals, stopping, nursery.cancel_scope, hub, reload)
        os.kill(os.getpid(), signal.SIGTERM)
        await stopping.wait()
        assert not nursery.cancel_scope.cancel_called
        os.kill(os.getpid(), signal.SIGTERM)
        await trio.sleep_forever()
    assert nursery.cancel_scope.cancelled_caught
