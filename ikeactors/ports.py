"""What a daemon has of the host it runs on, of chance and of time.

A simulation puts its own in the place of these, and starts the same tree of actors.
"""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio

from ikeactors.actors.addresses import HostAddresses, Tell, run_addresses
from ikeactors.actors.alarms import Alarms, run_alarms
from ikeactors.actors.control import run_control
from ikeactors.actors.core import Recorder
from ikeactors.actors.entropy import SystemEntropy
from ikeactors.actors.names import Lookup, system_lookup
from ikeactors.actors.probing import Choice, Entropy, OpenUserspace, probe
from ikeactors.actors.reports import Answers, ReportHub
from ikeactors.actors.sockets import Deliver, ReceiveEsp, Sockets, SocketSettings, run_sockets
from ikeactors.actors.unix_socket import ControlListener, open_listener
from ikeactors.actors.workers import Carrier, threads
from ikeactors.admin.server import Dispatcher
from ikeactors.config import Configuration
from ikeactors.protocol.entropy import Entropy as CoreEntropy
from ikeactors.protocol.settings import Settings
from ikeactors.writers import Writers, open_writers


@dataclass(frozen=True, slots=True)
class Ports:
    """Who makes what reaches outside, and who runs the actors that wait for something there."""

    probe: Callable[[str, Entropy, OpenUserspace], Awaitable[Choice]] = probe
    entropy: CoreEntropy = field(default_factory=SystemEntropy)
    chance: Callable[[], float] = random.random
    wall_clock: Callable[[], float] = time.time
    lookup: Lookup = system_lookup
    carrier: Callable[[int], Carrier] = threads
    carry: Callable[..., Awaitable[Any]] = trio.to_thread.run_sync
    hub: Callable[[Callable[[], float]], ReportHub] = ReportHub
    answers: Callable[[], Answers] = Answers
    writers: Callable[[Configuration, Settings, Path | None, ReportHub], Writers] = open_writers
    recorder: Recorder | None = None
    listen: Callable[[Path, int | None], ControlListener] = open_listener
    sockets: Callable[[SocketSettings, ReportHub], Sockets] = Sockets
    addresses: Callable[[], HostAddresses] = HostAddresses
    run_sockets: Callable[[Sockets, Deliver, ReceiveEsp], Awaitable[None]] = run_sockets
    run_addresses: Callable[[HostAddresses, ReportHub, Tell], Awaitable[None]] = run_addresses
    run_alarms: Callable[[Alarms], Awaitable[None]] = run_alarms
    run_control: Callable[[ControlListener, Dispatcher, ReportHub], Awaitable[None]] = run_control
