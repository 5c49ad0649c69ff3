"""Two ends on a stage: messages arrive when the test says so, and each Child SA has a name.

`old` is the one that stood at first, `w1`, `w2`, ... those of western exchanges, `e1`, ... those of
eastern ones. What an end shows is "old rekeying io, e1 installed i": the state, and whether the
inbound and the outbound SA are in the data plane.
"""

from __future__ import annotations

import itertools

from ikeactors.protocol.events import DeletionRequested, RekeyRequested
from ikeactors.protocol.ikev2.child_sa import ChildSa
from ikeactors.protocol.settings import ConnectionSettings, Retransmission
from tests.pair import End, Flight, Pair, child, connection

PATIENT = Retransmission(timeout=2.0, base=1.0, tries=60)
QUIET = connection(
    rekey_time=0.0,
    retransmission=PATIENT,
    children=(child(rekey_time=0.0, life_time=0.0),),
)


class Stage:
    """A pair that stands. `lowest` names the end and the role that draw the lowest nonce."""

    def __init__(
        self,
        lowest: str = "west i",
        west: ConnectionSettings = QUIET,
        east: ConnectionSettings | None = None,
        *,
        gapless: bool = True,
    ) -> None:
        self.pair = Pair(west, east, nonces=(lowest,)).establish()
        self.pair.gapless = gapless
        self.pair.trace.clear()
        self._names: dict[frozenset[int], str] = {}
        self._count = {"west": itertools.count(1), "east": itertools.count(1)}
        self._asked = 99
        (old,) = self.pair.west.association.children
        self._names[_key(old)] = "old"

    # What is done.

    def _request_id(self) -> int:
        self._asked += 1
        return self._asked

    def rekey(self, *ends: str) -> None:
        """Operators ask for the Child SA to be rekeyed."""
        for name in ends:
            self.pair.give(self.end(name), RekeyRequested("net", None, self._request_id()))

    def rekey_ike(self, *ends: str) -> None:
        """Operators ask for the IKE SA to be rekeyed."""
        for name in ends:
            self.pair.give(self.end(name), RekeyRequested(request_id=self._request_id()))

    def delete(self, name: str) -> None:
        """An operator asks for the end of the Child SA."""
        self.pair.give(self.end(name), DeletionRequested("net", None, self._request_id()))

    def delete_ike(self, name: str) -> None:
        """An operator asks for the end of the IKE SA."""
        self.pair.give(self.end(name), DeletionRequested(request_id=self._request_id()))

    def arrive(self, *receivers: str) -> None:
        """The oldest message on its way to each of these arrives."""
        for name in receivers:
            self.pair.deliver(self.under_way(name)[0])
            self.check()

    def hold(self, name: str) -> Flight:
        """The newest message on its way to this end is held up until `release`."""
        flight = self.under_way(name)[-1]
        self.pair.flights.remove(flight)
        return flight

    def release(self, flight: Flight) -> None:
        """It arrives after all."""
        self.pair.give(flight.receiver, flight.datagram)
        self.check()

    def settle(self) -> None:
        """Everything that is under way arrives."""
        while self.pair.flights:
            self.pair.deliver(self.pair.flights[0])
            self.check()

    def end(self, name: str) -> End:
        """The end of this name."""
        return self.pair.west if name == "west" else self.pair.east

    def under_way(self, name: str) -> list[Flight]:
        """What is on its way to this end."""
        return [one for one in self.pair.flights if one.receiver is self.end(name)]

    # What is seen.

    def shows(self, name: str) -> str:
        """What this end has: each Child SA, its state and what is in the data plane."""
        end = self.end(name)
        return ", ".join(
            f"{self._name(end, one)} {one.state.value}"
            f" {'i' * one.inbound_installed}{'o' * one.outbound_installed}".rstrip()
            for one in end.association.children
        )

    def assert_shows(self, west: str, east: str) -> None:
        """Exactly this is at both ends, and what the data planes hold agrees with it."""
        assert (self.shows("west"), self.shows("east")) == (west, east)
        self.check()

    def check(self) -> None:
        """What holds after every step: the data plane has what it should, and reports alternate."""
        for end in self.pair.ends():
            children = list(end.association.children)
            for one in children:
                self._name(end, one)
            held = {sa_id for one in children for sa_id in one.installed_sas}
            assert held == set(end.sas)
            assert_alternate(end)

    def assert_rest(self, *names: str) -> None:
        """Some minutes later only these are left, no timer runs and everybody was answered."""
        self.pair.pass_time(60)
        expected = ", ".join(f"{name} installed io" for name in names)
        self.assert_shows(expected, expected)
        self.pair.pass_time(400)
        self.assert_shows(expected, expected)
        self.pair.assert_mirrored()
        answers = [one.request_id for end in self.pair.ends() for one in end.answers]
        assert sorted(answers) == [1, *range(100, self._asked + 1)]
        for end in self.pair.ends():
            assert not end.association.timers._due_at
            assert end.association.ike_sa.is_idle
            assert len(end.association.ike_sas._by_spi) == 1
            assert len(end.policies) == 3 * len(names)

    def assert_closed(self) -> None:
        """Nothing is left at either end."""
        for end in self.pair.ends():
            assert end.association.closed
            assert not end.association.timers._due_at
            assert not end.sas
            assert not end.policies

    def _name(self, end: End, one: ChildSa) -> str:
        key = _key(one)
        if key not in self._names:
            maker = "west" if one.is_ours is (end is self.pair.west) else "east"
            self._names[key] = f"{maker[0]}{next(self._count[maker])}"
        return self._names[key]

    def ike_maker(self) -> str:
        """Whose exchange has made the IKE SA that both ends take for the one that stands."""
        ours, theirs = (end.association.ike_sa.spis for end in self.pair.ends())
        assert (ours.spi_i, ours.spi_r) == (theirs.spi_i, theirs.spi_r)
        return "west" if ours.original_initiator else "east"


def _key(one: ChildSa) -> frozenset[int]:
    return frozenset((one.spi_in, one.spi_out))


def assert_alternate(end: End, name: str = "net") -> None:
    """A child comes up, goes down, and is rekeyed only in between."""
    is_up = False
    for report in end.reports:
        if report.details.get("child") != name:
            continue
        if report.name == "child-sa-up":
            assert not is_up
            is_up = True
        elif report.name == "child-sa-down":
            assert is_up
            is_up = False
        elif report.name == "child-sa-rekeyed":
            assert is_up


def loser(lowest: str) -> str:
    """The end whose exchange has the lowest of the four nonces."""
    return "west" if lowest in ("west i", "east r") else "east"


def other(end: str) -> str:
    """The end at the other side."""
    return "east" if end == "west" else "west"


def shown(stage: Stage, end: str, mine: str, peers: str) -> None:
    """`end` shows `mine`, its peer `peers`."""
    stage.assert_shows(*((mine, peers) if end == "west" else (peers, mine)))
