"""Every interleaving of a small scene: two ends, one wish each, a network that loses and doubles.

A scene is explored from the moment both ends stand: each wish may be spoken at any time, each
message may arrive in any order, be lost or come twice, within a budget. Scenes that have become
alike are followed once. When all is quiet the network is good, some minutes pass, and both ends
must agree.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from ikeactors.kernel.requests import SaRequest
from ikeactors.protocol.events import (
    DeletionRequested,
    Event,
    InitiationRequested,
    RekeyRequested,
    SaExpired,
)
from ikeactors.protocol.ikev2.child_sa import ChildState
from ikeactors.protocol.ikev2.ike_sa import IkeSa
from ikeactors.protocol.settings import ConnectionSettings, Retransmission
from tests.pair import End, Pair, child, connection, selectors

# How far a scene is followed: messages lost, messages doubled, and scenes in all. The variable
# multiplies the last, and lets one more message be lost and doubled.
DEPTH = int(os.environ.get("IKEACTORS_EXPLORE", "1"))
LOSSES = DOUBLES = 1 if DEPTH == 1 else 2
SCENES = 80 * DEPTH

ONE = connection(
    rekey_time=0.0,
    retransmission=Retransmission(timeout=1.0, base=1.0, tries=60),
    children=(child(rekey_time=0.0, life_time=0.0),),
)
# Two children and windows of more than one: their exchanges are under way side by side.
TWO = replace(
    ONE,
    window_size=4,
    children=(
        *ONE.children,
        child(
            "lan",
            rekey_time=0.0,
            life_time=0.0,
            local_ts=selectors("10.3.0.0/16"),
            remote_ts=selectors("10.4.0.0/16"),
        ),
    ),
)


def _expired(end: End) -> Event:
    standing = end.association.children.named("net")
    return SaExpired(standing[0].inbound.sa_id, hard=True) if standing else InitiationRequested()


WISHES: dict[str, Callable[[End], Event]] = {
    "rekey child": lambda end: RekeyRequested("net"),
    "rekey ike": lambda end: RekeyRequested(),
    "rekey lan": lambda end: RekeyRequested("lan"),
    "delete lan": lambda end: DeletionRequested("lan"),
    "delete child": lambda end: DeletionRequested("net"),
    "delete ike": lambda end: DeletionRequested(),
    "expire": _expired,
    "up": lambda end: InitiationRequested(),
}


@dataclass
class Scene:
    """Both ends, what they still wish, and what may still go wrong."""

    pair: Pair
    wishes: dict[str, tuple[str, ...]]
    losses: int = LOSSES
    doubles: int = DOUBLES
    path: tuple[str, ...] = field(default=())

    def moved(self, move: str) -> Scene:
        """A copy in which something else happens."""
        memo: dict[int, object] = {}
        for one in _shared(self.pair):
            memo[id(one)] = one
        pair = copy.deepcopy(self.pair, memo)
        return Scene(pair, dict(self.wishes), self.losses, self.doubles, (*self.path, move))

    def following(self) -> Iterator[Scene]:
        """What may happen next."""
        for name, wishes in self.wishes.items():
            if wishes:
                scene = self.moved(f"{name}: {wishes[0]}")
                scene.wishes[name] = wishes[1:]
                end = getattr(scene.pair, name)
                scene.pair.give(end, WISHES[wishes[0]](end))
                yield scene
        for place, flight in enumerate(self.pair.flights):
            where = f"{flight.receiver.name} {place}"
            scene = self.moved(f"deliver to {where}")
            scene.pair.deliver(scene.pair.flights[place])
            yield scene
            if self.losses:
                scene = self.moved(f"lose to {where}")
                scene.losses -= 1
                del scene.pair.flights[place]
                yield scene
            if self.doubles:
                scene = self.moved(f"double to {where}")
                scene.doubles -= 1
                again = scene.pair.flights[place]
                scene.pair.give(again.receiver, again.datagram)
                yield scene
        for end in self.pair.ends():
            if any(waiting is end for waiting, _ in self.pair.slow or ()):
                scene = self.moved(f"{end.name}: data plane")
                scene.pair.answer_slowly(getattr(scene.pair, end.name))
                yield scene
        if not self.pair.flights and not self.pair.slow and self._waits():
            scene = self.moved("time")
            scene.pair.to_next_timer()
            yield scene

    def _waits(self) -> bool:
        return any(
            ike_sa.requests.outstanding
            for end in self.pair.ends()
            for ike_sa in end.association.ike_sas._by_spi.values()
        )

    def key(self) -> tuple[object, ...]:
        """What tells scenes apart."""
        return (
            self.losses,
            self.doubles,
            tuple(self.wishes.items()),
            tuple(_key_of(end, self.pair.now) for end in self.pair.ends()),
            tuple((end.name, type(event)) for end, event in self.pair.slow or ()),
            tuple(sorted((one.receiver.name, one.datagram.octets) for one in self.pair.flights)),
        )


def _shared(pair: Pair) -> Iterator[object]:
    """What never changes, and need not be copied."""
    yield from (pair.west_settings, pair.east_settings, pair.fate, pair.nat)
    for end in pair.ends():
        yield from (end.association.connection, end.refuse, end.grant)
        yield from (one for one in end.sas.values() if isinstance(one, SaRequest))
        yield from end.reports
        end.traces.clear()
        end.actions.clear()
        for one in end.association.ike_sas._by_spi.values():
            yield from (one.suite, one.keys, one.outgoing, one.incoming)
        for child_sa in end.association.children:
            yield from (child_sa.settings, child_sa.agreement, child_sa.policies)


def _key_of(end: End, now: float) -> tuple[object, ...]:
    association = end.association
    return (
        type(association.phase),
        tuple((one.spi_in, one.state, one.outbound_installed) for one in association.children),
        tuple(_key_of_ike_sa(one) for one in association.ike_sas._by_spi.values()),
        tuple((key, round(at - now, 3)) for key, at in association.timers._due_at.items()),
        tuple(end.sas),
    )


def _key_of_ike_sa(ike_sa: IkeSa) -> tuple[object, ...]:
    return (
        ike_sa.spis.ours,
        ike_sa.state,
        ike_sa.requests.next_id,
        tuple(one.message_id for one in ike_sa.requests.outstanding),
        tuple(one.message_id for one in ike_sa.requests.outstanding if one.tries),
        len(ike_sa.responses.held),
        ike_sa.responses.expected_id,
        len(ike_sa.queue),
    )


def begun(
    west: str,
    east: str,
    nonces: tuple[str, ...],
    *,
    slow: bool = False,
    settings: ConnectionSettings = ONE,
) -> Scene:
    """Two ends that stand; each has a wish, or several with commas between.

    With `slow` the answers of the data planes come at any time too.
    """
    pair = Pair(settings, nonces=nonces).establish()
    wishes = {
        name: tuple(wish for wish in text.split(", ") if wish)
        for name, text in (("west", west), ("east", east))
    }
    pair.slow = [] if slow else None
    pair.gapless = (
        not slow
        and len(settings.children) == 1
        and "delete" not in west + east
        and "expire" not in west + east
    )
    return Scene(pair, wishes)


def explore(first: Scene, scenes: int = SCENES) -> int:
    """Follow every way a scene may go, the quickest first; how many there were."""
    seen: set[tuple[object, ...]] = set()
    waiting = [first]
    while waiting and len(seen) < scenes:
        # From both ends of the queue in turn: the short stories, and some long ones.
        scene = waiting.pop(0 if len(seen) % 2 else -1)
        key = scene.key()
        if key in seen:
            continue
        seen.add(key)
        try:
            check_always(scene)
            following = list(scene.following())
            if not following:
                check_quiet(scene)
        except AssertionError as wrong:
            raise AssertionError("\n".join((*scene.path, str(wrong)))) from wrong
        waiting += following
    for scene in waiting[: scenes // 20]:
        hurry(scene)
    return len(seen)


def hurry(scene: Scene) -> None:
    """Bring a scene to its end without further mishap."""
    pair = scene.pair
    for name, wishes in scene.wishes.items():
        for wish in wishes:
            end = getattr(pair, name)
            pair.give(end, WISHES[wish](end))
            scene.path += (f"{name}: {wish}",)
    scene.wishes = dict.fromkeys(scene.wishes, ())
    try:
        check_quiet(scene)
    except AssertionError as wrong:
        raise AssertionError("\n".join((*scene.path, "hurry", str(wrong)))) from wrong


def check_always(scene: Scene) -> None:
    """What holds at any time: no child is more than once in the data plane and in doubt."""
    for end in scene.pair.ends():
        most = 10 * len(end.association.connection.children)
        assert len(end.sas) <= most, "SAs pile up"
        assert len(end.association.ike_sas._by_spi) <= 5, "IKE SAs pile up"


def check_quiet(scene: Scene) -> None:
    """What holds in the end, some minutes after the last mishap."""
    pair = scene.pair
    pair.hurry()
    pair.settle()
    pair.pass_time(450)
    spoken = " ".join(scene.path)
    if "delete ike" in spoken or any(end.association.closed for end in pair.ends()):
        assert "delete ike" in spoken, "an IKE SA is closed that nobody deleted"
        for end in pair.ends():
            assert end.association.closed, f"{end.name} is not closed"
            assert not end.sas, f"{end.name} has SAs"
        return
    pair.assert_mirrored()
    ours, theirs = (end.association.ike_sa.spis for end in pair.ends())
    assert (ours.spi_i, ours.spi_r) == (theirs.spi_i, theirs.spi_r), "two IKE SAs"
    configured = [one.name for one in pair.west.association.connection.children]
    for name in configured:
        counts = [sum(one.name == name for one in end.association.children) for end in pair.ends()]
        deleted = ("delete child" if name == "net" else "delete lan") in spoken
        assert counts[0] == counts[1], f"the ends do not have the same Child SAs of {name}"
        if not deleted:
            assert counts[0] == 1, f"{counts[0]} Child SAs of {name}"
        elif "expire" not in spoken and "up" not in spoken:
            assert counts[0] == 0, f"{counts[0]} Child SAs of {name} after their deletion"
    for end in pair.ends():
        association = end.association
        assert all(one.state is ChildState.INSTALLED for one in association.children)
        assert len(association.ike_sas._by_spi) == 1, "an IKE SA is left over"
        assert not association.timers._due_at, "a timer is left over"
        assert len(end.policies) == 3 * len(association.children), "policies are left over"
