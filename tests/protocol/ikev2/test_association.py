"""What an association lets through: gates, messages of strangers, malformed and mutated ones."""

from __future__ import annotations

import gc
from dataclasses import replace
from types import FunctionType, ModuleType

import pytest

from ikeactors.iana import ExchangeType, NotifyType, PayloadType
from ikeactors.protocol.actions import (
    SendDatagram,
)
from ikeactors.protocol.events import (
    ChildSaInstalled,
    DatagramReceived,
    DeletionRequested,
    IdentityClaimed,
    KernelRefused,
    RekeyRequested,
    TimerExpired,
)
from ikeactors.wire.header import HEADER_LENGTH, read_header, write_header
from ikeactors.wire.message import Message, write_message
from ikeactors.wire.payload import Notify, Unknown, write_payloads
from tests.pair import EAST, WEST, Pair
from tests.protocol.forging import (
    initiated,
    other,
    sealed,
    sent_by,
    standing,
)
from tests.protocol.phases import KEYED, PHASES, established, in_clear, wake

EXCHANGES = [*range(1, 6), 33, *range(34, 45), 240, 255]
SERVED = {
    ExchangeType.IKE_AUTH: {"authenticating"},
    ExchangeType.CREATE_CHILD_SA: set(KEYED) - {"authenticating"},
    ExchangeType.INFORMATIONAL: set(KEYED) - {"authenticating"},
}


@pytest.mark.parametrize("exchange", EXCHANGES)
@pytest.mark.parametrize("phase", PHASES)
def test_nothing_unprotected_is_served_after_ike_sa_init(phase: str, exchange: int) -> None:
    """A29, G5, G8: whatever its exchange type, a message in clear changes nothing."""
    pair = PHASES[phase]()
    ends = [end for end in pair.ends() if end.association.deadline < float("inf")]
    wake(pair, phase)
    before = [standing(end) for end in ends]
    flights = len(pair.flights)
    awaited = phase in ("initiated", "half_open") and exchange == ExchangeType.IKE_SA_INIT
    for message_id in range(4):
        for is_response in (False, not awaited):
            for end in ends:
                octets = in_clear(pair, end, ExchangeType(exchange), message_id, is_response)
                pair.give(end, sent_by(pair, other(pair, end), octets))
    assert [standing(end) for end in ends] == before
    assert len(pair.flights) == flights
    pair.settle()
    if not phase.startswith("deleting"):
        pair.pass_time(20)
        assert pair.west.association.established
        pair.assert_mirrored()


@pytest.mark.parametrize("exchange", EXCHANGES)
@pytest.mark.parametrize("phase", KEYED)
@pytest.mark.parametrize("name", ["west", "east"])
def test_only_what_is_allowed_is_served(name: str, phase: str, exchange: int) -> None:
    """G7, G8, A12: requests with the peer's own keys, in each state, to both ends."""
    kind = ExchangeType(exchange)
    pair = PHASES[phase]()
    wake(pair, phase)
    receiver = getattr(pair, name)
    sender = other(pair, receiver)
    ours = receiver.association.ike_sa
    served = phase in SERVED.get(kind, ())
    if name == "west" and (kind is ExchangeType.IKE_AUTH or phase == "answered"):
        served = False
    before = standing(receiver)
    flights = len(pair.flights)
    sender_sa = sender.association.ike_sas.find(
        ours.spis.spi_r if name == "west" else ours.spis.spi_i
    )
    if sender_sa is None:
        return
    octets = sealed(sender, kind, (), message_id=ours.responses.expected_id, ike_sa=sender_sa)
    pair.give(receiver, sent_by(pair, sender, octets))
    if served:
        assert len(pair.flights) > flights
    else:
        assert standing(receiver) == before
        assert len(pair.flights) == flights


@pytest.mark.parametrize("phase", ["authenticating", "established", "rekeying_ike", "deleting"])
def test_one_bit_changed_is_a_message_of_nobody(phase: str) -> None:
    """A28: in each octet of each message; the good one is still served afterwards."""
    pair = PHASES[phase]()
    wake(pair, phase)
    if not pair.flights:
        pair.give(pair.east, RekeyRequested(child="net"))
    while pair.flights:
        flight = pair.flights[0]
        octets = flight.datagram.octets
        before = standing(flight.receiver)
        for at in range(len(octets)):
            changed = octets[:at] + bytes((octets[at] ^ 1 << at % 8,)) + octets[at + 1 :]
            junk = replace(flight.datagram, octets=changed)
            actions = flight.receiver.association.handle(junk, pair.now)
            assert not [one for one in actions if isinstance(one, SendDatagram)]
        assert standing(flight.receiver) == before
        pair.deliver(flight)
    pair.pass_time(6)
    pair.assert_mirrored()
    assert pair.west.association.established


@pytest.mark.parametrize("length", [0, 1, 27, 28, 40, 60])
@pytest.mark.parametrize("phase", KEYED)
def test_what_is_cut_off_is_dropped(phase: str, length: int) -> None:
    """A1, A2, A27"""
    pair = PHASES[phase]()
    wake(pair, phase)
    if not pair.flights:
        pair.give(pair.east, RekeyRequested(child="net"))
    flight = pair.flights[0]
    octets = flight.datagram.octets
    before = standing(flight.receiver)
    for cut in (octets[:length], octets[:24] + length.to_bytes(4, "big") + octets[28:]):
        pair.give(flight.receiver, replace(flight.datagram, octets=cut))
    assert standing(flight.receiver) == before


