"""The kernel's IPsec as a back end, against a kernel made of structures."""

from __future__ import annotations

import ctypes
import errno
import socket
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from ikeactors.actors.backends import EventsLost
from ikeactors.actors.netlink import BATCH
from ikeactors.actors.xfrm import XfrmBackend, XfrmEvents
from ikeactors.actors.xfrm_demand import Demand
from ikeactors.crypto.suite import ChildSuite
from ikeactors.iana import Encr, Integ, KeyExchangeMethod, ProtocolId
from ikeactors.kernel.requests import Direction, Encapsulation, KernelRefusal, PolicyRequest
from ikeactors.kernel.xfrm import selectors_of
from ikeactors.kernel.xfrm_events import LEAP, Acquired
from ikeactors.kernel.xfrm_policies import XfrmPolicies
from ikeactors.protocol.events import Endpoint, SaExpired, SaMappingChanged
from tests.fakes.netlink import (
    ALLOCSPI,
    DELPOLICY,
    DELSA,
    GETSA,
    HEADER,
    NEWSA,
    UPDPOLICY,
    UPDSA,
    FakeXfrmSocket,
)
from tests.fakes.sas import EAST, WEST, policy, sa, selector
from tests.kernel import structures
from tests.kernel.structures import filled

PAIR = (sa(0x1000), sa(0x2000, Direction.IN))
NAMES = tuple(one.sa_id for one in PAIR)
POLICIES = (
    policy("10.2.0.0/24", "10.1.0.0/24", Direction.IN),
    policy("10.2.0.0/24", "10.1.0.0/24", Direction.FWD),
    policy(),
)


@pytest.fixture
def kernel() -> FakeXfrmSocket:
    return FakeXfrmSocket()


@pytest.fixture
def backend(kernel: FakeXfrmSocket) -> XfrmBackend:
    return XfrmBackend(kernel, FakeXfrmSocket())


async def test_a_child_sa_is_installed_in_one_datagram(
    kernel: FakeXfrmSocket, backend: XfrmBackend
) -> None:
    await backend.install(PAIR, POLICIES)
    assert kernel.datagrams == 1
    assert kernel.asked == [NEWSA, NEWSA, UPDPOLICY, UPDPOLICY, UPDPOLICY]
    await backend.remove(NAMES, POLICIES)
    assert not kernel.sas
    assert not kernel.policies


REFUSALS = (
    (errno.EEXIST, "there is one of that name already"),
    (errno.ESRCH, "it is not there"),
    (errno.ENOMEM, "it has no memory left"),
    (errno.EINVAL, "it takes something in it for invalid"),
    (errno.ENOPROTOOPT, "CONFIG_XFRM_USER, module xfrm_user"),
    (errno.EPERM, "CAP_NET_ADMIN"),
    (errno.EPROTONOSUPPORT, "Requested type not found"),
)


@pytest.mark.parametrize(("refusal", "text"), REFUSALS)
@pytest.mark.parametrize("number", range(5))
async def test_a_refusal_of_anything_leaves_nothing(
    kernel: FakeXfrmSocket, backend: XfrmBackend, number: int, refusal: int, text: str
) -> None:
    kernel.refuse[number] = (refusal, "Requested type not found")
    with pytest.raises(KernelRefusal, match=text) as caught:
        await backend.install(PAIR, POLICIES)
    assert caught.value.errno == refusal
    assert not kernel.sas
    assert not kernel.policies


@pytest.mark.parametrize(("refusal", "text"), REFUSALS)
@pytest.mark.parametrize("number", range(4))
async def test_a_refusal_of_a_part_of_a_successor_leaves_what_was_there(
    kernel: FakeXfrmSocket, backend: XfrmBackend, number: int, refusal: int, text: str
) -> None:
    await backend.install(PAIR, POLICIES)
    before = (dict(kernel.sas), dict(kernel.policies))
    kernel.asked.clear()
    kernel.refuse[number] = (refusal, "")
    successor = (sa(0x3000, Direction.IN, reqid=8),)
    with pytest.raises(KernelRefusal) as caught:
        await backend.install(successor, [replace(one, reqid=8) for one in POLICIES])
    assert caught.value.errno == refusal
    assert (kernel.sas, kernel.policies) == before
    assert DELPOLICY not in kernel.asked
    await backend.remove(NAMES, POLICIES)
    assert not kernel.policies


