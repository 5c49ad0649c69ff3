"""The UDP sockets of IKE: port 500 and the NAT traversal port, IPv4 and IPv6.

`Sockets` holds them and outlives the actor that reads them. Each datagram's own local address is
known (IP_PKTINFO), and its answers leave from there. A readable socket is drained without waiting,
a bounded number of datagrams at a time. Sending does not wait either: what the kernel cannot take
now is queued, a little; what it refuses is counted and reported, for the peer's silence and our
retransmission deal with it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address

import trio

from ikeactors.actors import udp
from ikeactors.actors.reports import ReportHub
from ikeactors.errors import Fault
from ikeactors.protocol.actions import Level, Report
from ikeactors.protocol.events import Address, DatagramReceived, Endpoint
from ikeactors.quick import quick

# Datagrams taken at one wake-up before others get their turn: 15 ms of handshakes.
DRAIN_LIMIT = 64
# Datagrams that wait for room in a socket's send buffer; a full buffer is a link in trouble, and
# what waits long there is outdated by its retransmission.
SEND_LIMIT = 128
# Endpoints remembered as objects: making one costs more than the rest of receiving a datagram.
_ENDPOINTS_LIMIT = 4096

_IKE_PORT = 500
_NAT_T_PORT = 4500
_NON_ESP_MARKER = bytes(4)
_KEEPALIVE = b"\xff"
_BROKEN = frozenset({errno.EBADF, errno.ENOTSOCK})


class SocketUnusable(Fault):
    """An address or a port that the configuration names is not to be had."""


# ESP in UDP, with its endpoints, for the userspace data plane.
ReceiveEsp = Callable[[bytes, Endpoint, Endpoint], None]
Deliver = Callable[[DatagramReceived], None]


@dataclass(frozen=True, slots=True)
class SocketSettings:
    """Where to listen and how. No `listen` is all addresses; ports 0 are the kernel's choice."""

    listen: tuple[Address, ...] = ()
    port: int = _IKE_PORT
    port_nat_t: int = _NAT_T_PORT
    mark: int = 0x1CE


@dataclass(frozen=True, slots=True)
class SocketStatistics:
    """Datagrams and what became of them; `failed` by the name of the error."""

    sockets: tuple[str, ...]
    received: int
    sent: int
    waiting: int
    dropped: tuple[tuple[str, int], ...]
    failed: tuple[tuple[str, int], ...]


@quick
class _Waiting:
    """A datagram for which the send buffer had no room."""

    parts: tuple[bytes, ...]
    way: _Way
    remote: Endpoint


class _Port:
    """One socket, what it is bound to, and what waits to be sent on it."""

    def __init__(self, address: Address, port: int, nat_t: bool) -> None:
        self.address = address
        self.port = port
        self.nat_t = nat_t
        self.socket: socket.socket | None = None
        self.waiting: deque[_Waiting] = deque()
        self.writer = trio.lowlevel.ParkingLot()

    @property
    def name(self) -> str:
        """For people."""
        return str(Endpoint(self.address, self.port))


@dataclass(frozen=True, slots=True)
class _Way:
    """How datagrams leave from one endpoint of ours: the socket, and its ancillary data."""

    local: Endpoint
    port: _Port
    source: list[tuple[int, int, bytes]]


