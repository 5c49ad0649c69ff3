"""The userspace data plane without a device: packets in, packets out, what is dropped and why."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikeactors.actors.backends import Acquired
from ikeactors.actors.userspace.plane import Plane
from ikeactors.kernel.requests import (
    Direction,
    Encapsulation,
    KernelRefusal,
    Lifetime,
    Mode,
    PolicyAction,
    SaRequest,
)
from ikeactors.protocol.events import Endpoint, SaExpired, SaMappingChanged, Trigger
from tests.fakes.sas import CBC, EAST, GCM, WEST, packet, policy, sa, selector, turned

WEST_END, EAST_END = Endpoint(WEST, 4500), Endpoint(EAST, 4500)
OUTBOUND = policy()
INBOUND = policy("10.2.0.0/24", "10.1.0.0/24", Direction.IN)
ANSWER = packet("10.2.0.1", "10.1.0.1")


class Host:
    """One end: a plane, what it has sent, what it has given to its host, its clock."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, Endpoint, Endpoint]] = []
        self.delivered: list[bytes] = []
        self.now = 100.0
        self.takes_packets = True
        self.plane = Plane(
            lambda *datagram: self.sent.append(datagram),
            self._write,
            lambda count: bytes(count),
            lambda: self.now,
            lambda: self.now + 1_700_000_000,
        )

    def _write(self, inner: bytes) -> bool:
        if self.takes_packets:
            self.delivered.append(inner)
        return self.takes_packets

    @property
    def drops(self) -> dict[str, int]:
        return dict(self.plane.statistics().drops)

    def events(self) -> list[object]:
        return list(self.plane.events._events)


def eastward(**changes: object) -> SaRequest:
    """The SA from west to east as west has it."""
    return replace(sa(0x1000), **changes)


def westward(**changes: object) -> SaRequest:
    """The SA from east to west as west has it."""
    return replace(turned(sa(0x2000, Direction.IN, CBC)), **changes)


@pytest.fixture
def west() -> Host:
    host = Host()
    host.plane.install((eastward(), westward()), (OUTBOUND, INBOUND))
    return host


@pytest.fixture
def east() -> Host:
    host = Host()
    host.plane.install(
        (replace(eastward(), direction=Direction.IN), replace(westward(), direction=Direction.OUT)),
        (replace(INBOUND, direction=Direction.OUT), replace(OUTBOUND, direction=Direction.IN)),
    )
    return host


def carry(sender: Host, receiver: Host, seen_from: Endpoint | None = None) -> None:
    """Take what one has sent to the other."""
    for octets, local, remote in sender.sent:
        receiver.plane.receive(octets, remote, seen_from or local)
    sender.sent.clear()


def test_a_packet_goes_through_the_tunnel_and_its_answer_comes_back(west: Host, east: Host) -> None:
    """(RFC 4301 section 5)"""
    west.plane.transmit(packet())
    assert west.sent[0][1:] == (WEST_END, EAST_END)
    carry(west, east)
    assert east.delivered == [packet()]
    east.plane.transmit(ANSWER)
    carry(east, west)
    assert west.delivered == [ANSWER]
    statistics = west.plane.statistics()
    assert (statistics.sealed, statistics.opened, dict(statistics.drops)) == (1, 1, {})
    assert (statistics.sas, statistics.policies) == (2, 2)


@pytest.mark.parametrize(
    ("reason", "octets"),
    [
        ("not-ip", b""),
        ("not-ip", b"\x45short"),
        ("no-policy", packet(source="10.9.0.1")),
        ("no-policy", packet("fd01::1", "fd02::1")),
    ],
)
def test_what_may_not_leave_is_dropped_and_counted(west: Host, reason: str, octets: bytes) -> None:
    west.plane.transmit(octets)
    assert (west.sent, west.drops) == ([], {reason: 1})


def test_what_a_policy_says_not_to_protect_does_not_pass_here(west: Host) -> None:
    west.plane.install((), (replace(OUTBOUND, action=PolicyAction.DROP),))
    west.plane.transmit(packet())
    assert west.drops == {"policy": 1}


def test_without_an_sa_the_packet_is_dropped(west: Host) -> None:
    west.plane.remove((eastward().sa_id,), ())
    west.plane.transmit(packet())
    assert west.drops == {"no-sa": 1}


def test_the_newest_outbound_sa_of_the_reqid_is_used(west: Host) -> None:
    newer = eastward(spi=0x3000)
    west.plane.install((newer,), ())
    west.plane.transmit(packet())
    west.plane.remove((newer.sa_id,), ())
    west.plane.transmit(packet())
    assert [octets[:4].hex() for octets, _, _ in west.sent] == ["00003000", "00001000"]


@given(st.binary(max_size=200))
def test_octets_of_anybody_are_dropped(octets: bytes) -> None:
    host = Host()
    host.plane.install((eastward(), westward()), (OUTBOUND, INBOUND))
    for datagram in (octets, (0x2000).to_bytes(4, "big") + octets):
        host.plane.receive(datagram, WEST_END, EAST_END)
    assert sum(host.drops.values()) == 2
    assert host.delivered == host.events() == []


