"""The UDP sockets, for real, on the loopback interface."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address

import pytest
import trio
import trio.testing

from ikeactors.actors.reports import ReportHub
from ikeactors.actors.sockets import (
    DRAIN_LIMIT,
    SEND_LIMIT,
    Sockets,
    SocketSettings,
    SocketUnusable,
    run_sockets,
)
from ikeactors.protocol.events import DatagramReceived, Endpoint

V4 = ip_address("127.0.0.1")
V6 = ip_address("::1")
MARKER = bytes(4)


@dataclass
class Ends:
    """What came in: IKE messages, and ESP with its ends."""

    messages: list[DatagramReceived] = field(default_factory=list)
    esp: list[tuple[bytes, Endpoint, Endpoint]] = field(default_factory=list)

    def receive_esp(self, octets: bytes, local: Endpoint, remote: Endpoint) -> None:
        self.esp.append((octets, local, remote))


@contextmanager
def opened(**settings: object) -> Iterator[Sockets]:
    sockets = Sockets(
        SocketSettings(**{"port": 0, "port_nat_t": 0, **settings}),  # type: ignore[arg-type]
        ReportHub(lambda: 0.0),
    )
    sockets.open(esp_in_kernel=False)
    try:
        yield sockets
    finally:
        sockets.close()


@asynccontextmanager
async def served(sockets: Sockets, ends: Ends) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_sockets, sockets, ends.messages.append, ends.receive_esp)
        await trio.testing.wait_all_tasks_blocked()
        yield
        nursery.cancel_scope.cancel()


async def until(reached: object) -> None:
    """Wait for what the kernel carries from socket to socket."""
    assert callable(reached)
    with trio.fail_after(5):
        while not reached():
            await trio.sleep(0.001)


# linux/in.h and linux/in6.h: tell the traffic class of what comes in.
_RECEIVE_CLASS = {
    "127.0.0.1": (socket.IPPROTO_IP, 13),
    "::1": (socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS),
}


@pytest.mark.parametrize("address", _RECEIVE_CLASS)
def test_a_message_leaves_with_its_dscp(address: str) -> None:
    with opened(listen=(V4, V6)) as sockets, client(address) as far:
        far.setsockopt(*_RECEIVE_CLASS[address], 1)
        far.settimeout(5)
        here = ip_address(address)
        port = next(one.port for one in sockets.ports if one.address == here and not one.nat_t)
        local, remote = Endpoint(here, port), Endpoint(here, far.getsockname()[1])
        for dscp in (0, 0b101110, 0):
            assert sockets.send_message(b"message", local, remote, dscp) == ""
            octets, ((_, _, traffic_class),), *_ = far.recvmsg(100, 100)
            assert octets == b"message"
            assert traffic_class[0] == dscp << 2


@contextmanager
def client(address: str = "127.0.0.1") -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as one:
        one.bind((address, 0))
        one.settimeout(5)
        yield one


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.9", "::1"])
async def test_a_datagrams_local_address_is_known_and_its_answer_leaves_from_there(
    address: str,
) -> None:
    ends = Ends()
    with opened() as sockets, client() if ":" not in address else client("::1") as peer:
        async with served(sockets, ends):
            port, _ = sockets.local_ports()
            if ":" in address:
                port = next(
                    int(name.rpartition(":")[2])
                    for name in sockets.statistics().sockets
                    if name.startswith("[::]")
                )
            peer.sendto(b"hello", (address, port))
            await until(lambda: ends.messages)
            message = ends.messages[0]
            assert message.octets == b"hello"
            assert message.local == Endpoint(ip_address(address), port)
            assert message.remote.port == peer.getsockname()[1]
            sockets.send_message(b"answer", message.local, message.remote)
            answer, source = await trio.to_thread.run_sync(peer.recvfrom, 100)
    assert (answer, source[:2]) == (b"answer", (address, port))


async def test_ike_esp_and_keepalives_are_told_apart_on_the_nat_traversal_port() -> None:
    ends = Ends()
    with opened(listen=(V4,)) as sockets, client() as peer:
        async with served(sockets, ends):
            _, nat_t = sockets.local_ports()
            for octets in (MARKER + b"ike", b"\xff", b"", b"\0\0\0", b"\0\0\0\1esp"):
                peer.sendto(octets, ("127.0.0.1", nat_t))
            await until(lambda: ends.esp)
    assert [message.octets for message in ends.messages] == [b"ike"]
    assert [octets for octets, _, _ in ends.esp] == [b"\0\0\0\1esp"]
    assert sockets.statistics().dropped == (("keepalive", 1), ("short", 2))


async def test_the_marker_goes_before_messages_on_the_nat_traversal_port_only() -> None:
    with opened(listen=(V4,)) as sockets, client() as peer:
        ike, nat_t = sockets.local_ports()
        remote = Endpoint(V4, peer.getsockname()[1])
        sockets.send_message(b"ike", Endpoint(V4, ike), remote)
        sockets.send_message(b"ike", Endpoint(V4, nat_t), remote)
        sockets.send(b"esp", Endpoint(V4, nat_t), remote)
        sockets.send_keepalive(Endpoint(V4, nat_t), remote)
        received = [peer.recv(100) for _ in range(4)]
    assert received == [b"ike", MARKER + b"ike", b"esp", b"\xff"]


async def test_the_usual_port_numbers_mean_the_configured_ports() -> None:
    with opened(listen=(V4,)) as sockets, client() as peer:
        remote = Endpoint(V4, peer.getsockname()[1])
        sockets.send_message(b"ike", Endpoint(V4, 500), remote)
        sockets.send_message(b"ike", Endpoint(V4, 4500), remote)
        assert [peer.recv(100) for _ in range(2)] == [b"ike", MARKER + b"ike"]


async def test_a_burst_is_drained_in_turns() -> None:
    ends = Ends()
    with opened(listen=(V4,)) as sockets, client() as peer:
        ike, _ = sockets.local_ports()
        burst = 2 * DRAIN_LIMIT + 5
        for number in range(burst):
            peer.sendto(number.to_bytes(2, "big"), ("127.0.0.1", ike))
        port = sockets.ports[0]
        turns = []
        for _ in range(3):
            more = sockets.drain(port, ends.messages.append, ends.receive_esp)
            turns.append((more, len(ends.messages)))
    assert turns == [(True, DRAIN_LIMIT), (True, 2 * DRAIN_LIMIT), (False, burst)]
    assert [int.from_bytes(one.octets, "big") for one in ends.messages] == list(range(burst))


async def test_what_cannot_be_sent_is_counted_and_never_raised() -> None:
    with opened(listen=(V4,)) as sockets:
        ike, _ = sockets.local_ports()
        local = Endpoint(V4, ike)
        sockets.send_message(b"x" * 70_000, local, Endpoint(V4, 9))
        sockets.send_message(b"x", Endpoint(ip_address("192.0.2.77"), 500), Endpoint(V4, 9))
        sockets.send_message(b"x", Endpoint(V6, 500), Endpoint(V6, 9))
        sockets.send_message(b"x", local, Endpoint(ip_address("255.255.255.255"), 9))
    failed = dict(sockets.statistics().failed)
    assert failed["EMSGSIZE"] == 1
    assert failed["EADDRNOTAVAIL"] == 2
    assert sum(failed.values()) == 4


class FullBuffer:
    """A socket whose send buffer has room for some datagrams only."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.sent: list[bytes] = []

    def sendmsg(self, parts: tuple[bytes, ...], *_: object) -> None:
        if len(self.sent) >= self.room:
            raise BlockingIOError
        self.sent.append(b"".join(parts))


