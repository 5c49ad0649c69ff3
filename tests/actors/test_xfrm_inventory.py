"""What the kernel's IPsec holds against what it was asked for, with a kernel made of structures."""

from __future__ import annotations

import errno

import pytest

from ikeactors.actors.backends import Disturbed
from ikeactors.actors.xfrm import XfrmBackend, XfrmEvents
from ikeactors.actors.xfrm_demand import Demand
from ikeactors.kernel.netlink import write_attribute
from ikeactors.kernel.requests import Direction, KernelRefusal
from ikeactors.kernel.xfrm import new_sa, selectors_of, update_policy
from ikeactors.kernel.xfrm_policies import XfrmPolicies
from tests.actors.test_xfrm import EventSocket, event_socket
from tests.fakes.netlink import HEADER, FakeXfrmSocket
from tests.fakes.sas import policy, sa

__all__ = ["event_socket"]

PAIR = (sa(0x1000), sa(0x2000, Direction.IN))
NAMES = frozenset(one.sa_id for one in PAIR)
POLICIES = (policy(), policy("10.2.0.0/24", "10.1.0.0/24", Direction.IN))
DELSA, DELPOLICY, FLUSHSA, FLUSHPOLICY = 0x11, 0x14, 0x1C, 0x1D


def backend_of(kernel: FakeXfrmSocket, name: str = "/run/admin.sock") -> XfrmBackend:
    """A daemon's back end; each list comes over a socket of its own."""
    made = XfrmBackend(kernel, FakeXfrmSocket(), open_socket=kernel.of_the_same_kernel)
    made.be(name)
    return made


async def test_what_was_asked_for_is_there_and_ours() -> None:
    backend = backend_of(FakeXfrmSocket())
    await backend.install(PAIR, POLICIES)
    found = await backend.inventory()
    assert (found.ours, found.others) == (NAMES, frozenset())
    assert (found.policies, found.foreign_policies) == (2, 0)
    assert not found.missing + found.replaced + found.strays


async def test_what_others_have_flushed_is_missing_and_can_be_put_back() -> None:
    kernel = FakeXfrmSocket()
    backend = backend_of(kernel)
    await backend.install(PAIR, POLICIES)
    kernel.sas.clear()
    kernel.policies.clear()
    found = await backend.inventory()
    assert not found.ours
    assert set(found.missing) == set(POLICIES)
    assert await backend.lacking(POLICIES) == list(POLICIES)
    await backend.restore(found.missing)
    assert await backend.lacking(POLICIES) == []
    assert not (await backend.inventory()).missing


async def test_what_another_daemon_has_made_is_foreign() -> None:
    kernel = FakeXfrmSocket()
    await backend_of(kernel, "/run/other.sock").install(PAIR, POLICIES)
    found = await backend_of(kernel).inventory()
    assert (found.ours, found.others) == (frozenset(), NAMES)
    assert (found.policies, found.foreign_policies, found.strays) == (0, 2, ())


async def test_what_a_predecessor_has_left_is_stray_until_it_is_asked_for_again() -> None:
    kernel = FakeXfrmSocket()
    await backend_of(kernel).install(PAIR, POLICIES)
    successor = backend_of(kernel)
    found = await successor.inventory()
    assert found.ours == NAMES
    assert {one.reqid for one in found.strays} == {policy().reqid}
    await successor.install((), POLICIES[:1])
    await successor.clear(found.strays)
    assert len(kernel.policies) == 1
    assert await successor.lacking(POLICIES) == [POLICIES[1]]
    assert not (await successor.inventory()).strays


async def test_a_policy_that_another_program_has_put_in_place_of_ours_is_left_to_it() -> None:
    kernel = FakeXfrmSocket()
    backend = backend_of(kernel)
    await backend.install((), POLICIES)
    other = XfrmBackend(kernel, FakeXfrmSocket())
    await other.install((), POLICIES[:1])
    found = await backend.inventory()
    assert found.replaced == POLICIES[:1]
    assert not found.missing + found.strays
    assert found.foreign_policies == 0


async def test_sas_that_only_stand_for_others_are_not_counted() -> None:
    kernel = FakeXfrmSocket()
    kernel.sas[b"larval"] = new_sa(sa(0)).body
    found = await backend_of(kernel).inventory()
    assert not found.ours | found.others


class MutedSocket(FakeXfrmSocket):
    """Answers no list."""

    def _list(self, type_: int, sequence: int) -> None:
        body = (-errno.EPERM).to_bytes(4, "little", signed=True) + bytes(16)
        self._answers.append(HEADER.pack(16 + len(body), 2, 0, sequence, 0) + body)


@pytest.mark.parametrize("socket", [MutedSocket(), FakeXfrmSocket()])
async def test_a_kernel_that_does_not_list_is_a_refusal(
    socket: FakeXfrmSocket, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not isinstance(socket, MutedSocket):
        monkeypatch.setattr(socket, "receive", lambda: None)
    backend = XfrmBackend(FakeXfrmSocket(), FakeXfrmSocket(), open_socket=lambda: socket)
    with pytest.raises(KernelRefusal):
        await backend.inventory()
    assert not socket.is_open


async def test_removals_by_others_are_told_where_they_are_of_something_of_ours(
    event_socket: EventSocket,
) -> None:
    policies = XfrmPolicies(1)
    policies.note(policies.adding(POLICIES[:1]))
    events = XfrmEvents(event_socket, Demand(event_socket), policies)
    foreign = policy("10.8.0.0/24", "10.9.0.0/24")
    for type_, body in (
        (FLUSHSA, bytes(4)),
        (DELPOLICY, _removed_policy(foreign)),
        (DELSA, bytes(24) + write_attribute(6, new_sa(PAIR[0]).body[:224])),
        (DELPOLICY, _removed_policy(POLICIES[0])),
        (FLUSHPOLICY, b""),
    ):
        event_socket.far.send(HEADER.pack(16 + len(body), type_, 0, 0, 0) + body)
    told = [await anext(events) for _ in range(4)]
    assert told == [Disturbed(), Disturbed(PAIR[0].sa_id), Disturbed(), Disturbed()]


def _removed_policy(request: object) -> bytes:
    assert isinstance(request, type(POLICIES[0]))
    whole = update_policy(request, selectors_of(request)[0], 8).body
    return bytes(64) + write_attribute(7, whole[:168]) + whole[168:]