async def test_an_sa_that_is_there_already_survives_the_refusal_of_its_twin(
    kernel: FakeXfrmSocket, backend: XfrmBackend
) -> None:
    await backend.install(PAIR[:1], ())
    with pytest.raises(KernelRefusal) as caught:
        await backend.install(PAIR, POLICIES)
    assert caught.value.errno == errno.EEXIST
    assert len(kernel.sas) == 1
    assert not kernel.policies


async def test_a_policy_that_a_refused_installation_replaced_is_put_back(
    kernel: FakeXfrmSocket, backend: XfrmBackend
) -> None:
    await backend.install(PAIR, POLICIES)
    before = dict(kernel.policies)
    kernel.asked.clear()
    with pytest.raises(KernelRefusal):
        await backend.install(PAIR, [replace(one, reqid=8) for one in POLICIES])
    assert kernel.policies == before
    assert DELPOLICY not in kernel.asked, "packets would have left in the clear meanwhile"


async def test_many_requests_go_in_batches_whose_answers_fit_the_buffer(
    kernel: FakeXfrmSocket, backend: XfrmBackend
) -> None:
    await backend.install([sa(spi) for spi in range(0x100, 0x100 + 3 * BATCH)], ())
    assert kernel.datagrams == 3


async def test_a_policy_in_force_is_replaced_and_one_under_another_index_still_goes(
    kernel: FakeXfrmSocket, backend: XfrmBackend
) -> None:
    await XfrmBackend(kernel, FakeXfrmSocket()).install((), POLICIES)
    await backend.remove((), POLICIES)
    assert not kernel.policies


async def test_a_range_takes_several_policies_that_all_go_again(
    kernel: FakeXfrmSocket, backend: XfrmBackend
) -> None:
    source = replace(selector("10.1.0.1/32"), end=ip_address("10.1.0.6"))
    ranged = (replace(policy(), source=source),)
    await backend.install((), ranged)
    assert len(kernel.policies) == 4
    await backend.install((), ranged)
    await backend.remove((), ranged)
    assert not kernel.policies


def spanning(first: str, last: str, reqid: int, priority: int = 0) -> PolicyRequest:
    """A policy towards a range of addresses."""
    ends = replace(selector(f"{first}/32"), end=ip_address(last))
    return replace(policy(reqid=reqid), destination=ends, priority=priority)


# Both need an XFRM policy for 10.2.2.0/24, which the second has for itself as well.
LOWER, UPPER = spanning("10.2.0.0", "10.2.2.255", 7), spanning("10.2.2.0", "10.2.3.127", 8)
SHARED = "10.2.2.0"


def protecting(kernel: FakeXfrmSocket) -> dict[str, int]:
    """The networks that have a policy, and the reqid of its template."""
    found = {}
    for body in kernel.policies.values():
        info = structures.PolicyInfo.from_buffer_copy(body)
        template = body[ctypes.sizeof(info) + 4 :]
        reqid = structures.Template.from_buffer_copy(template).reqid
        found[str(structures.address(info.sel.daddr))] = reqid
    return found


LOWER_ALONE = {"10.2.0.0": 7, SHARED: 7}
UPPER_ALONE = {SHARED: 8, "10.2.3.0": 8}


@pytest.mark.parametrize("first", [LOWER, UPPER])
async def test_an_xfrm_policy_of_two_stays_until_the_last_of_them_goes(
    kernel: FakeXfrmSocket, backend: XfrmBackend, first: PolicyRequest
) -> None:
    for gone, left in ((LOWER, UPPER_ALONE), (UPPER, LOWER_ALONE)):
        other = UPPER if gone is LOWER else LOWER
        await backend.install((), (first,))
        await backend.install((), (UPPER if first is LOWER else LOWER,))
        assert protecting(kernel) == {**LOWER_ALONE, **UPPER_ALONE}, "UPPER is the narrower one"
        await backend.remove((), (gone,))
        assert protecting(kernel) == left
        await backend.remove((), (other,))
        assert not kernel.policies


