"""Requests that truly cross: the relay holds back IKE until both ends have asked.

What two ends ask of one IKE SA at the same time, and what must be left of it then
(RFC 7296 sections 2.8.1, 2.8.2 and 2.25).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from tests.lab.commands import wait_until
from tests.lab.expectations import expect_traffic
from tests.lab.forwarding import Faults
from tests.lab.ikeactors import STRIKING, IkeactorsPeer
from tests.lab.pair import KINDS, Kinds, Pair, paired
from tests.lab.peer import Peer, Sa
from tests.lab.relay import Relay, relayed
from tests.lab.traffic import Pings
from tests.lab.tunnels import CHILD, CONNECTION

# Longer than both ends need to ask, so that whatever they ask at the same time crosses; twice that
# is less than charon waits before it sends again.
CROSSING = Faults(delay=0.45)
# Some round trips, a retransmission, and charon's pause after TEMPORARY_FAILURE (15 to 35 s is
# what it waits; until then nothing is under way, and both ends agree).
_SETTLED_SECONDS = 20.0
# One each 20 ms, while a rekeying and the deletion of what it replaced take four times the delay.
_PINGS = 160
_MESSAGE = re.compile(r"message-(sent|received): \S+ HDR, SK \{(.*)\} exchange=(\S+)")

Ask = Callable[[Peer], None]

# The child that pings pass through is rekeyed and never deleted; the other one may go.
ASKS: Mapping[str, Ask] = {
    "rekeys-child": lambda peer: peer.rekey_child(CONNECTION, CHILD[4]),
    "rekeys-other": lambda peer: peer.rekey_child(CONNECTION, CHILD[6]),
    "creates-other": lambda peer: peer.up(CONNECTION, CHILD[6]),
    "rekeys-ike": lambda peer: peer.rekey_ike(CONNECTION),
    "deletes-other": lambda peer: peer.down_child(CONNECTION, CHILD[6]),
    "deletes-ike": lambda peer: peer.down(CONNECTION),
}
# What the west and the east ask.
BOTH_REKEY = [
    ("rekeys-child", "rekeys-child"),
    ("rekeys-ike", "rekeys-ike"),
    ("rekeys-child", "rekeys-other"),
    ("rekeys-child", "rekeys-ike"),
    ("rekeys-ike", "rekeys-child"),
]
ONE_CREATES = [
    ("creates-other", "creates-other"),
    ("creates-other", "rekeys-child"),
    ("rekeys-child", "creates-other"),
    ("creates-other", "rekeys-ike"),
    ("rekeys-ike", "creates-other"),
]
ONE_DELETES = [
    ("deletes-other", "rekeys-other"),
    ("rekeys-other", "deletes-other"),
    ("deletes-other", "deletes-other"),
    ("deletes-other", "rekeys-ike"),
    ("rekeys-ike", "deletes-other"),
    ("deletes-other", "rekeys-child"),
    ("rekeys-child", "deletes-other"),
]
IKE_SA_GOES = [
    ("deletes-ike", "rekeys-child"),
    ("rekeys-child", "deletes-ike"),
    ("deletes-ike", "rekeys-ike"),
    ("rekeys-ike", "deletes-ike"),
    ("deletes-ike", "deletes-ike"),
    ("deletes-ike", "deletes-other"),
    ("deletes-other", "deletes-ike"),
]


@dataclass(frozen=True, slots=True)
class Crossing:
    """A pair whose link can be made slow."""

    pair: Pair
    relay: Relay


@contextmanager
def crossing(kinds: tuple[str, str], nonces: str) -> Iterator[Crossing]:
    """A pair on a relayed link; where a kind is "ordered", it is ikeactors with such nonces."""
    ordered = partial(IkeactorsPeer, program=STRIKING, arguments=("--nonces", nonces))
    made: Kinds = {**KINDS, "ordered": ordered}
    with relayed() as (network, relay), paired(network, kinds, made=made) as pair:
        yield Crossing(pair, relay)


def expect_both_rekey(crossing: Crossing, asks: tuple[str, str]) -> None:
    """One IKE SA and one of each child are left, and no ping is lost on the way."""
    pair = crossing.pair
    pair.up()
    with _under_traffic(pair):
        _ask_both(crossing, asks)
        wait_until(lambda: _is_whole(pair), _SETTLED_SECONDS, "one of each is left")
    expect_traffic(pair)


def expect_one_creates(crossing: Crossing, asks: tuple[str, str]) -> None:
    """Both ends agree on what is left, be it two where both create; no ping is lost."""
    pair = crossing.pair
    _without_the_other(pair)
    with _under_traffic(pair):
        _ask_both(crossing, asks)
        wait_until(lambda: _agrees(pair), _SETTLED_SECONDS, "both ends agree")
    _without_the_other(pair)
    pair.up()
    expect_traffic(pair)


def expect_one_deletes(crossing: Crossing, asks: tuple[str, str]) -> None:
    """Both ends agree on what is left; the child that nobody deletes loses no ping."""
    pair = crossing.pair
    pair.up()
    with _under_traffic(pair):
        _ask_both(crossing, asks)
        wait_until(lambda: _agrees(pair), _SETTLED_SECONDS, "both ends agree")
    pair.up()
    expect_traffic(pair)


def expect_the_ike_sa_goes(crossing: Crossing, asks: tuple[str, str]) -> None:
    """Nothing is left of it on either end, and it comes back."""
    pair = crossing.pair
    pair.up()
    _ask_both(crossing, asks)
    wait_until(
        lambda: not pair.west.sas() and not pair.east.sas(), _SETTLED_SECONDS, "nothing is left"
    )
    pair.up()
    expect_traffic(pair)


def _without_the_other(pair: Pair) -> None:
    pair.up()
    pair.west.down_child(CONNECTION, CHILD[6])
    wait_until(
        lambda: _agrees(pair) and _names(pair.east.sas()[0]) == [CHILD[4]],
        _SETTLED_SECONDS,
        "one child is left",
    )


@contextmanager
def _under_traffic(pair: Pair) -> Iterator[None]:
    with Pings.start(pair.network.west, pair.network.east, count=_PINGS) as pings:
        yield
        pings.expect_no_loss()


def _ask_both(crossing: Crossing, asks: tuple[str, str]) -> None:
    """Both ask while nothing arrives; either may be told that it could not be."""
    pair = crossing.pair
    ours = [one for one in (pair.west, pair.east) if isinstance(one, IkeactorsPeer)]
    marks = [len(one.log) for one in ours]
    crossing.relay.strike(ike=CROSSING)
    try:
        with ThreadPoolExecutor(2) as threads:
            for peer, ask in zip((pair.west, pair.east), asks, strict=True):
                threads.submit(ASKS[ask], peer)
        for peer, mark in zip(ours, marks, strict=True):
            wait_until(partial(_has_crossed_since, peer, mark), 5.0, "requests that cross")
    finally:
        crossing.relay.strike()


def _has_crossed_since(peer: IkeactorsPeer, mark: int) -> bool:
    return _has_crossed(peer.log[mark:])


def _has_crossed(log: str) -> bool:
    """Whether a request of the peer came between our request and the answer to it."""
    messages = _MESSAGE.findall(log)
    if len(messages) < 2:
        return False
    (sent, _, ours), (received, payloads, theirs) = messages[:2]
    assert (sent, received) == ("sent", "received"), messages
    return ours != theirs or "Ni" in payloads or payloads == "D"


def _is_whole(pair: Pair) -> bool:
    """One IKE SA on both ends, with one of each child, and nothing on its way out."""
    names = sorted(CHILD.values())
    sides = [peer.sas() for peer in (pair.west, pair.east)]
    return all(len(sas) == 1 and _names(sas[0]) == names for sas in sides) and pair.agrees()


def _agrees(pair: Pair) -> bool:
    return len(pair.west.sas()) == len(pair.east.sas()) == 1 and pair.agrees()


def _names(sa: Sa) -> list[str]:
    return sorted(child.name for child in sa.installed)