async def test_what_finds_no_room_waits_in_order_and_within_bounds() -> None:
    with opened(listen=(V4,)) as sockets:
        port = sockets.ports[0]
        real, port.socket = port.socket, FullBuffer(room=1)  # type: ignore[assignment]
        local, remote = Endpoint(V4, port.port), Endpoint(V4, 9)
        for number in range(SEND_LIMIT + 3):
            sockets.send_message(number.to_bytes(2, "big"), local, remote)
        assert sockets.statistics().waiting == SEND_LIMIT
        assert dict(sockets.statistics().failed) == {"EAGAIN": 2}
        buffer = port.socket
        assert isinstance(buffer, FullBuffer)
        buffer.room = 10_000
        sockets.flush(port)
        port.socket = real
    assert [int.from_bytes(one, "big") for one in buffer.sent] == list(range(SEND_LIMIT + 1))
    assert sockets.statistics().waiting == 0


async def test_a_killed_socket_actor_is_followed_by_one_on_the_same_sockets() -> None:
    ends = Ends()
    with opened(listen=(V4,)) as sockets, client() as peer:
        async with served(sockets, ends):
            pass
        ike, _ = sockets.local_ports()
        peer.sendto(b"between two lives", ("127.0.0.1", ike))
        async with served(sockets, ends):
            await until(lambda: ends.messages)
        assert sockets.local_ports()[0] == ike
    assert ends.messages[0].octets == b"between two lives"


async def test_a_broken_socket_is_bound_again() -> None:
    ends = Ends()
    with opened(listen=(V4,)) as sockets, client() as peer:
        ike, _ = sockets.local_ports()
        broken = sockets.ports[0].socket
        assert broken is not None
        broken.close()
        async with served(sockets, ends):
            peer.sendto(b"again", ("127.0.0.1", ike))
            await until(lambda: ends.messages)


async def test_a_port_that_is_taken_is_an_error_at_start() -> None:
    with (
        opened(listen=(V4,)) as sockets,
        pytest.raises(SocketUnusable, match="Address already in use; is another IKE daemon"),
        opened(listen=(V4,), port=sockets.local_ports()[0]),
    ):
        pass


async def test_the_routing_table_knows_our_address_towards_a_peer() -> None:
    with opened(listen=(V4,)) as sockets:
        assert sockets.source_for(V4) == V4
        assert sockets.source_for(V6) == V6