class Sockets:
    """All sockets, how to receive from them and how to send."""

    def __init__(self, settings: SocketSettings, hub: ReportHub) -> None:
        self._settings = settings
        self._hub = hub
        self._esp_in_kernel = False
        self._ports: list[_Port] = []
        self._endpoints: dict[tuple[object, int], Endpoint] = {}
        self._ways: dict[Endpoint, _Way] = {}
        self._received = 0
        self._sent = 0
        self._dropped: dict[str, int] = {}
        self._problem = ""
        self._failed: dict[str, int] = {}

    def open(self, *, esp_in_kernel: bool) -> None:
        """Bind every socket; `SocketUnusable` when an address or port is not to be had.

        `esp_in_kernel` lets the kernel take ESP out of UDP before we see it.
        """
        self._esp_in_kernel = esp_in_kernel
        addresses = self._settings.listen or (ip_address("0.0.0.0"), ip_address("::"))
        for address in addresses:
            if not self._settings.listen and not _family_exists(address):
                self._report("socket-skipped", f"this host has no IPv{address.version}")
                continue
            self._ports.append(_Port(address, self._settings.port, nat_t=False))
            self._ports.append(_Port(address, self._settings.port_nat_t, nat_t=True))
        self.mend()

    def mend(self) -> None:
        """Bind again what is not open or broken; what is in order stays as it is."""
        for port in self._ports:
            if port.socket is not None and not _is_broken(port.socket):
                continue
            opened = _opened(port, self._settings.mark)
            port.socket = opened.socket
            port.port = port.socket.getsockname()[1]
            problems = list(opened.problems)
            if port.nat_t and self._esp_in_kernel:
                problems += udp.take_esp_out(port.socket)
            for problem in problems:
                self._report("socket-limited", f"{port.name}: {problem}", Level.WARNING)

    def close(self) -> None:
        """Close every socket."""
        for port in self._ports:
            if port.socket is not None:
                port.socket.close()

    def local_ports(self) -> tuple[int, int]:
        """The IKE port and the NAT traversal port in use."""
        ike = next((one.port for one in self._ports if not one.nat_t), self._settings.port)
        nat_t = next((one.port for one in self._ports if one.nat_t), self._settings.port_nat_t)
        return ike, nat_t

    def source_for(self, remote: Address) -> Address | None:
        """The address of ours from which the routing table reaches `remote`, if it does."""
        return udp.source_for(remote, self._settings.mark)

    def send_message(self, octets: bytes, local: Endpoint, remote: Endpoint, dscp: int = 0) -> str:
        """Send an IKE message, with the non-ESP marker on the NAT traversal port.

        Why it could not be sent, as far as that shows at once, or nothing (RFC 3948 section 2.2).
        """
        way = self._way_from(local)
        if way is None:
            return self._count_failure("EADDRNOTAVAIL", local, remote)
        if dscp:
            way = replace(way, source=[*way.source, udp.class_of(local.address, dscp)])
        parts = (_NON_ESP_MARKER, octets) if way.port.nat_t else (octets,)
        self._problem = ""
        self._send(way.port, _Waiting(parts, way, remote))
        return self._problem

    def send(self, octets: bytes, local: Endpoint, remote: Endpoint) -> None:
        """Send octets as they are: a keepalive, ESP."""
        way = self._way_from(local)
        if way is None:
            self._count_failure("EADDRNOTAVAIL", local, remote)
            return
        self._send(way.port, _Waiting((octets,), way, remote))

    def send_keepalive(self, local: Endpoint, remote: Endpoint) -> None:
        """Send a NAT keepalive."""
        self.send(_KEEPALIVE, local, remote)

    def drain(self, port: _Port, deliver: Deliver, receive_esp: ReceiveEsp) -> bool:
        """Take what is there, a bounded number; whether there may be more."""
        assert port.socket is not None
        for _ in range(DRAIN_LIMIT):
            try:
                octets, ancillary, _, sender = port.socket.recvmsg(
                    udp.LARGEST_DATAGRAM, udp.ANCILLARY
                )
            except BlockingIOError:
                return False
            self._received += 1
            local = self._local_of(port, ancillary)
            remote = self._remote_of(sender)
            if not port.nat_t:
                deliver(DatagramReceived(octets, local, remote))
            else:
                self._sort(octets, local, remote, deliver, receive_esp)
        return True

    def flush(self, port: _Port) -> None:
        """Send what waits, as far as the kernel takes it."""
        while port.waiting and self._transmit(port, port.waiting[0]):
            port.waiting.popleft()

    def statistics(self) -> SocketStatistics:
        """What the admin socket shows."""
        return SocketStatistics(
            tuple(port.name for port in self._ports),
            self._received,
            self._sent,
            sum(len(port.waiting) for port in self._ports),
            tuple(sorted(self._dropped.items())),
            tuple(sorted(self._failed.items())),
        )

    @property
    def ports(self) -> Sequence[_Port]:
        """The sockets, for the actor that reads them."""
        return self._ports

    def _sort(
        self,
        octets: bytes,
        local: Endpoint,
        remote: Endpoint,
        deliver: Deliver,
        receive_esp: ReceiveEsp,
    ) -> None:
        """Tell keepalives, IKE and ESP apart on the NAT traversal port (RFC 3948 section 2.2)."""
        if octets[:4] == _NON_ESP_MARKER:
            deliver(DatagramReceived(octets[4:], local, remote))
        elif len(octets) >= 4:
            receive_esp(octets, local, remote)
        elif octets == _KEEPALIVE:
            self._drop("keepalive")
        else:
            self._drop("short")

    def _way_from(self, local: Endpoint) -> _Way | None:
        way = self._ways.get(local)
        if way is not None:
            return way
        port = self._port_for(local)
        if port is None:
            return None
        if len(self._ways) >= _ENDPOINTS_LIMIT:
            self._ways.clear()
        way = self._ways[local] = _Way(local, port, udp.source_of(local.address))
        return way

    def _port_for(self, local: Endpoint) -> _Port | None:
        """The socket bound to this endpoint, by its port's purpose if not by its number."""
        candidates = [
            port
            for port in self._ports
            if port.address == local.address
            or (port.address.is_unspecified and port.address.version == local.address.version)
        ]
        wanted_nat_t = local.port == _NAT_T_PORT
        exact = (port for port in candidates if port.port == local.port)
        return next(exact, None) or next(
            (port for port in candidates if port.nat_t == wanted_nat_t), None
        )

    def _send(self, port: _Port, datagram: _Waiting) -> None:
        if not port.waiting and self._transmit(port, datagram):
            return
        if len(port.waiting) >= SEND_LIMIT:
            self._count_failure("EAGAIN", datagram.way.local, datagram.remote)
            return
        port.waiting.append(datagram)
        port.writer.unpark()

    def _transmit(self, port: _Port, datagram: _Waiting) -> bool:
        """Give a datagram to the kernel; False when it has no room, True when that is over."""
        if port.socket is None:
            self._count_failure("EBADF", datagram.way.local, datagram.remote)
            return True
        try:
            port.socket.sendmsg(
                datagram.parts, datagram.way.source, 0, udp.name_of(datagram.remote)
            )
        except BlockingIOError:
            return False
        except OSError as fault:
            name = errno.errorcode.get(fault.errno or 0, "unknown")
            self._count_failure(name, datagram.way.local, datagram.remote)
            return True
        self._sent += 1
        return True

    def _local_of(self, port: _Port, ancillary: list[tuple[int, int, bytes]]) -> Endpoint:
        packed = udp.destination_of(ancillary)
        if packed is None:
            return Endpoint(port.address, port.port)
        return self._endpoint(packed, port.port)

    def _remote_of(self, sender: tuple[str, int, int, int] | tuple[str, int]) -> Endpoint:
        host = sender[0]
        if len(sender) == 2:
            return self._endpoint(socket.inet_aton(host), sender[1])
        if sender[3]:
            host = f"{host}%{sender[3]}"
        return self._endpoint(host, sender[1])

    def _endpoint(self, address: str | bytes, port: int) -> Endpoint:
        endpoint = self._endpoints.get((address, port))
        if endpoint is None:
            if len(self._endpoints) >= _ENDPOINTS_LIMIT:
                self._endpoints.clear()
            endpoint = Endpoint(ip_address(address), port)
            self._endpoints[(address, port)] = endpoint
        return endpoint

    def _drop(self, reason: str) -> None:
        self._dropped[reason] = self._dropped.get(reason, 0) + 1

    def _count_failure(self, name: str, local: Endpoint, remote: Endpoint) -> str:
        """Count it; told at each power of two, so that a dead link is a few lines."""
        count = self._failed[name] = self._failed.get(name, 0) + 1
        self._problem = os.strerror(getattr(errno, name, 0))
        if count & (count - 1) == 0:
            text = f"cannot send from {local} to {remote}: {self._problem}"
            self._report("datagram-not-sent", text, Level.WARNING)
        return self._problem

    def _report(self, name: str, text: str, level: Level = Level.INFO) -> None:
        self._hub.publish(Report(name, text, level))


