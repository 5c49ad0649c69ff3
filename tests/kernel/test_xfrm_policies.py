"""XFRM policies that several policies need."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

from ikeactors.kernel.requests import Direction, Mark, PolicyRequest
from ikeactors.kernel.xfrm_policies import XfrmPolicies
from tests.fakes.sas import policy, selector

FIRST_NUMBER = 100


def ports(first: int, last: int, reqid: int = 7) -> PolicyRequest:
    """A policy for a range of UDP ports."""
    return replace(
        policy(reqid=reqid), destination=selector("10.2.0.0/24", 17, (first, last)), priority=5
    )


def put(policies: XfrmPolicies, *added: PolicyRequest) -> None:
    """Add them as a back end does."""
    policies.note(policies.adding(added))


def test_ranges_of_ports_share_the_blocks_that_both_have() -> None:
    policies = XfrmPolicies(FIRST_NUMBER)
    put(policies, ports(1, 9))
    changes = policies.adding((ports(8, 15, reqid=8),))
    assert [one.before is not None for one in changes] == [False]
    changes = policies.adding((ports(8, 9, reqid=8),))
    assert [one.before is not None for one in changes] == [True]
    (shared,) = changes
    assert shared.before is not None
    assert shared.after is not None
    assert shared.before.index == shared.after.index
    assert [one.reqid for one in shared.after.holders] == [7, 8]


def test_both_of_one_call_may_share_and_both_may_go_in_one() -> None:
    policies = XfrmPolicies(FIRST_NUMBER)
    both = (ports(1, 9), ports(8, 9, reqid=8))
    put(policies, *both)
    changes = policies.removing(both)
    assert len(changes) == 4
    assert all(one.before is not None and one.after is None for one in changes)
    policies.note(changes)
    assert all(one.before is None for one in policies.adding(both))


def test_who_holds_nothing_takes_nothing_away() -> None:
    policies = XfrmPolicies(FIRST_NUMBER)
    put(policies, ports(1, 9))
    (change,) = policies.removing((ports(8, 9),))
    assert change.before == change.after


def test_nothing_is_noted_of_what_is_only_asked() -> None:
    policies = XfrmPolicies(FIRST_NUMBER)
    policies.adding((policy(),))
    assert policies.adding((policy(),))[0].before is None


def test_other_directions_marks_and_interfaces_share_nothing() -> None:
    policies = XfrmPolicies(FIRST_NUMBER)
    kinds = (
        policy(),
        replace(policy(), direction=Direction.FWD),
        replace(policy(), mark=Mark(1)),
        replace(policy(), mark=Mark(1, 1)),
        replace(policy(), if_id=4),
    )
    changes = policies.adding(kinds)
    assert len({one.name for one in changes}) == len(kinds)
    assert len({one.after.index for one in changes if one.after}) == len(kinds)


def test_selectors_that_say_the_same_in_other_words_share() -> None:
    """Whether one end or both name the protocol is the same to the kernel."""
    both = replace(ports(1, 9), source=selector("10.1.0.0/24", 17))
    policies = XfrmPolicies(FIRST_NUMBER)
    put(policies, ports(1, 9))
    assert all(one.before is not None for one in policies.adding((both,)))
    ranged = replace(
        policy(), source=replace(selector("10.1.0.0/32"), end=ip_address("10.1.0.255"))
    )
    assert [one.before for one in policies.adding((ranged, policy()))] == [None]
