"""Targets in the protocol: strangers' datagrams, changed ones, and all that a peer may say itself.

A run begins from the same state each time, so that a crash comes again. What must hold besides:
few actions, no octets without bound, nobody unauthenticated at the data plane, and two ends that
come to rest.
"""

from __future__ import annotations

from contextlib import suppress

from ikeactors.errors import Fault, IntegrityFailed
from ikeactors.iana import ExchangeType, PayloadType
from ikeactors.protocol.actions import (
    Action,
    InstallChildSa,
    MoveChildSa,
    RemoveChildSa,
    Report,
    SendDatagram,
)
from ikeactors.protocol.allowance import Allowance
from ikeactors.protocol.events import DatagramReceived
from ikeactors.protocol.ikev2.admission import Admission, AdmissionLimits, Refused
from ikeactors.protocol.ikev2.protection import DirectionKeys, open_sealed, seal_content
from ikeactors.wire.header import read_header
from ikeactors.wire.message import notation
from ikeactors.wire.payload import payload_type
from tests.fuzz.target import Target
from tests.fuzz.traffic import spoken
from tests.pair import EAST, WEST, End, Pair, SeededEntropy, connection, ike
from tests.protocol.forging import fragment, iv_of, other, sent_by
from tests.protocol.phases import PHASES

# Ours: more than any one message brings about, reports and traces among them.
MOST_ACTIONS = 40
MOST_REPORTS = 8
# An answer to one message, in all its fragments.
MOST_OCTETS = 8192

_PHASES = sorted(PHASES)
_PLANE = (InstallChildSa, RemoveChildSa, MoveChildSa)
_TO_WEST, _RESPONSE, _LATER = 1, 2, 4
_PREFIX = 4


def strangers(octets: bytes) -> None:
    """Whoever has no keys sends these: the first two octets choose the state and who hears it."""
    if len(octets) < 2:
        return
    pair, receiver = _scene(octets[0], octets[1])
    if any(octets[2:].startswith(sound) for _, _, sound, _ in spoken()):
        return
    fresh = not receiver.association.ike_sas.exists
    held = dict(receiver.sas), list(receiver.policies)
    actions = heard(pair, receiver, octets[2:])
    if not fresh:
        assert not [one for one in actions if isinstance(one, _PLANE)]
        assert held == (receiver.sas, receiver.policies)


def peers(octets: bytes) -> None:
    """The peer seals these: state and who, flags, exchange, first payload, content."""
    if len(octets) < _PREFIX:
        return
    pair, receiver = _scene(octets[0], octets[1])
    sender = other(pair, receiver)
    if not _are_keyed(pair):
        return
    heard(pair, receiver, _sealed(sender, receiver, octets))
    come_to_rest(pair)


def fragments(octets: bytes) -> None:
    """The peer seals these as fragments: number, total, length and content of each."""
    if len(octets) < _PREFIX:
        return
    pair, receiver = _scene(octets[0], octets[1])
    if not _are_keyed(pair):
        return
    at = _PREFIX
    while at + 3 <= len(octets) and not receiver.association.closed:
        number, total, length = octets[at : at + 3]
        heard(pair, receiver, _fragment(pair, receiver, octets, number, total, at, length))
        at += 3 + length
    come_to_rest(pair)


def heard(pair: Pair, receiver: End, octets: bytes) -> list[Action]:
    """What one datagram brings about, within bounds."""
    before = len(receiver.actions)
    datagram = sent_by(pair, other(pair, receiver), octets)
    assert receiver.association.needs_worker(datagram) in (True, False)
    pair.give(receiver, datagram)
    actions = receiver.actions[before:]
    assert len(actions) <= MOST_ACTIONS
    assert len([one for one in actions if isinstance(one, Report)]) <= MOST_REPORTS
    sent = [len(one.octets) for one in actions if isinstance(one, SendDatagram)]
    assert sum(sent) <= MOST_OCTETS
    receiver.association.snapshot(pair.now)
    return actions


def come_to_rest(pair: Pair) -> None:
    """Whatever was said, the ends come to rest, also when their timers expire."""
    pair.settle(100)
    pair.pass_time(6.0)
    for end in pair.ends():
        if end.association.closed:
            assert not end.sas
            assert not end.policies


def admission(octets: bytes) -> None:
    """To the doorkeeper, alone and in a crowd."""
    door = Admission(SeededEntropy("door"), AdmissionLimits(), Allowance(100, 100))
    for crowd in (0, 30):
        verdict = door.consider(DatagramReceived(octets, EAST, WEST), crowd, 0, 1000.0)
        if isinstance(verdict, Refused):
            assert len(verdict.reply or b"") <= len(octets)
            assert len(verdict.reason) < 100


