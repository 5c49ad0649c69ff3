"""Policies that ask for SAs: which they are, and what the kernel is told before the first."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ikeactors.actors.backends import Acquired
from ikeactors.actors.xfrm_demand import ACQUIRE_GROUP, MAX_LARVAL, Demand, Larval
from ikeactors.kernel import xfrm_events
from ikeactors.kernel.requests import Direction, PolicyRequest
from ikeactors.kernel.xfrm import selectors_of
from ikeactors.kernel.xfrm_policies import XfrmPolicies
from ikeactors.protocol.events import Trigger
from tests.fakes.netlink import FakeXfrmSocket
from tests.fakes.sas import policy, selector

TRAP = replace(policy(), on_demand=True)
SOURCE, DESTINATION = selector("10.1.0.1/32", 1), selector("10.2.0.1/32", 1)


ENDS = (b"destination", b"source")


def asked(index: int, octets: bytes = b"") -> xfrm_events.Acquired:
    return xfrm_events.Acquired(SOURCE, DESTINATION, index, octets, ENDS)


class Bench:
    """What asks for SAs, as policies come and go."""

    def __init__(self, folder: Path) -> None:
        self.drop = folder / "xfrm_larval_drop"
        self.drop.write_text("1\n")
        self.socket = FakeXfrmSocket()
        self.demand = Demand(self.socket, self.drop)
        self.policies = XfrmPolicies(1)

    def place(self, policy: PolicyRequest) -> int:
        """Its index."""
        changes = self.policies.adding((policy,))
        self.policies.note(changes)
        self.demand.note(changes)
        (change,) = changes
        assert change.after is not None
        return change.after.index

    def remove(self, policy: PolicyRequest) -> None:
        changes = self.policies.removing((policy,))
        self.policies.note(changes)
        self.demand.note(changes)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_policy_is_found_by_its_index(bench: Bench) -> None:
    index = bench.place(TRAP)
    assert bench.demand.acquired(asked(index)) == Acquired(TRAP, Trigger(SOURCE, DESTINATION))
    assert bench.demand.acquired(asked(index + 8)) is None
    bench.remove(TRAP)
    assert bench.demand.acquired(asked(index)) is None


def test_a_policy_that_kept_a_predecessors_index_is_found_by_its_selector(bench: Bench) -> None:
    bench.place(TRAP)
    (one,) = selectors_of(TRAP)
    found = bench.demand.acquired(asked(9, one.octets()))
    assert found is not None
    assert found.policy == TRAP
    bench.remove(TRAP)
    assert bench.demand.acquired(asked(9, one.octets())) is None


def test_the_policy_of_a_child_sa_in_its_place_asks_for_none(bench: Bench) -> None:
    """The kernel asks where that SA is over too, and its association sees to that."""
    index = bench.place(TRAP)
    assert bench.place(policy()) == index
    assert bench.demand.acquired(asked(index)) is None
    bench.place(TRAP)
    assert bench.demand.acquired(asked(index)) is not None


def test_policies_of_other_directions_are_passed_over(bench: Bench) -> None:
    inbound = replace(policy(direction=Direction.IN), on_demand=True)
    assert bench.demand.acquired(asked(bench.place(inbound))) is None
    index = bench.place(TRAP)
    bench.remove(inbound)
    assert bench.demand.acquired(asked(index)) is not None


def test_the_kernel_holds_packets_as_long_as_somebody_listens(bench: Bench) -> None:
    bench.place(policy())
    assert (bench.socket.groups, bench.drop.read_text()) == ([], "1\n")
    bench.place(TRAP)
    bench.place(replace(TRAP, if_id=7))
    assert (bench.socket.groups, bench.drop.read_text()) == ([ACQUIRE_GROUP], "0")
    bench.demand.close()
    assert bench.drop.read_text() == "1\n"


def test_where_it_cannot_be_switched_on_traps_work_without(bench: Bench) -> None:
    bench.drop.unlink()
    bench.drop.mkdir()
    index = bench.place(TRAP)
    assert bench.demand.acquired(asked(index)) is not None
    bench.demand.close()


def test_what_a_policy_has_asked_for_is_known_until_a_child_sa_between_its_ends_goes(
    bench: Bench,
) -> None:
    index = bench.place(TRAP)
    elsewhere = replace(policy(), tunnel_destination=policy().tunnel_source)
    assert bench.demand.stale((policy(),)) == []
    for _ in range(2):
        bench.demand.acquired(asked(index))
    inbound = policy(direction=Direction.IN)
    assert bench.demand.stale((elsewhere, inbound, TRAP)) == []
    assert bench.demand.stale((policy(),)) == [Larval(TRAP, *ENDS)]
    assert bench.demand.stale((policy(),)) == []


def test_what_is_known_of_larval_sas_has_a_limit(bench: Bench) -> None:
    index = bench.place(TRAP)
    for number in range(MAX_LARVAL + 1):
        assert (
            bench.demand.acquired(replace(asked(index), ends=(number.to_bytes(16, "big"), b"")))
            is not None
        )
    assert len(bench.demand.stale((policy(),))) == MAX_LARVAL
