"""Who has what installed, and whose claim of a policy is in force."""

from __future__ import annotations

from dataclasses import replace

from ikeactors.actors.installed import Installed
from ikeactors.kernel.requests import Direction, Mark
from tests.fakes.kernel import Inbox
from tests.fakes.sas import policy, sa

ONE, OTHER = 1, 2
OURS, THEIRS = policy(reqid=7), policy(reqid=8)


def test_the_last_claim_takes_the_policy_along() -> None:
    installed = Installed()
    installed.add(ONE, Inbox(), (), (OURS,))
    assert installed.releasing(ONE, (OURS,)).gone == (OURS,)
    installed.release(ONE, (), (OURS,))
    assert installed.policy_count == 0
    assert installed.owners() == []


def test_removing_an_inner_claim_leaves_the_newer_one_in_force() -> None:
    installed = Installed()
    installed.add(ONE, Inbox(), (), (OURS,))
    installed.add(OTHER, Inbox(), (), (THEIRS,))
    release = installed.releasing(ONE, (OURS,))
    assert (release.gone, release.restored) == ((), ())
    installed.release(ONE, (), (OURS,))
    assert installed.in_force((OURS,)) == (THEIRS,)


def test_removing_the_newest_claim_restores_the_one_below() -> None:
    installed = Installed()
    installed.add(ONE, Inbox(), (), (OURS,))
    installed.add(OTHER, Inbox(), (), (THEIRS,))
    release = installed.releasing(OTHER, (THEIRS,))
    assert (release.gone, release.restored) == ((), (OURS,))


def test_equal_claims_are_given_up_one_by_one() -> None:
    installed = Installed()
    for _ in range(2):
        installed.add(ONE, Inbox(), (), (OURS,))
    first = installed.releasing(ONE, (OURS,))
    assert (first.gone, first.restored) == ((), ())
    installed.release(ONE, (), (OURS,))
    assert installed.releasing(ONE, (OURS,)).gone == (OURS,)


def test_both_of_two_equal_claims_can_be_given_up_at_once() -> None:
    installed = Installed()
    for _ in range(2):
        installed.add(ONE, Inbox(), (), (OURS,))
    _, claimed = installed.owned_by(ONE)
    assert installed.releasing(ONE, claimed).gone == (OURS,)
    installed.release(ONE, (), claimed)
    assert installed.policy_count == 0


def test_policies_with_other_marks_or_directions_are_other_policies() -> None:
    installed = Installed()
    kinds = (OURS, replace(OURS, mark=Mark(1)), replace(OURS, direction=Direction.IN))
    installed.add(ONE, Inbox(), (), kinds)
    assert installed.policy_count == 3


def test_what_was_never_claimed_can_be_given_up() -> None:
    installed = Installed()
    release = installed.releasing(ONE, (OURS,))
    assert (release.gone, release.restored) == ((), ())
    installed.add(OTHER, Inbox(), (), (THEIRS,))
    installed.release(ONE, (sa().sa_id,), (OURS,))
    assert installed.in_force((OURS,)) == (THEIRS,)


def test_an_sa_is_found_by_what_an_event_tells_of_it() -> None:
    installed, inbox = Installed(), Inbox()
    request = replace(sa(), mark=Mark(5))
    installed.add(ONE, inbox, (request,), ())
    told = replace(request.sa_id, mark=None, source=request.destination)
    holding = installed.holding(told)
    assert holding is not None
    assert (holding.sa_id, holding.owner) == (request.sa_id, ONE)
    installed.release(ONE, (request.sa_id,), ())
    assert installed.holding(told) is None
    assert installed.sa_ids() == []
