"""Both ends initiate an IKE SA at once, as whole associations: one survives, the same at both.

Each site has an association of its own and one that answers the other's. A step is a message that
arrives, `w` one of the western exchanges and `e` one of the eastern ones:

    Host A                                Host B
    -------------------------------------------------------------------
    HDR, SAi1, KEi, Ni  -->
                                     <--  HDR, SAi1, KEi, Ni
    ...                                   ...
    HDR, SK {IDi, AUTH, ...}  -->
                                     <--  HDR, SK {IDi, AUTH, ...}
"""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from ikeactors.actors.claims import Claims
from ikeactors.protocol.actions import ClaimIdentity
from ikeactors.protocol.events import Superseded
from tests.pair import End, Pair, connection, mirrored

# IKE_SA_INIT and IKE_AUTH, two messages each, in both directions.
MESSAGES = 4
# Where one exchange is over before the other is begun at the end that answers, nothing crosses.
ORDERS = sorted(
    order
    for order in set(itertools.permutations("w" * MESSAGES + "e" * MESSAGES, 6))
    if set(order[:MESSAGES]) == {"w", "e"}
)
LOWEST = pytest.mark.parametrize("lowest", ["w i", "w r", "e i", "e r"])


class Sites:
    """Two sites that call each other; `lowest` says whose exchange has the lowest nonce."""

    def __init__(self, lowest: str) -> None:
        ours = connection()
        theirs = replace(
            ours,
            local=ours.remote,
            remote=ours.local,
            children=tuple(mirrored(one) for one in ours.children),
        )
        self.pairs = {
            maker: Pair(settings, seed=maker, nonces=(self._lowest(maker, lowest),))
            for maker, settings in (("w", ours), ("e", theirs))
        }
        self._going: list[tuple[Pair, End, Superseded]] = []
        for site in ("west", "east"):
            self._register(site)
        for pair in self.pairs.values():
            pair.initiate(request_id=None)

    @staticmethod
    def _lowest(maker: str, lowest: str) -> str:
        """The role that draws the lowest nonce, if it is in this exchange."""
        its, role = lowest.split()
        return {"i": "west i", "r": "east r"}[role] if its == maker else "nobody"

    def _register(self, site: str) -> None:
        """One registry of claims for the two associations of a site."""
        claims, local = Claims(), {}
        for number, (maker, pair) in enumerate(self.pairs.items(), 1):
            end = pair.west if maker == site[0] else pair.east
            local[number] = pair, end

            def grant(claim: ClaimIdentity, number: int = number) -> bool:
                verdict = claims.claim(number, claim)
                for losing in (*verdict.superseded, *verdict.yielding):
                    silent = verdict.silent and losing in verdict.superseded
                    self._going.append((*local[losing], Superseded(silent)))
                return verdict.granted

            end.grant = grant

    def step(self, maker: str) -> None:
        """The oldest message of these exchanges arrives, a moment later."""
        for pair in self.pairs.values():
            pair.now += 0.01
        pair = self.pairs[maker]
        if pair.flights:
            pair.deliver(pair.flights[0])
        while self._going:
            losing, end, superseded = self._going.pop(0)
            losing.give(end, superseded)

    def settle(self) -> None:
        """Everything arrives, in turn."""
        while any(pair.flights for pair in self.pairs.values()):
            for maker in self.pairs:
                self.step(maker)


@LOWEST
@pytest.mark.parametrize("order", ORDERS, ids="".join)
def test_both_ends_initiate_at_once_and_one_ike_sa_survives(
    order: tuple[str, ...], lowest: str
) -> None:
    """(RFC 7296 section 2.8.1)"""
    sites = Sites(lowest)
    for maker in order:
        sites.step(maker)
    sites.settle()
    lost, won = (sites.pairs[maker] for maker in (lowest[0], "e" if lowest[0] == "w" else "w"))
    for end in lost.ends():
        assert end.association.closed
        assert not end.sas
        assert not end.policies
    for end in won.ends():
        assert end.association.established
    won.pass_time(60)
    won.assert_one_pair()


@LOWEST
def test_the_loser_goes_with_a_delete_of_the_end_that_made_it(lowest: str) -> None:
    sites = Sites(lowest)
    sites.settle()
    assert sites.pairs[lowest[0]].trace[-2:] == ["--> HDR, SK {D}", "<-- HDR, SK {}"]
    assert len(sites.pairs["e" if lowest[0] == "w" else "w"].trace) == MESSAGES
