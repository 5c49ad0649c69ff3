"""Fragments that come in: which are kept, for how long, and what a bad peer makes of them."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ikeactors.iana import ExchangeType, NotifyType, PayloadType
from ikeactors.protocol.choices import Fragmentation
from ikeactors.protocol.events import DeletionRequested, RekeyRequested
from ikeactors.protocol.ikev2 import reassembly
from ikeactors.protocol.ikev2.reassembly import (
    MAX_CONTENT,
    MAX_FRAGMENTS,
)
from ikeactors.wire.header import ZERO_SPI
from ikeactors.wire.message import Message, write_message
from ikeactors.wire.payload import Encrypted, EncryptedFragment, Notify, Payload, write_payloads
from tests.pair import Pair, connection, opposite
from tests.protocol.forging import fragment, initiated, sealed, sent_by, standing
from tests.protocol.fragmenting import (
    INFORMATIONAL,
    STATUS,
    arrive,
    content,
    halves,
    is_answered,
    partial,
)


@pytest.fixture
def pair() -> Pair:
    return Pair().establish()


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_fragments_may_come_in_any_order(pair: Pair, order: tuple[int, ...]) -> None:
    """(RFC 7383 section 2.6)"""
    whole = content()
    chunks = [whole[:5], whole[5:20], whole[20:]]
    for at in order[:-1]:
        arrive(pair, fragment(pair.west, at + 1, 3, chunks[at]))
        assert not is_answered(pair)
    arrive(pair, fragment(pair.west, order[-1] + 1, 3, chunks[order[-1]]))
    assert is_answered(pair)
    assert partial(pair) is None
    assert pair.east.traces[-2].payloads == (STATUS,)


def test_a_message_in_one_fragment_is_legal(pair: Pair) -> None:
    """B1"""
    arrive(pair, fragment(pair.west, 1, 1, content()))
    assert is_answered(pair)


@pytest.mark.parametrize(("number", "total"), [(0, 2), (3, 2), (0, 0), (1, 0), (2, 1)])
def test_a_number_that_is_not_within_the_total_is_dropped(
    pair: Pair, number: int, total: int
) -> None:
    """B1"""
    before = standing(pair.east)
    arrive(pair, fragment(pair.west, number, total, content(), first=PayloadType.NONE))
    assert standing(pair.east) == before
    assert partial(pair) is None
    assert not pair.flights


def test_a_set_is_kept_for_the_expected_message_alone(pair: Pair) -> None:
    """B2"""
    expected = pair.east.association.ike_sa.responses.expected_id
    for message_id in range(expected + 1, expected + 100):
        arrive(pair, fragment(pair.west, 1, 100, b"x", message_id=message_id))
    assert partial(pair) is None
    for number in range(1, 50):
        arrive(pair, fragment(pair.west, number, 100, b"x"))
    kept = partial(pair)
    assert kept is not None
    assert len(kept) == 49


def test_a_fragment_of_an_older_set_is_dropped(pair: Pair) -> None:
    """B3"""
    one, two = halves()
    arrive(pair, fragment(pair.west, 1, 2, one), fragment(pair.west, 1, 1, content()))
    assert not is_answered(pair)
    arrive(pair, fragment(pair.west, 2, 2, two))
    assert is_answered(pair)


def test_a_fragment_of_a_newer_set_takes_the_place_of_those_before(pair: Pair) -> None:
    """B3"""
    one, two = halves()
    arrive(pair, fragment(pair.west, 1, 2, one))
    arrive(pair, fragment(pair.west, 2, 3, two[:5]), fragment(pair.west, 2, 2, two))
    kept = partial(pair)
    assert kept is not None
    assert (kept.total, len(kept)) == (3, 1)
    arrive(pair, fragment(pair.west, 3, 3, two[5:]), fragment(pair.west, 1, 3, one))
    assert is_answered(pair)


def test_a_newer_set_that_is_forged_costs_nothing(pair: Pair) -> None:
    """B3, B5"""
    one, two = halves()
    arrive(pair, fragment(pair.west, 1, 2, one))
    forged = bytearray(fragment(pair.west, 2, 3, two))
    forged[-1] ^= 1
    arrive(pair, bytes(forged), fragment(pair.west, 2, 2, two))
    assert is_answered(pair)


@pytest.mark.parametrize("again", [halves()[0], b"something else"])
def test_the_second_of_the_same_number_is_dropped(pair: Pair, again: bytes) -> None:
    """B4"""
    one, two = halves()
    arrive(pair, fragment(pair.west, 1, 2, one), fragment(pair.west, 1, 2, again))
    assert not is_answered(pair)
    arrive(pair, fragment(pair.west, 2, 2, two))
    assert pair.east.traces[-2].payloads == (STATUS,)


def test_what_came_before_is_not_decrypted_again(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B4"""
    octets = fragment(pair.west, 1, 2, halves()[0])
    arrive(pair, octets)
    monkeypatch.delattr(reassembly, "open_payload")
    arrive(pair, octets)
    assert "came before" in pair.east.reports[-1].text