def opening(octets: bytes) -> None:
    """The first octet chooses the keys, the second the first payload; the rest is sealed."""
    if len(octets) < 2:
        return
    keys, iv = _KEYS[octets[0] % len(_KEYS)]
    kind = PayloadType(octets[1])
    sealed = seal_content(
        keys, iv, b"initiatr", b"respondr", ExchangeType.INFORMATIONAL, 2,
        (PayloadType.SK, kind, b""), octets[2:], is_response=False, from_original_initiator=True,
    )  # fmt: skip
    opened = open_sealed(keys, sealed, read_header(sealed))
    assert opened.plaintext == octets[2:]
    with suppress(Fault):
        read = opened.payloads()
        assert "\n" not in notation(ExchangeType.INFORMATIONAL, False, read, protected=True)
        for one in read:
            opened.body_of(payload_type(one))


def unsealing(octets: bytes) -> None:
    """Whoever has no keys sends these: they are never opened."""
    with suppress(Fault):
        header = read_header(octets)
        for keys, _ in _KEYS:
            with suppress(IntegrityFailed):
                open_sealed(keys, octets, header)
                raise AssertionError("opened without the keys")


def _scene(choice: int, flags: int) -> tuple[Pair, End]:
    pair = PHASES[_PHASES[choice % len(_PHASES)]]()
    return pair, pair.west if flags & _TO_WEST else pair.east


def _are_keyed(pair: Pair) -> bool:
    return all(end.association.ike_sas.exists for end in pair.ends())


def _message_id(receiver: End, flags: int) -> int:
    ike_sa = receiver.association.ike_sa
    if flags & _RESPONSE:
        return max(0, ike_sa.requests.next_id - 1)
    return ike_sa.responses.expected_id + (1 if flags & _LATER else 0)


def _sealed(sender: End, receiver: End, octets: bytes) -> bytes:
    ike_sa = sender.association.ike_sa
    return seal_content(
        ike_sa.outgoing,
        iv_of(ike_sa),
        ike_sa.spis.spi_i,
        ike_sa.spis.spi_r,
        ExchangeType(octets[2]),
        _message_id(receiver, octets[1]),
        (PayloadType.SK, PayloadType(octets[3]), b""),
        octets[_PREFIX:],
        is_response=bool(octets[1] & _RESPONSE),
        from_original_initiator=ike_sa.spis.original_initiator,
    )


def _fragment(
    pair: Pair, receiver: End, octets: bytes, number: int, total: int, at: int, length: int
) -> bytes:
    return fragment(
        other(pair, receiver),
        number,
        total,
        octets[at + 3 : at + 3 + length],
        exchange=ExchangeType(octets[2]),
        first=PayloadType(octets[3]) if number == 1 else PayloadType.NONE,
        message_id=_message_id(receiver, octets[1]),
        is_response=bool(octets[1] & _RESPONSE),
    )


def _prefix(phase: str, name: str) -> bytes:
    return bytes((_PHASES.index(phase), _TO_WEST if name == "west" else 0))


def _overheard() -> list[bytes]:
    return [_prefix(phase, name) + octets for phase, name, octets, _ in spoken()]


def _said() -> list[bytes]:
    found = []
    for phase, name, octets, inside in spoken():
        if inside is not None:
            header = read_header(octets)
            who, flags = _prefix(phase, name)
            flags |= _RESPONSE if header.is_response else 0
            found.append(bytes((who, flags, header.exchange, inside.first)) + inside.plaintext)
    established = _prefix("established", "east")
    again = [established + one[2:] for one in found if not one[1] & _RESPONSE]
    return list(dict.fromkeys(found + again))


def _in_pieces() -> list[bytes]:
    found = []
    for one in _said():
        content = one[_PREFIX:]
        chunks = [content[at : at + 100] for at in range(0, len(content), 100)] or [b""]
        total = len(chunks)
        pieces = [bytes((n, total, len(chunk))) + chunk for n, chunk in enumerate(chunks, 1)]
        found += [one[:_PREFIX] + b"".join(pieces), one[:_PREFIX] + b"".join(reversed(pieces))]
    return found


def _some_keys() -> list[tuple[DirectionKeys, bytes]]:
    cbc = connection(proposals=ike("aes256-sha256-x25519"))
    ends = [
        pair.establish().west.association.ike_sa for pair in (Pair(seed="a"), Pair(cbc, seed="b"))
    ]
    return [(one.outgoing, iv_of(one)) for one in ends]


_KEYS = _some_keys()

CONVERSATIONS: dict[str, Target] = {
    "strangers": Target(strangers, _overheard, 700),
    "peers": Target(peers, _said, 350),
    "fragments": Target(fragments, _in_pieces, 350),
    "admission": Target(admission, lambda: [octets for _, _, octets, _ in spoken()], 15_000),
    "opening": Target(
        opening, lambda: [bytes((n, one[3])) + one[4:] for n in (0, 1) for one in _said()], 8_000
    ),
    "unsealing": Target(unsealing, lambda: [octets for _, _, octets, _ in spoken()], 15_000),
}
