"""What one peer may cost: associations, messages, time; and addresses that are suspect."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from ikeactors.actors.budgets import (
    FAILURES,
    SPAN,
    SUSPECT_FOR,
    SUSPECTS_LIMIT,
    BudgetLimits,
    Budgets,
    Hoard,
    Suspects,
)
from ikeactors.actors.mailbox import Mailbox
from ikeactors.actors.reports import ReportHub
from ikeactors.actors.router import Router
from ikeactors.protocol.events import DatagramReceived
from tests.pair import EAST, WEST

HERE, THERE = ip_address("192.0.2.1"), ip_address("192.0.2.2")
SPI = b"\1" * 8


def test_messages_over_the_budget_wait_for_the_next_span() -> None:
    budgets, busy, other = Budgets(BudgetLimits(messages=2)), Mailbox(), Mailbox()
    allowed = sum(budgets.allows(busy, 5.0) for _ in range(100))
    assert allowed == 2 * SPAN
    assert budgets.allows(other, 5.0)
    assert budgets.statistics(5.0).dropped_messages == 80
    assert budgets.statistics(5.0).busy == 1
    assert not budgets.allows(busy, 5.0 + SPAN - 0.1)
    assert budgets.allows(busy, 5.0 + SPAN)
    assert budgets.statistics(5.0 + SPAN).busy == 0


def test_time_over_the_budget_costs_messages_until_the_next_span() -> None:
    budgets, busy, other = Budgets(BudgetLimits(cpu=10)), Mailbox(), Mailbox()
    assert budgets.allows(busy, 0.0)
    budgets.charge(busy, 0.9, 0.0)
    assert budgets.allows(busy, 1.0)
    budgets.charge(busy, 0.2, 1.0)
    assert not budgets.allows(busy, 2.0)
    assert budgets.allows(other, 2.0)
    assert budgets.allows(busy, SPAN + 0.1)


def test_without_limits_nothing_is_counted() -> None:
    budgets, mailbox = Budgets(), Mailbox()
    assert all(budgets.allows(mailbox, 0.0) for _ in range(10_000))
    assert not budgets.is_timing
    assert budgets.statistics(0.0).busy == 0
    assert all(budgets.admits(HERE, count) for count in range(10_000))


def test_associations_are_limited_in_all() -> None:
    budgets = Budgets(BudgetLimits(associations=3))
    assert [budgets.admits(HERE, count) for count in (0, 2, 3, 4)] == [True, True, False, False]
    assert budgets.statistics(0.0).refused_associations == 2


def test_associations_are_limited_for_each_address() -> None:
    budgets = Budgets(BudgetLimits(associations_ip=2))
    for number in (1, 2):
        assert budgets.admits(HERE, 0)
        budgets.joined(number, HERE)
    assert not budgets.admits(HERE, 0)
    assert budgets.admits(THERE, 0)
    budgets.left(1)
    budgets.left(1)
    budgets.left(99)
    assert budgets.admits(HERE, 0)


def test_all_of_a_network_of_ipv6_is_one_address() -> None:
    """(RFC 8019 section 4.2)"""
    budgets = Budgets(BudgetLimits(associations_ip=1))
    budgets.joined(1, ip_address("2001:db8::1"))
    assert not budgets.admits(ip_address("2001:db8::ffff:0:0:2"), 0)
    assert budgets.admits(ip_address("2001:db8:0:1::1"), 0)


def test_an_address_is_suspect_after_some_failures_and_for_a_while() -> None:
    """(RFC 8019 section 4.2)"""
    suspects = Suspects()
    for number in range(FAILURES):
        assert not suspects.has(HERE, number)
        suspects.note(HERE, number)
    assert suspects.has(HERE, FAILURES)
    assert not suspects.has(THERE, FAILURES)
    assert suspects.count(FAILURES) == 1
    assert not suspects.has(HERE, FAILURES + SUSPECT_FOR)
    suspects.note(HERE, 2 * SUSPECT_FOR)
    assert not suspects.has(HERE, 2 * SUSPECT_FOR)


def test_no_more_suspects_are_remembered_than_there_is_room_for() -> None:
    suspects = Suspects()
    for number in range(SUSPECTS_LIMIT + 10):
        for _ in range(FAILURES):
            suspects.note(ip_address(number), 0.0)
    assert suspects.count(1.0) == SUSPECTS_LIMIT
    assert not suspects.has(ip_address(0), 1.0)


@pytest.mark.parametrize("limit", [0, 3])
async def test_the_router_drops_what_is_over_the_budget(limit: int) -> None:
    router = Router(ReportHub(lambda: 0.0), Budgets(BudgetLimits(messages=limit)))
    mailbox = Mailbox()
    router.register(SPI, mailbox)
    message = DatagramReceived(bytes(8) + SPI + bytes((46, 32, 37, 8)) + bytes(8), EAST, WEST)
    for _ in range(int(limit * SPAN) + 5):
        router.deliver(replace(message))
        mailbox.drain()
    dropped = dict(router.statistics().dropped)
    assert dropped.get("over-budget", 0) == (5 if limit else 0)


class Kept:
    """What holds octets."""


def test_octets_are_held_as_long_as_their_holder_lives() -> None:
    hoard, first, second = Hoard(100), Kept(), Kept()
    assert hoard.hold(first, 40)
    assert hoard.hold(second, 30)
    assert hoard.hold(first, 20)
    assert not hoard.hold(second, 11)
    assert hoard.octets == 90
    del first
    assert hoard.octets == 30
    assert hoard.hold(second, 70)
    del second
    assert hoard.octets == 0


def test_it_is_quiet_until_an_ike_auth_fails_and_again_after_a_while() -> None:
    """(RFC 8019 section 7.2)"""
    suspects = Suspects()
    assert suspects.is_quiet
    suspects.note(HERE, 5.0)
    suspects.has(THERE, 6.0)
    assert not suspects.is_quiet
    suspects.has(THERE, 5.0 + SUSPECT_FOR)
    assert suspects.is_quiet