@pytest.mark.parametrize("at", [1, 2])
def test_a_forged_fragment_is_dropped_and_the_set_kept(pair: Pair, at: int) -> None:
    """B5"""
    one, two = halves()
    good = {1: fragment(pair.west, 1, 2, one), 2: fragment(pair.west, 2, 2, two)}
    forged = bytearray(good[at])
    forged[-1] ^= 1
    arrive(pair, good[3 - at], bytes(forged))
    assert not is_answered(pair)
    assert partial(pair) is not None
    arrive(pair, good[at])
    assert is_answered(pair)


def test_a_former_ike_sa_goes_alone(pair: Pair) -> None:
    """B6"""
    former = pair.east.association.ike_sa
    late = [fragment(pair.west, number, 3, bytes(MAX_CONTENT // 2)) for number in (1, 2, 3)]
    pair.give(pair.east, RekeyRequested())
    pair.deliver(pair.flights[0])
    pair.deliver(pair.flights[0])
    pair.drop()
    arrive(pair, *late)
    assert pair.east.association.established
    assert pair.east.association.ike_sas.numbered(former.number) is None


@pytest.mark.parametrize("step", [1, -1])
def test_fragments_of_one_octet_are_put_together(pair: Pair, step: int) -> None:
    """B7"""
    notify = Notify(NotifyType(40960), bytes(MAX_FRAGMENTS - 8))
    whole = content(notify)
    assert len(whole) == MAX_FRAGMENTS
    for number in range(1, len(whole) + 1)[::step]:
        arrive(pair, fragment(pair.west, number, len(whole), whole[number - 1 : number]))
    assert is_answered(pair)
    assert pair.east.traces[-2].payloads == (notify,)


@pytest.mark.parametrize(
    ("west", "east"),
    [
        (Fragmentation.NO, Fragmentation.NO),
        (Fragmentation.NO, Fragmentation.YES),
        (Fragmentation.YES, Fragmentation.NO),
    ],
)
def test_fragments_are_dropped_where_they_were_not_negotiated(
    west: Fragmentation, east: Fragmentation
) -> None:
    """B11 (RFC 7383 section 2.4)"""
    ours = connection(fragmentation=west)
    pair = Pair(ours, replace(opposite(ours), fragmentation=east)).establish()
    arrive(pair, fragment(pair.west, 1, 1, content()))
    assert not pair.flights
    assert partial(pair) is None


def test_a_fragment_is_no_first_message() -> None:
    """B12"""
    pair = Pair()
    skf = EncryptedFragment(PayloadType.SA, 1, 2, bytes(64))
    init = Message(b"\1" * 8, ZERO_SPI, ExchangeType.IKE_SA_INIT, 0, False, True, (skf,))
    arrive(pair, write_message(init))
    assert not pair.flights
    assert pair.east.association.closed


def test_a_fragment_is_no_answer_to_a_first_message() -> None:
    """B12"""
    pair = initiated()
    spi = pair.flights[0].datagram.octets[:8]
    skf = EncryptedFragment(PayloadType.SA, 1, 2, bytes(64))
    forged = Message(spi, b"\2" * 8, ExchangeType.IKE_SA_INIT, 0, True, False, (skf,))
    pair.give(pair.west, sent_by(pair, pair.east, write_message(forged)))
    pair.settle()
    assert pair.west.association.established


def test_only_the_first_fragment_names_a_payload(pair: Pair) -> None:
    """B13"""
    one, two = halves()
    arrive(pair, fragment(pair.west, 1, 2, one))
    arrive(pair, fragment(pair.west, 2, 2, two, first=PayloadType.NOTIFY))
    assert not is_answered(pair)
    arrive(pair, fragment(pair.west, 2, 2, two))
    assert is_answered(pair)


def test_a_whole_message_takes_the_place_of_its_fragments(pair: Pair) -> None:
    """B14"""
    one, two = halves()
    arrive(pair, fragment(pair.west, 1, 2, one))
    message_id = pair.west.association.ike_sa.requests.next_id
    arrive(pair, sealed(pair.west, INFORMATIONAL, (STATUS,)))
    assert is_answered(pair)
    assert partial(pair) is None
    arrive(pair, fragment(pair.west, 2, 2, two, message_id=message_id))
    assert not pair.flights
    assert partial(pair) is None


def test_a_whole_response_takes_the_place_of_its_fragments(pair: Pair) -> None:
    """B14"""
    pair.give(pair.west, DeletionRequested(child="net", request_id=4))
    pair.deliver(pair.flights[0])
    (asked,) = pair.west.association.ike_sa.requests.outstanding
    part = fragment(pair.east, 1, 2, b"x", message_id=asked.message_id, is_response=True)
    pair.give(pair.west, sent_by(pair, pair.east, part))
    assert asked.partial is not None
    pair.settle()
    assert pair.west.answers[-1].succeeded


def test_only_the_first_fragment_asks_for_an_answer_again(pair: Pair) -> None:
    """B15 (RFC 7383 section 2.6.1)"""
    one, two = halves()
    datagrams = [fragment(pair.west, 1, 2, one), fragment(pair.west, 2, 2, two)]
    arrive(pair, *datagrams)
    (answer,) = pair.flights
    pair.drop()
    before = standing(pair.east)
    arrive(pair, datagrams[1])
    assert not pair.flights
    arrive(pair, datagrams[0])
    (again,) = pair.flights
    assert again.datagram.octets == answer.datagram.octets
    forged = bytearray(datagrams[0])
    forged[-1] ^= 1
    pair.drop()
    pair.now += 1
    arrive(pair, bytes(forged))
    assert not pair.flights
    assert standing(pair.east) == before


@pytest.mark.parametrize(
    "inner",
    [Encrypted(PayloadType.NONE, bytes(40)), EncryptedFragment(PayloadType.NONE, 1, 1, bytes(40))],
)
def test_what_is_put_together_holds_no_sealed_payload(pair: Pair, inner: Payload) -> None:
    """B16"""
    first, chain = write_payloads((inner,))
    arrive(pair, fragment(pair.west, 1, 2, chain[:9], first=first))
    arrive(pair, fragment(pair.west, 2, 2, chain[9:]))
    assert "N(INVALID_SYNTAX)" in pair.trace[-1]
    assert pair.east.association.closed


def test_fragments_of_two_exchange_types_are_not_mixed(pair: Pair) -> None:
    one, two = halves()
    arrive(pair, fragment(pair.west, 1, 2, one))
    arrive(pair, fragment(pair.west, 2, 2, two, exchange=ExchangeType.CREATE_CHILD_SA))
    assert not is_answered(pair)
    arrive(pair, fragment(pair.west, 2, 2, two))
    assert is_answered(pair)


@settings(max_examples=60)
@given(st.data())
def test_any_order_with_any_repetition_establishes(data: st.DataObject) -> None:
    """(RFC 7383 section 2.6)"""
    pair = Pair(connection(fragment_size=256))
    pair.initiate()
    for _ in range(300):
        if not pair.flights:
            break
        flight = pair.flights[data.draw(st.integers(0, len(pair.flights) - 1))]
        if data.draw(st.integers(0, 4)) == 0 and pair.sent < 60:
            pair.flights.append(replace(flight))
        pair.deliver(flight)
    assert pair.west.association.established
    pair.assert_one_pair()


@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6), st.binary(max_size=40)), max_size=20),
    st.sampled_from([PayloadType.NONE, PayloadType.DELETE, PayloadType.SKF, PayloadType(200)]),
)
def test_no_fragments_of_the_peer_itself_raise(
    fragments: list[tuple[int, int, bytes]], first: PayloadType
) -> None:
    """The peer has the keys, and says anything at all in fragments."""
    pair = Pair().establish()
    for number, total, chunk in fragments:
        named = first if number == 1 else PayloadType.NONE
        arrive(pair, fragment(pair.west, number, total, chunk, first=named))
        kept = partial(pair)
        assert kept is None or 0 < len(kept) < kept.total


def test_fragments_are_dropped_in_silence(pair: Pair) -> None:
    """(RFC 7383 section 2.6)"""
    arrive(pair, fragment(pair.west, 1, 2, b"x"), fragment(pair.west, 1, 2, b"x"))
    arrive(pair, fragment(pair.west, 1, 1, b"x"), fragment(pair.west, 9, 2, b"x"))
    assert not pair.flights