async def run_sockets(sockets: Sockets, deliver: Deliver, receive_esp: ReceiveEsp) -> None:
    """Read all sockets and send what had to wait. A successor goes on with the same sockets."""
    sockets.mend()
    async with trio.open_nursery() as nursery:
        for port in sockets.ports:
            nursery.start_soon(_read, sockets, port, deliver, receive_esp)
            nursery.start_soon(_write, sockets, port)


async def _read(sockets: Sockets, port: _Port, deliver: Deliver, receive_esp: ReceiveEsp) -> None:
    assert port.socket is not None
    while True:
        await trio.lowlevel.wait_readable(port.socket)
        while sockets.drain(port, deliver, receive_esp):
            await trio.lowlevel.checkpoint()


async def _write(sockets: Sockets, port: _Port) -> None:
    assert port.socket is not None
    while True:
        while not port.waiting:
            await port.writer.park()
        await trio.lowlevel.wait_writable(port.socket)
        sockets.flush(port)


def _opened(port: _Port, mark: int) -> udp.OpenedSocket:
    try:
        return udp.open_socket(port.address, port.port, mark)
    except OSError as fault:
        why = fault.strerror or str(fault)
        hint = "; is another IKE daemon running?" if fault.errno == errno.EADDRINUSE else ""
        raise SocketUnusable(f"cannot listen on {port.name}: {why}{hint}") from fault


def _family_exists(address: Address) -> bool:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.bind((str(address), 0))
        return True
    return False


def _is_broken(opened: socket.socket) -> bool:
    if opened.fileno() < 0:
        return True
    try:
        opened.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    except OSError as fault:
        return fault.errno in _BROKEN
    return False