async def test_the_holder_of_the_lower_priority_is_in_force(
    kernel: FakeXfrmSocket, backend: XfrmBackend
) -> None:
    first = replace(LOWER, priority=5)
    await backend.install((), (first, UPPER))
    assert protecting(kernel)[SHARED] == 7
    # Of equals it is who came last, and who comes again keeps its place.
    equal = replace(UPPER, priority=5)
    await backend.install((), (equal,))
    assert protecting(kernel)[SHARED] == 8
    await backend.install((), (first,))
    assert protecting(kernel)[SHARED] == 8


async def test_a_holder_that_is_replaced_is_one_holder_still(
    kernel: FakeXfrmSocket, backend: XfrmBackend
) -> None:
    """As when an IKE SA is reauthenticated, and the new one's Child SA has another reqid."""
    await backend.install((), (LOWER, UPPER))
    again = replace(UPPER, reqid=9)
    await backend.install((), (again,))
    assert protecting(kernel)[SHARED] == 9
    await backend.remove((), (again,))
    assert protecting(kernel) == LOWER_ALONE


async def test_a_holder_that_is_refused_leaves_the_other_in_force(
    kernel: FakeXfrmSocket, backend: XfrmBackend
) -> None:
    await backend.install((), (LOWER,))
    kernel.asked.clear()
    kernel.refuse[1] = (errno.ENOMEM, "")
    with pytest.raises(KernelRefusal):
        await backend.install((), (UPPER,))
    assert protecting(kernel) == LOWER_ALONE
    # The kernel actor makes sure that nothing is left of it.
    await backend.remove((), (UPPER,))
    assert protecting(kernel) == LOWER_ALONE


async def test_a_shared_policy_never_goes_for_a_moment(
    kernel: FakeXfrmSocket, backend: XfrmBackend
) -> None:
    await backend.install((), (LOWER, UPPER))
    kernel.asked.clear()
    await backend.move((), (), (UPPER,), (LOWER,))
    assert protecting(kernel) == LOWER_ALONE
    assert kernel.asked.count(DELPOLICY) == 1, "and that is what UPPER alone had"


async def test_what_is_gone_already_is_removed_without_an_error(backend: XfrmBackend) -> None:
    await backend.remove(NAMES, POLICIES)


async def test_usage_is_told_of_what_is_there(backend: XfrmBackend) -> None:
    await backend.install(PAIR[:1], ())
    used = await backend.usage(NAMES)
    assert [one.sa_id for one in used] == [NAMES[0]]


async def test_other_ports_alone_are_changed_in_place(
    kernel: FakeXfrmSocket, backend: XfrmBackend
) -> None:
    await backend.install(PAIR, ())
    moved = tuple(replace(one, encapsulation=Encapsulation(4500, 61000)) for one in PAIR)
    await backend.move(NAMES, moved, (), ())
    assert kernel.asked[2:] == [UPDSA, UPDSA]


async def test_other_addresses_take_a_new_state_with_the_old_ones_counters(
    kernel: FakeXfrmSocket, backend: XfrmBackend
) -> None:
    await backend.install(PAIR, POLICIES)
    elsewhere = ip_address("10.88.0.1")
    moved = (replace(PAIR[0], source=elsewhere), replace(PAIR[1], destination=elsewhere))
    towards = (replace(policy(), tunnel_source=elsewhere),)
    await backend.move(NAMES, moved, POLICIES, towards)
    looking, putting = [GETSA, GETSA, DELSA], [GETSA, DELSA, NEWSA, NEWSA, UPDPOLICY]
    assert kernel.asked[5:13] == looking + putting
    assert kernel.datagrams == 4, "one for each, and one for the policies that go"
    assert len(kernel.sas) == 2
    assert len(kernel.policies) == 1
    assert [one.sa_id for one in await backend.usage([one.sa_id for one in moved])] == [
        one.sa_id for one in moved
    ]
    await backend.move(NAMES, moved, POLICIES, towards)
    with pytest.raises(KernelRefusal):
        await backend.move((sa(0x9999).sa_id,), (replace(sa(0x9999), source=elsewhere),), (), ())


