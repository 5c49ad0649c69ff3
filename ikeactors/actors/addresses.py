"""This host's addresses and routes, as they come and go (rtnetlink).

`HostAddresses` knows the addresses and outlives the actor, which waits for changes and tells of
them. A cable that is pulled, a DHCP lease, a routing daemon that starts: each is a storm of events.
They are told once, when they have come to rest. All of them say no more than that it is time to
look: the addresses are always read anew, so a lost event costs nothing.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

import trio

from ikeactors.actors.left_routes import ROUTE_PROTOCOL
from ikeactors.actors.reports import ReportHub
from ikeactors.kernel.netlink import (
    NLMSG_DONE,
    NLMSG_ERROR,
    Message,
    read_acknowledgement,
    read_messages,
    write_message,
)
from ikeactors.kernel.rtnetlink import GROUPS, dump_addresses, matters, read_address
from ikeactors.protocol.actions import Level, Report
from ikeactors.protocol.events import Address

# linux/netlink.h: addresses have changed while they were told.
_NLM_F_DUMP_INTR = 0x10

# Ours: a storm is over when nothing has come for this long; DHCP sets address and route within
# milliseconds of each other. One that does not end (a full routing table that is being learnt) is
# told of every so often all the same.
QUIET = 0.3
# Ours: what takes the place of an address that goes, where one does, is there by then.
FIRST_LOOK = 0.02
LONGEST_STORM = 5.0

# Ours: how often a look at the addresses that was disturbed is begun again.
_LOOKS = 5
# Ours: events of a routing daemon's start wait here; where they do not fit, their loss is an event.
_EVENT_BUFFER = 1 << 20
_LARGEST_DATAGRAM = 65536
_KERNEL = 0
# Datagrams taken at one wake-up before others get their turn.
_DRAIN_LIMIT = 64

# Told with whether addresses have come or gone; if not, only routes have.
Tell = Callable[[bool], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class AddressStatistics:
    """What is known, how often it was looked at, and how often it was another then."""

    addresses: tuple[str, ...]
    looks: int
    changes: int


class HostAddresses:
    """The addresses of this host, as they were when somebody last looked; empty while unknown."""

    def __init__(self) -> None:
        self._addresses: tuple[Address, ...] = ()
        self._looks = 0
        self._changes = 0

    def addresses(self) -> tuple[Address, ...]:
        """All of them, in an order that is always the same; the same object while none changes."""
        return self._addresses

    def look(self) -> bool:
        """Read them anew; whether any has come or gone. OSError where the kernel does not say."""
        self._looks += 1
        found = read_addresses()
        if found == self._addresses:
            return False
        self._addresses = found
        self._changes += 1
        return True

    def statistics(self) -> AddressStatistics:
        """What the admin socket shows."""
        return AddressStatistics(tuple(map(str, self._addresses)), self._looks, self._changes)


async def run_addresses(host: HostAddresses, hub: ReportHub, tell: Tell) -> None:
    """Wait for changes, and tell of them when they have come to rest."""
    try:
        watching = _open(GROUPS)
    except OSError as fault:
        text = f"no word of addresses that come and go: {fault.strerror} (rtnetlink)"
        hub.publish(Report("addresses-unknown", text, Level.WARNING))
        await trio.sleep_forever()
    with watching:
        watching.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _EVENT_BUFFER)
        # What has changed before, or while a predecessor was down, nobody has told.
        if _look(host, hub):
            await tell(True)
        while True:
            await _until_something(watching)
            await trio.sleep(FIRST_LOOK)
            if _has_lost(host) and _look(host, hub):
                await tell(True)
            await _until_at_rest(watching)
            await tell(_look(host, hub))


def _look(host: HostAddresses, hub: ReportHub) -> bool:
    try:
        has_changed = host.look()
    except OSError as fault:
        text = f"this host's addresses cannot be read: {fault.strerror or fault}"
        hub.publish(Report("addresses-unknown", text, Level.WARNING))
        return False
    if has_changed:
        text = "the addresses of this host: " + ", ".join(map(str, host.addresses()))
        hub.publish(Report("addresses-changed", text))
    return has_changed


def read_addresses() -> tuple[Address, ...]:
    """The addresses of this host that can be used now; OSError where the kernel does not say."""
    with _open(0) as asking:
        for _ in range(_LOOKS):
            asking.sendto(write_message(dump_addresses(), 1), (_KERNEL, 0))
            answers = list(_answers(asking))
            if not any(one.flags & _NLM_F_DUMP_INTR for one in answers):
                break
    found = {address for one in answers if (address := read_address(one)) is not None}
    return tuple(sorted(found, key=lambda one: (one.version, int(one))))


def _has_lost(host: HostAddresses) -> bool:
    """Whether an address that was there is not any more."""
    with suppress(OSError):
        return not set(host.addresses()) <= set(read_addresses())
    return False


async def _until_something(watching: socket.socket) -> None:
    """Wait for something that matters."""
    while not _drain(watching):
        await trio.lowlevel.wait_readable(watching)


async def _until_at_rest(watching: socket.socket) -> None:
    """Wait until nothing more comes."""
    with trio.move_on_after(LONGEST_STORM):
        while True:
            with trio.move_on_after(QUIET) as pause:
                await trio.lowlevel.wait_readable(watching)
            if pause.cancelled_caught:
                return
            _drain(watching)


def _drain(watching: socket.socket) -> bool:
    """Take what waits, a bounded number; whether any of it matters. A loss does."""
    found = False
    for _ in range(_DRAIN_LIMIT):
        try:
            octets, (sender, _) = watching.recvfrom(_LARGEST_DATAGRAM)
        except BlockingIOError:
            break
        except OSError as fault:
            if fault.errno != errno.ENOBUFS:
                raise
            found = True
            continue
        # Any process may send to us; the kernel's port is 0.
        if sender == _KERNEL:
            found = found or any(matters(one, ROUTE_PROTOCOL) for one in read_messages(octets))
    return found


def _answers(asking: socket.socket) -> Iterator[Message]:
    """What the kernel says to a dump: it has each part ready when it is asked for."""
    while True:
        octets, (sender, _) = asking.recvfrom(_LARGEST_DATAGRAM)
        if sender != _KERNEL:
            continue
        for message in read_messages(octets):
            if message.type == NLMSG_DONE:
                return
            if message.type == NLMSG_ERROR:
                raise OSError(read_acknowledgement(message).errno, "rtnetlink does not tell")
            yield message


def _open(groups: int) -> socket.socket:
    opened = socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE
    )
    opened.bind((0, groups))
    return opened
