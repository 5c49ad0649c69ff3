"""Which steps go to a worker."""

from __future__ import annotations

from dataclasses import replace

from ikeactors.protocol.events import (
    ChildSaInstalled,
    InitiationRequested,
    RekeyRequested,
    TimerExpired,
)
from ikeactors.wire.payload import KeyExchange
from tests.pair import Pair, connection, ike
from tests.protocol.forging import change_clear, initiated, without

SLOW = connection(proposals=ike("aes128gcm16-prfsha256-modp4096"))


def test_steps_in_a_fast_group_stay_where_they_are() -> None:
    pair = Pair()
    assert not pair.west.association.needs_worker(InitiationRequested())
    pair.initiate()
    assert not pair.east.association.needs_worker(pair.flights[0].datagram)
    pair.settle()
    assert not pair.west.association.needs_worker(RekeyRequested())


def test_steps_in_a_slow_group_go_to_a_worker() -> None:
    pair = Pair(SLOW)
    assert pair.west.association.needs_worker(InitiationRequested())
    pair.initiate()
    assert pair.east.association.needs_worker(pair.flights[0].datagram)
    pair.deliver(pair.flights[0])
    pair.deliver(pair.flights[0])
    assert pair.east.association.needs_worker(pair.flights[0].datagram)
    pair.settle()
    assert pair.west.association.needs_worker(RekeyRequested())
    assert not pair.west.association.needs_worker(ChildSaInstalled(1))
    assert isinstance(pair.west.association.needs_worker(TimerExpired()), bool)


def test_a_first_message_without_a_group_is_no_work_and_no_mistake() -> None:
    """A24"""
    pair = initiated()
    change_clear(pair.flights[0], without(KeyExchange))
    assert not pair.east.association.needs_worker(pair.flights[0].datagram)
    short = replace(pair.flights[0].datagram, octets=b"")
    assert not pair.east.association.needs_worker(short)
