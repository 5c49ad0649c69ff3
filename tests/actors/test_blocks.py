"""Policies that drop what has no Child SA: which there are, and below what they stand."""

from __future__ import annotations

from dataclasses import replace

from ikeactors.actors.blocks import blocks
from ikeactors.actors.installed import BLOCKING, OURSELVES, Installed
from ikeactors.actors.kernel import KernelRequest
from ikeactors.actors.shunts import Unread
from ikeactors.kernel.policies import key_of, priority_of
from ikeactors.kernel.requests import Direction, PolicyAction
from ikeactors.protocol.actions import InstallChildSa
from tests.fakes.sas import policy
from tests.pair import child, connection


def requests() -> list[KernelRequest]:
    return list(blocks([connection(children=(child(blocks=True), child("open")))]))


def test_each_way_of_a_child_that_is_to_be_blocked_is_dropped() -> None:
    (request,) = requests()
    assert request.owner == BLOCKING
    assert isinstance(request.action, InstallChildSa)
    assert not request.action.sas
    policies = request.action.policies
    assert [one.direction for one in policies] == [Direction.OUT, Direction.IN, Direction.FWD]
    assert {one.action for one in policies} == {PolicyAction.DROP}
    assert all(one.blocks for one in policies)


def test_what_is_blocked_is_behind_all_else() -> None:
    (request,) = requests()
    assert isinstance(request.action, InstallChildSa)
    for one in request.action.policies:
        anything = replace(policy("0.0.0.0/0", "0.0.0.0/0"), action=PolicyAction.DROP)
        assert priority_of(one) > priority_of(anything)


def test_what_the_daemon_wants_is_below_what_an_association_has() -> None:
    installed, tunnel = Installed(), policy()
    trap, block = replace(tunnel, on_demand=True), replace(tunnel, action=PolicyAction.DROP)
    installed.add(7, Unread(), (), (tunnel,))
    installed.add(BLOCKING, Unread(), (), (block,))
    installed.add(OURSELVES, Unread(), (), (trap,))
    assert installed.is_covered(block)
    assert installed.in_force((tunnel,)) == (tunnel,)
    installed.release(7, (), (tunnel,))
    assert installed.in_force((tunnel,)) == (trap,)
    installed.release(OURSELVES, (), (trap,))
    assert installed.in_force((tunnel,)) == (block,)
    assert not installed.is_covered(block)
    assert key_of(block) == key_of(tunnel)
