"""What a daemon has in a simulation instead of sockets, threads and the system's chance."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any

import trio

from ikeactors.actors.workers import Carrier, Done
from ikeactors.protocol.events import Address, DatagramReceived, Endpoint
from ikeactors.protocol.surroundings import IKE_PORT, NAT_PORT
from tests.simulation.network import Datagram, Network

_NON_ESP_MARKER = bytes(4)
_KEEPALIVE = b"\xff"
# As much as a socket's buffer holds.
_BUFFER = 512
# How often a host that stands still looks whether it may go on.
BLINK = 0.5


class SimulatedSockets:
    """Ports 500 and 4500 of one host. What waits here outlives the actor, as in a real buffer."""

    def __init__(
        self, address: Address, network: Network, is_unsendable: Callable[[], bool]
    ) -> None:
        self._address = address
        self._network = network
        self._is_unsendable = is_unsendable
        self.paused_until = 0.0
        self._waiting: deque[Datagram] = deque()
        self._reader = trio.lowlevel.ParkingLot()

    def local_ports(self) -> tuple[int, int]:
        return IKE_PORT, NAT_PORT

    def source_for(self, remote: Address) -> Address | None:
        return self._address

    def send_message(self, octets: bytes, local: Endpoint, remote: Endpoint) -> str:
        if self._is_unsendable():
            return "Network is unreachable"
        marker = _NON_ESP_MARKER if local.port == NAT_PORT else b""
        self.send(marker + octets, local, remote)
        return ""

    def send_keepalive(self, local: Endpoint, remote: Endpoint) -> None:
        self.send(_KEEPALIVE, local, remote)

    def send(self, octets: bytes, local: Endpoint, remote: Endpoint) -> None:
        if trio.current_time() < self.paused_until:
            return
        self._network.send(Datagram(local, remote, octets))

    def receive(self, datagram: Datagram) -> None:
        """The network has brought something."""
        if len(self._waiting) < _BUFFER:
            self._waiting.append(datagram)
            self._reader.unpark()

    def forget(self) -> None:
        """The process is gone, and what waited for it."""
        self._waiting.clear()
        self._reader = trio.lowlevel.ParkingLot()

    async def run(self, deliver: Callable[[DatagramReceived], None]) -> None:
        """The actor: read what is there."""
        while True:
            while not self._waiting:
                await self._reader.park()
            while trio.current_time() < self.paused_until:
                await trio.sleep(BLINK)
            datagram = self._waiting.popleft()
            octets = datagram.content
            assert isinstance(octets, bytes)
            if datagram.destination.port == NAT_PORT:
                if octets[:4] != _NON_ESP_MARKER:
                    continue
                octets = octets[4:]
            deliver(DatagramReceived(octets, datagram.destination, datagram.source))


def late(chance: Random, longest: Callable[[], float]) -> Carrier:
    """Carries work out in place, but not at once; like a thread, what has begun comes to an end."""

    async def carry(work: Callable[[], Any], /) -> Done:
        delay = chance.uniform(0.0, longest())
        await trio.sleep(delay / 2)
        done: Done = work()
        with trio.CancelScope(shield=True):
            await trio.sleep(delay / 2)
        return done

    return carry