def test_a_replayed_packet_is_dropped(west: Host, east: Host) -> None:
    west.plane.transmit(packet())
    west.sent *= 2
    carry(west, east)
    assert (len(east.delivered), east.drops) == (1, {"replayed": 1})


def test_what_the_inbound_policy_does_not_allow_is_dropped(west: Host, east: Host) -> None:
    """(RFC 4301 section 5.2)"""
    west.plane.install((), (policy("10.1.0.0/16"),))
    west.plane.transmit(packet(source="10.1.9.9"))
    carry(west, east)
    assert (east.delivered, east.drops) == ([], {"selectors": 1})


def test_an_sa_without_any_inbound_policy_lets_nothing_in(west: Host) -> None:
    host = Host()
    host.plane.install((replace(eastward(), direction=Direction.IN),), ())
    west.plane.transmit(packet())
    carry(west, host)
    assert host.drops == {"selectors": 1}


def test_a_policy_taken_over_by_another_sa_still_lets_the_first_ones_packets_in(
    west: Host, east: Host
) -> None:
    east.plane.install((), (replace(OUTBOUND, direction=Direction.IN, reqid=99),))
    west.plane.transmit(packet())
    carry(west, east)
    assert east.delivered == [packet()]


@pytest.mark.parametrize(
    ("next_header", "drops"), [(59, {}), (17, {"next-header": 1})], ids=["dummy", "transport"]
)
def test_only_whole_ip_packets_are_delivered(
    east: Host, next_header: int, drops: dict[str, int]
) -> None:
    """(RFC 4303 section 2.6)"""
    keyed = GCM.cipher.keyed(eastward().encr_key, b"")
    header, iv = bytes.fromhex("0000100000000001"), bytes(8)
    sealed = header + iv + keyed.seal(iv, b"data\x01\x02" + bytes((2, next_header)), header)
    east.plane.receive(sealed, EAST_END, WEST_END)
    assert (east.delivered, east.drops) == ([], drops)


def test_a_device_that_is_down_is_counted(west: Host, east: Host) -> None:
    east.takes_packets = False
    west.plane.transmit(packet())
    carry(west, east)
    assert east.drops == {"device": 1}


def test_valid_esp_from_elsewhere_is_told_once_per_change(west: Host, east: Host) -> None:
    """(RFC 7296 section 2.23)"""
    elsewhere = Endpoint(ip_address("192.0.2.9"), 61000)
    inbound = replace(eastward(), direction=Direction.IN)
    for _ in range(3):
        west.plane.transmit(packet())
        carry(west, east, seen_from=elsewhere)
    assert east.events() == [SaMappingChanged(inbound.sa_id, elsewhere)]
    west.plane.transmit(packet())
    carry(west, east)
    assert east.events()[1:] == [SaMappingChanged(inbound.sa_id, WEST_END)]


def test_a_late_packet_from_the_former_place_changes_nothing(west: Host, east: Host) -> None:
    west.plane.transmit(packet())
    late = list(west.sent)
    west.sent.clear()
    west.plane.transmit(packet())
    carry(west, east, seen_from=Endpoint(WEST, 61000))
    west.sent = late
    carry(west, east)
    assert len(east.delivered) == 2
    assert len(east.events()) == 1


def test_forged_esp_from_elsewhere_is_not_told(east: Host) -> None:
    east.plane.receive(bytes.fromhex("00001000") + bytes(60), EAST_END, Endpoint(WEST, 1))
    assert (east.events(), east.drops) == ([], {"replayed": 1})


def test_a_moved_sa_goes_on_counting_and_sends_to_the_new_place(west: Host, east: Host) -> None:
    west.plane.transmit(packet())
    new = ip_address("10.88.0.2")
    moved = eastward(destination=new, encapsulation=Encapsulation(4500, 61000))
    inbound = westward(source=new)
    old = (eastward().sa_id, westward().sa_id)
    for _ in range(2):
        west.plane.move(old, (moved, inbound), (OUTBOUND, INBOUND), (OUTBOUND, INBOUND))
    west.plane.transmit(packet())
    assert [octets[4:8].hex() for octets, _, _ in west.sent] == ["00000001", "00000002"]
    assert west.sent[1][2] == Endpoint(new, 61000)
    assert west.plane.usage((moved.sa_id,))[0].packets == 2
    assert west.plane.usage((eastward().sa_id,)) == []


def test_moving_what_is_not_there_is_refused(west: Host) -> None:
    gone = eastward(spi=0x9999)
    with pytest.raises(KernelRefusal) as caught:
        west.plane.move((gone.sa_id,), (gone,), (), ())
    assert caught.value.errno == errno.ESRCH


@pytest.mark.parametrize(
    ("request_", "number"),
    [
        (eastward(), errno.EEXIST),
        (westward(source=ip_address("192.0.2.1")), errno.EEXIST),
        (eastward(spi=5, mode=Mode.TRANSPORT), errno.EOPNOTSUPP),
    ],
)
def test_a_refused_installation_leaves_nothing(
    west: Host, request_: SaRequest, number: int
) -> None:
    with pytest.raises(KernelRefusal) as caught:
        west.plane.install((eastward(spi=0x7777), request_), (policy("10.5.0.0/24"),))
    assert caught.value.errno == number
    statistics = west.plane.statistics()
    assert (statistics.sas, statistics.policies) == (2, 2)


