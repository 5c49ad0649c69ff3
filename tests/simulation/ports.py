"""What a daemon has in a simulation instead of sockets, threads and files."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, Protocol

import trio

from ikeactors.actors.reports import ReportHub
from ikeactors.actors.sockets import Deliver, ReceiveEsp, Sockets, SocketSettings
from ikeactors.actors.unix_socket import ControlListener
from ikeactors.actors.workers import Carrier, Done
from ikeactors.protocol.events import Address, DatagramReceived, Endpoint
from ikeactors.protocol.surroundings import IKE_PORT, NAT_PORT
from tests.simulation.network import Datagram, Network

_NON_ESP_MARKER = bytes(4)
# As much as a socket's buffer holds.
_BUFFER = 512
# How often a host that stands still looks whether it may go on.
BLINK = 0.5


class Place(Protocol):
    """Where a process is in the network."""

    address: Address

    @property
    def paused(self) -> bool: ...

    @property
    def is_down(self) -> bool: ...

    def step(self, what: str) -> None: ...


class SimulatedSockets(Sockets):
    """Ports 500 and 4500 of one process. What waits here outlives the actor, as in a buffer."""

    def __init__(self, place: Place, network: Network, is_unsendable: Callable[[], bool]) -> None:
        super().__init__(SocketSettings(), ReportHub(trio.current_time))
        self._place = place
        self._network = network
        self._is_unsendable = is_unsendable
        self._arrived: deque[Datagram] = deque()
        self._reader = trio.lowlevel.ParkingLot()

    def open(self, *, esp_in_kernel: bool) -> None:
        """There is nothing to bind."""

    def local_ports(self) -> tuple[int, int]:
        return IKE_PORT, NAT_PORT

    def source_for(self, remote: Address) -> Address | None:
        return self._place.address

    def send_message(self, octets: bytes, local: Endpoint, remote: Endpoint, dscp: int = 0) -> str:
        if self._is_unsendable():
            return "Network is unreachable"
        marker = _NON_ESP_MARKER if local.port == NAT_PORT else b""
        self.send(marker + octets, local, remote)
        return ""

    def send(self, octets: bytes, local: Endpoint, remote: Endpoint) -> None:
        self._place.step("send")
        # A process that is dead sends nothing, even in the middle of its last step.
        if not self._place.paused and not self._place.is_down:
            self._network.send(Datagram(local, remote, octets))
            self._place.step("sent")

    def receive(self, datagram: Datagram) -> None:
        """The network has brought something."""
        if len(self._arrived) < _BUFFER:
            self._arrived.append(datagram)
            self._reader.unpark()

    async def read(self, deliver: Deliver) -> None:
        """Read what is there."""
        while True:
            while not self._arrived:
                await self._reader.park()
            while self._place.paused:
                await trio.sleep(BLINK)
            datagram = self._arrived.popleft()
            self._place.step("receive")
            octets = datagram.content
            assert isinstance(octets, bytes)
            if datagram.destination.port == NAT_PORT:
                if octets[:4] != _NON_ESP_MARKER:
                    continue
                octets = octets[4:]
            deliver(DatagramReceived(octets, datagram.destination, datagram.source))


async def run_simulated_sockets(
    sockets: Sockets, deliver: Deliver, receive_esp: ReceiveEsp
) -> None:
    """The actor. ESP goes to the simulated kernel and does not come here."""
    assert isinstance(sockets, SimulatedSockets)
    await sockets.read(deliver)


async def in_place(work: Callable[..., Any], *arguments: object) -> Any:
    """What a thread would do, at once."""
    await trio.lowlevel.checkpoint()
    return work(*arguments)


def no_listener(path: Path, group: int | None) -> ControlListener:
    """An admin socket that has no file and that nobody connects to."""
    return ControlListener(socket.socket(socket.AF_UNIX), path)


async def nobody_asks(*_: object) -> None:
    """The control actor: operators ask the associations themselves."""
    await trio.sleep_forever()


async def stays_as_it_is(*_: object) -> None:
    """The addresses actor of a host whose addresses never change."""
    await trio.sleep_forever()


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