ELSEWHERE = ip_address("10.88.0.1")
MOVED = (replace(PAIR[0], source=ELSEWHERE), replace(PAIR[1], destination=ELSEWHERE))


async def test_what_has_sent_more_than_was_left_room_for_does_not_go_on(
    kernel: FakeXfrmSocket, backend: XfrmBackend
) -> None:
    """A sequence number would be used twice with a key."""
    await backend.install(PAIR, POLICIES)
    before = dict(kernel.policies)
    kernel.sends_meanwhile = LEAP + 1
    with pytest.raises(KernelRefusal, match="sent too much") as caught:
        await backend.move(NAMES, MOVED, POLICIES, POLICIES)
    assert caught.value.errno == errno.EOVERFLOW
    assert not kernel.sas
    assert kernel.policies == before
    await backend.install(PAIR, ())
    kernel.sends_meanwhile = LEAP
    await backend.move(NAMES, MOVED, POLICIES, POLICIES)
    assert len(kernel.sas) == 2


@pytest.mark.parametrize("number", range(8, 13))
async def test_a_move_that_is_refused_leaves_no_sa_and_all_policies(
    kernel: FakeXfrmSocket, backend: XfrmBackend, number: int
) -> None:
    await backend.install(PAIR, POLICIES)
    kernel.refuse[number] = (errno.ENOMEM, "")
    with pytest.raises(KernelRefusal, match="no memory"):
        await backend.move(NAMES, MOVED, POLICIES, POLICIES)
    assert len(kernel.policies) == len(POLICIES)
    await backend.remove([*NAMES, *(one.sa_id for one in MOVED)], POLICIES)
    assert not kernel.sas
    assert not kernel.policies


async def test_what_a_policy_has_asked_for_is_removed_when_its_child_sa_goes(
    kernel: FakeXfrmSocket,
) -> None:
    """Else it would ask again only when that has expired."""
    demand = Demand(kernel, Path("/nonexistent"))
    backend = XfrmBackend(kernel, FakeXfrmSocket(), demand=demand)
    trap = replace(policy(reqid=1 << 31), on_demand=True, source=selector("10.1.0.0/16"))
    await backend.install((), (trap,))
    (selected,) = selectors_of(trap)
    ends = (EAST.packed.ljust(16, b"\0"), WEST.packed.ljust(16, b"\0"))
    packet = (selector("10.1.0.1/32"), selector("10.2.0.1/32"))
    assert demand.acquired(Acquired(*packet, 0, selected.octets(), ends)) is not None
    await backend.install(PAIR, POLICIES)
    kernel.asked.clear()
    await backend.remove(NAMES, POLICIES)
    assert kernel.asked[-2:] == [ALLOCSPI, DELSA]
    assert not kernel.sas
    kernel.asked.clear()
    await backend.remove(NAMES, POLICIES)
    assert ALLOCSPI not in kernel.asked


async def test_so_it_is_where_the_child_sa_had_all_that_the_policy_offered(
    kernel: FakeXfrmSocket,
) -> None:
    """Then the policy comes back in the place of the Child SA's."""
    demand = Demand(kernel, Path("/nonexistent"))
    backend = XfrmBackend(kernel, FakeXfrmSocket(), demand=demand)
    trap = replace(policy(reqid=1 << 31), on_demand=True)
    await backend.install((), (trap,))
    (selected,) = selectors_of(trap)
    packet = (selector("10.1.0.1/32"), selector("10.2.0.1/32"))
    assert demand.acquired(Acquired(*packet, 0, selected.octets(), (bytes(16),) * 2)) is not None
    await backend.install(PAIR, POLICIES)
    await backend.remove(NAMES, POLICIES[:2])
    kernel.asked.clear()
    await backend.install((), (trap,))
    assert kernel.asked == [UPDPOLICY, ALLOCSPI, DELSA]