def test_octets_behind_the_message_are_no_part_of_it() -> None:
    """A2"""
    pair = initiated()
    while pair.flights:
        flight = pair.flights[0]
        flight.datagram = replace(flight.datagram, octets=flight.datagram.octets + b"tail")
        pair.deliver(flight)
    pair.assert_mirrored()
    assert pair.west.association.established


@pytest.mark.parametrize("length", [0, 1, 2, 3, 1000, 65535])
def test_a_wrong_length_inside_is_invalid_syntax(length: int) -> None:
    """A14, A15: authenticated, so that the peer is told and the IKE SA ends."""
    pair = established()
    body = length.to_bytes(2, "big")
    first, chain = write_payloads((Unknown(PayloadType(254), False, b"xx"),))
    assert first == 254
    broken = b"\0\0" + body + chain[4:]
    _give_plaintext(pair, PayloadType(254), broken)
    assert pair.trace[-1] == "<-- HDR, SK {N(INVALID_SYNTAX)}"
    assert pair.east.association.closed


@pytest.mark.parametrize(
    ("first", "plaintext"),
    [
        (PayloadType.NONE, b"left over"),
        (PayloadType.NOTIFY, b""),
        (PayloadType.SK, b"\0\0\0\4"),
        (PayloadType.SKF, b"\0\0\0\x08\0\1\0\1"),
        (PayloadType(254), b"\xfe\0\0\4" * 64 + b"\0\0\0\4"),
    ],
)
def test_a_chain_that_lies_is_invalid_syntax(first: PayloadType, plaintext: bytes) -> None:
    """A16, A17, A25"""
    pair = established()
    _give_plaintext(pair, first, plaintext)
    assert pair.trace[-1] == "<-- HDR, SK {N(INVALID_SYNTAX)}"


def _give_plaintext(pair: Pair, first: PayloadType, plaintext: bytes) -> None:
    """West says this inside of SK."""
    ike_sa = pair.west.association.ike_sa
    cipher = ike_sa.suite.cipher
    iv = bytes((0xF1,)) * cipher.iv_octets
    plain = plaintext + b"\0"
    length = 4 + len(iv) + len(plain) + cipher.icv_octets
    header = write_header(
        ike_sa.spis.spi_i,
        ike_sa.spis.spi_r,
        PayloadType.SK,
        ExchangeType.INFORMATIONAL,
        ike_sa.requests.next_id,
        HEADER_LENGTH + length,
        is_response=False,
        from_original_initiator=True,
    )
    head = header + bytes((first, 0)) + length.to_bytes(2, "big")
    keys = ike_sa.outgoing
    octets = head + iv + cipher.keyed(keys.sk_e, keys.sk_a).seal(iv, plain, head)
    pair.give(pair.east, sent_by(pair, pair.west, octets))


def test_answers_that_nobody_waits_for_are_passed_over() -> None:
    pair = established()
    before = standing(pair.west)
    for event in (
        ChildSaInstalled(999),
        KernelRefused(999, 1, "no"),
        IdentityClaimed(999, False),
        TimerExpired(),
    ):
        pair.give(pair.west, event)
    assert standing(pair.west) == before


def test_a_closed_association_says_nothing_more() -> None:
    pair = established()
    pair.give(pair.west, DeletionRequested())
    pair.settle()
    for event in (TimerExpired(), RekeyRequested(), DatagramReceived(bytes(28), WEST, EAST)):
        assert pair.west.association.handle(event, pair.now) == []


def test_a_run_is_a_function_of_its_seed() -> None:
    def run(seed: str) -> list[str]:
        pair = Pair(seed=seed).establish()
        pair.give(pair.west, RekeyRequested(child="net"))
        pair.give(pair.east, RekeyRequested())
        pair.settle()
        pair.pass_time(30000)
        return [repr(action) for end in pair.ends() for action in end.actions]

    assert run("a") == run("a")
    assert run("a") != run("b")


def test_an_unprotected_invalid_ike_spi_changes_nothing() -> None:
    """(RFC 7296 section 2.21.4)"""
    pair = Pair().establish()
    pair.give(pair.west, RekeyRequested(child="net"))
    header = read_header(pair.flights[0].datagram.octets)
    before = standing(pair.west)
    told = (Notify(NotifyType.INVALID_IKE_SPI),)
    message = Message(
        header.spi_i, header.spi_r, header.exchange, header.message_id, True, False, told
    )
    pair.give(pair.west, sent_by(pair, pair.east, write_message(message)))
    assert standing(pair.west) == before
    assert len(pair.flights) == 1
    pair.settle()
    pair.pass_time(20)
    pair.assert_mirrored()


def test_what_keys_were_made_from_is_forgotten() -> None:
    """(RFC 7296 section 2.12)"""
    pair = Pair().establish()
    pair.give(pair.west, RekeyRequested())
    pair.settle()
    pair.pass_time(60)
    for end in pair.ends():
        held = {type(one).__name__ for one in reached(end.association)}
        assert "IkeKeys" in held
        assert not held & {"Skeyseed", "ChildKeys", "Nonces", "Transcript", "PrivateKey"}
        assert not [name for name in held if name.endswith("PrivateKey")]


def reached(thing: object) -> list[object]:
    """Everything that a thing holds, directly or not."""
    seen: dict[int, object] = {}
    waiting = [thing]
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, ModuleType | type | FunctionType):
            continue
        seen[id(one)] = one
        waiting += gc.get_referents(one)
    return list(seen.values())