def test_removing_what_is_gone_is_no_error(west: Host) -> None:
    for _ in range(2):
        west.plane.remove((eastward().sa_id, westward().sa_id), (OUTBOUND, INBOUND))
    assert west.plane.statistics().sas == 0


def test_usage_counts_inner_octets(west: Host, east: Host) -> None:
    west.plane.transmit(packet(length=100))
    carry(west, east)
    used = west.plane.usage((eastward().sa_id, westward().sa_id))
    assert [(one.octets, one.packets) for one in used] == [(120, 1), (0, 0)]
    assert [one.last_used_at for one in used] == [1_700_000_100.0, 0.0]


def limited(lifetime: Lifetime) -> Host:
    """A host whose outbound SA has limits."""
    host = Host()
    host.plane.install((eastward(lifetime=lifetime),), (OUTBOUND,))
    return host


def test_an_sa_expires_softly_and_then_for_good_by_time() -> None:
    host = limited(Lifetime(soft_seconds=10, hard_seconds=20))
    assert host.plane.deadline == 110.0
    host.now = 110.0
    host.plane.expire()
    assert host.events() == [SaExpired(eastward().sa_id, hard=False)]
    assert host.plane.deadline == 120.0
    host.now = 120.0
    host.plane.expire()
    assert host.events()[1:] == [SaExpired(eastward().sa_id, hard=True)]
    assert host.plane.statistics().sas == 0


@pytest.mark.parametrize(
    "lifetime",
    [
        Lifetime(soft_packets=1, hard_packets=2),
        Lifetime(soft_bytes=32, hard_bytes=64),
    ],
)
def test_an_sa_expires_softly_and_then_for_good_by_use(lifetime: Lifetime) -> None:
    host = limited(lifetime)
    for _ in range(3):
        host.plane.transmit(packet())
    assert host.events() == [SaExpired(eastward().sa_id, hard=hard) for hard in (False, True)]
    assert len(host.sent) == 2
    assert host.drops == {"no-sa": 1}


def test_an_sa_without_sequence_numbers_left_expires_for_good() -> None:
    host = limited(Lifetime())
    entry = host.plane._sad.entry(eastward().sa_id)
    assert entry is not None
    entry.sa.sequence = 0xFFFFFFFF
    host.plane.transmit(packet())
    assert host.drops == {"sequence-exhausted": 1}
    assert host.events() == [SaExpired(eastward().sa_id, hard=True)]


def test_removed_sas_leave_no_keys_behind_for_long() -> None:
    host = Host()
    for spi in range(0x100, 0x300):
        request = eastward(spi=spi, suite=GCM, lifetime=Lifetime(10, 20))
        host.plane.install((request,), ())
        host.plane.remove((request.sa_id,), ())
    assert len(host.plane._expiries) < 100


def sent_with(change: Callable[[SaRequest], SaRequest]) -> tuple[Endpoint, Endpoint]:
    """The ends of a datagram of an SA."""
    host = Host()
    host.plane.install((change(eastward()),), (OUTBOUND,))
    host.plane.transmit(packet())
    return host.sent[0][1:]


def test_esp_is_always_in_udp() -> None:
    assert sent_with(lambda one: replace(one, encapsulation=None)) == (WEST_END, EAST_END)
    ports = Encapsulation(4501, 61000)
    assert sent_with(lambda one: replace(one, encapsulation=ports)) == (
        Endpoint(WEST, 4501),
        Endpoint(EAST, 61000),
    )


def test_a_packet_of_a_trap_waits_for_its_sa_and_is_not_lost() -> None:
    """(RFC 7296 section 2.9)"""
    host, trap = Host(), replace(OUTBOUND, on_demand=True, reqid=1 << 31)
    host.plane.install((), (trap,))
    host.plane.transmit(packet())
    host.plane.transmit(packet())
    trigger = Trigger(
        selector("10.1.0.1/32", 17, (5000, 5000)), selector("10.2.0.1/32", 17, (53, 53))
    )
    assert host.events() == [Acquired(trap, trigger)]
    assert (host.sent, host.drops) == ([], {})
    other = policy("10.3.0.0/24", "10.4.0.0/24", reqid=9)
    host.plane.install((replace(eastward(), spi=0x3000, reqid=9),), (other,))
    assert not host.sent
    host.plane.install((eastward(), westward()), (OUTBOUND, INBOUND))
    assert len(host.sent) == 2


def test_a_trap_that_is_put_back_asks_at_once() -> None:
    host, trap = Host(), replace(OUTBOUND, on_demand=True, reqid=1 << 31)
    host.plane.install((), (trap,))
    host.plane.transmit(packet())
    host.plane.install((eastward(), westward()), (OUTBOUND, INBOUND))
    host.plane.remove((eastward().sa_id, westward().sa_id), ())
    host.plane.install((), (trap,))
    host.plane.transmit(packet())
    assert len(host.events()) == 2