async def test_answers_that_never_come_are_a_refusal(
    kernel: FakeXfrmSocket, backend: XfrmBackend
) -> None:
    kernel.deaf = True
    with pytest.raises(KernelRefusal, match="its answer was lost"):
        await backend.install(PAIR, ())


async def test_closing_closes_both_sockets(kernel: FakeXfrmSocket) -> None:
    events = FakeXfrmSocket()
    await XfrmBackend(kernel, events).aclose()
    assert not kernel.is_open
    assert not events.is_open


class EventSocket:
    """One end of a socket pair in place of the kernel's events."""

    def __init__(self) -> None:
        self._near, self.far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._near.setblocking(False)
        self.overflows = False

    def fileno(self) -> int:
        return self._near.fileno()

    def send(self, octets: bytes) -> None:
        raise NotImplementedError

    def receive(self) -> bytes | None:
        if self.overflows:
            self.overflows = False
            raise OSError(errno.ENOBUFS, "No buffer space available")
        try:
            return self._near.recv(65536)
        except BlockingIOError:
            return None

    def close(self) -> None:
        self._near.close()
        self.far.close()


@pytest.fixture
def event_socket() -> Iterator[EventSocket]:
    made = EventSocket()
    yield made
    made.close()


def expiration(hard: bool) -> bytes:
    """An XFRM_MSG_EXPIRE."""
    info = structures.SaInfo(family=2, saddr=filled(str(WEST)))
    info.id.daddr, info.id.proto, info.id.spi.value = filled(str(EAST)), 50, 0x1000
    body = bytes(structures.Expire(state=info, hard=hard))
    return HEADER.pack(16 + len(body), 0x18, 0, 0, 0) + body


def mapping() -> bytes:
    """An XFRM_MSG_MAPPING."""
    found = structures.Mapping(old_saddr=filled(str(WEST)), new_saddr=filled("192.0.2.9"))
    found.id.daddr, found.id.proto, found.id.family = filled(str(EAST)), 50, 2
    found.id.spi.value, found.new_sport.value = 0x1000, 61000
    return HEADER.pack(16 + 64, 0x26, 0, 0, 0) + bytes(found)


async def test_the_kernels_events_come_one_after_the_other(event_socket: EventSocket) -> None:
    events = XfrmEvents(event_socket, Demand(event_socket), XfrmPolicies(1))
    event_socket.far.send(expiration(hard=False) + expiration(hard=True))
    event_socket.far.send(HEADER.pack(16, 0x99, 0, 0, 0))
    event_socket.far.send(mapping())
    assert [await anext(events) for _ in range(3)] == [
        SaExpired(NAMES[0], hard=False),
        SaExpired(NAMES[0], hard=True),
        SaMappingChanged(NAMES[0], Endpoint(ip_address("192.0.2.9"), 61000)),
    ]


async def test_an_overflow_is_told_once_and_events_go_on(event_socket: EventSocket) -> None:
    events = XfrmEvents(event_socket, Demand(event_socket), XfrmPolicies(1))
    event_socket.overflows = True
    event_socket.far.send(expiration(hard=True))
    with pytest.raises(EventsLost):
        await anext(events)
    assert await anext(events) == SaExpired(NAMES[0], hard=True)


async def test_a_move_that_cannot_be_said_costs_no_sa(
    kernel: FakeXfrmSocket, backend: XfrmBackend
) -> None:
    suite = ChildSuite(
        ProtocolId.AH, Encr.NULL, None, Integ.HMAC_SHA2_256_128, KeyExchangeMethod.NONE, esn=False
    )
    request = replace(sa(suite=suite), encapsulation=None)
    await backend.install((request,), ())
    moved = replace(request, source=ip_address("10.88.0.1"), encapsulation=Encapsulation(1, 2))
    with pytest.raises(KernelRefusal, match="AH does not go in UDP"):
        await backend.move((request.sa_id,), (moved,), (), ())
    assert kernel.asked == [NEWSA]
    assert len(kernel.sas) == 1
