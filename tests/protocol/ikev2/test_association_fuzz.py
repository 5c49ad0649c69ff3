"""Arbitrary and mutated messages: they never raise and never touch the data plane."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ikeactors.iana import ExchangeType, PayloadType
from ikeactors.protocol.actions import (
    InstallChildSa,
    MoveChildSa,
    RemoveChildSa,
)
from ikeactors.protocol.events import (
    DatagramReceived,
    RekeyRequested,
)
from ikeactors.wire.payload import Unknown
from tests.pair import EAST, WEST, End, Pair
from tests.protocol.forging import (
    sealed,
    sent_by,
)
from tests.protocol.phases import PHASES

# More than any one message brings about.
MOST_ACTIONS = 12


def _step(end: End, octets: bytes, now: float) -> list[object]:
    ends = (WEST, EAST) if end.name == "west" else (EAST, WEST)
    datagram = DatagramReceived(octets, *ends)
    assert end.association.needs_worker(datagram) in (True, False)
    return list(end.association.handle(datagram, now))


def _assert_harmless(actions: list[object]) -> None:
    assert len(actions) <= MOST_ACTIONS
    plane = (InstallChildSa, RemoveChildSa, MoveChildSa)
    assert not [one for one in actions if isinstance(one, plane)]


_READY: dict[str, Pair] = {}


def ready(phase: str) -> Pair:
    """One pair a phase, so that examples are cheap: harmless messages leave it as it is."""
    if phase not in _READY or any(end.association.closed for end in _READY[phase].ends()):
        _READY[phase] = PHASES[phase]()
        pair = _READY[phase]
        if not pair.flights:
            pair.give(pair.east, RekeyRequested(child="net"))
    return _READY[phase]


@given(st.sampled_from(sorted(PHASES)), st.sampled_from(["west", "east"]), st.binary(max_size=300))
def test_arbitrary_octets_never_raise(phase: str, name: str, octets: bytes) -> None:
    pair = ready(phase)
    if name == "east" and phase == "initiated":
        return
    _assert_harmless(_step(getattr(pair, name), octets, pair.now))


@given(
    st.sampled_from(sorted(PHASES)),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(1, 255)), min_size=1, max_size=5),
    st.integers(0, 4),
)
def test_mutated_messages_never_raise(phase: str, changes: list[tuple[int, int]], cut: int) -> None:
    pair = ready(phase)
    flight = pair.flights[-1]
    octets = bytearray(flight.datagram.octets)
    for at, value in changes:
        octets[at % len(octets)] ^= value
    fresh = phase == "initiated"
    receiver = End("east", pair.responder()) if fresh else flight.receiver
    end = bytes(octets[: len(octets) - cut])
    if end == flight.datagram.octets:
        return
    _assert_harmless(_step(receiver, end, pair.now))


@given(
    st.sampled_from([ExchangeType.CREATE_CHILD_SA, ExchangeType.INFORMATIONAL]),
    st.integers(0, 255),
    st.binary(max_size=200),
    st.booleans(),
)
def test_arbitrary_octets_of_the_peer_itself_never_raise(
    exchange: ExchangeType, first: int, plaintext: bytes, is_response: bool
) -> None:
    """The peer has the keys, and says anything at all inside of SK."""
    pair = ready("established") if not is_response else ready("rekeying")
    kind = PayloadType(first)
    receiver = pair.east
    before = len(receiver.policies)
    octets = sealed(
        pair.west,
        exchange,
        (Unknown(kind, False, plaintext),),
        message_id=receiver.association.ike_sa.responses.expected_id,
        is_response=is_response,
    )
    pair.give(receiver, sent_by(pair, pair.west, octets))
    pair.flights[:] = pair.flights[:1]
    assert len(receiver.policies) <= before
