"""Which policy comes first, and the database of policies."""

from __future__ import annotations

from dataclasses import replace

from ikeactors.kernel.flows import flow_of
from ikeactors.kernel.policies import MAX_REMEMBERED_FLOWS, Spd, priority_of
from ikeactors.kernel.requests import Direction, PolicyAction, PolicyRequest
from tests.fakes.sas import packet, policy, selector


def chosen(spd: Spd, octets: bytes) -> PolicyRequest | None:
    """The outbound policy for a packet."""
    flow = flow_of(octets)
    assert flow is not None
    return spd.outbound(flow)


def test_more_specific_policies_come_first() -> None:
    """(RFC 4301 section 4.4.1)"""
    any_, net, host = policy("0.0.0.0/0", "0.0.0.0/0"), policy(), policy("10.1.0.1/32")
    tcp = replace(net, source=selector("10.1.0.0/24", 6), destination=selector("10.2.0.0/24", 6))
    web = replace(tcp, destination=selector("10.2.0.0/24", 6, (80, 80)))
    order = [host, web, tcp, net, any_]
    assert sorted([web, any_, host, net, tcp], key=priority_of) == order
    assert all(0 < priority_of(one) < 1 << 20 for one in order)


def test_between_equals_a_bypass_comes_first_and_a_priority_that_is_given_counts() -> None:
    passing = replace(policy(), action=PolicyAction.PASS)
    dropping = replace(policy(), action=PolicyAction.DROP)
    assert priority_of(passing) < priority_of(policy()) < priority_of(dropping)
    assert priority_of(replace(policy(), priority=7)) == 7


def test_the_most_specific_policy_takes_the_packet() -> None:
    spd = Spd()
    wide, narrow = policy(destination="0.0.0.0/0", reqid=1), policy(reqid=2)
    spd.install((wide, narrow))
    assert chosen(spd, packet()) == narrow
    assert chosen(spd, packet(destination="10.3.0.1")) == wide
    assert chosen(spd, packet(source="10.9.0.1")) is None


def test_a_change_of_policies_is_heeded_at_once() -> None:
    spd = Spd()
    assert chosen(spd, packet()) is None
    spd.install((policy(),))
    assert chosen(spd, packet()) == policy()
    spd.install((policy(reqid=8),))
    assert chosen(spd, packet()) == policy(reqid=8)
    assert len(spd) == 1
    spd.remove((policy(),))
    assert chosen(spd, packet()) is None
    spd.remove((policy(),))


def test_inbound_policies_are_found_by_reqid() -> None:
    spd = Spd()
    inbound = policy("10.2.0.0/24", "10.1.0.0/24", Direction.IN)
    spd.install((inbound, policy()))
    assert len(spd.inbound(7)) == 1
    spd.install((replace(inbound, reqid=8),))
    assert (len(spd.inbound(7)), len(spd.inbound(8))) == (0, 1)
    spd.remove((inbound,))
    assert spd.inbound(8) == ()


def test_flows_are_remembered_within_a_bound() -> None:
    spd = Spd()
    spd.install((policy(),))
    for number in range(MAX_REMEMBERED_FLOWS + 10):
        chosen(spd, packet(ports=(number, 1)))
    assert len(spd._remembered) == MAX_REMEMBERED_FLOWS
