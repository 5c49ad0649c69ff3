"""What an unknown sender can bring about: a responder, a small reply, or silence."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikeactors.iana import ExchangeType, NotifyType, PayloadType
from ikeactors.protocol.allowance import Allowance
from ikeactors.protocol.events import DatagramReceived, Endpoint
from ikeactors.protocol.ikev2.admission import Admission, AdmissionLimits, Admitted, Refused
from ikeactors.protocol.ikev2.cookies import SECRET_LIFETIME
from ikeactors.wire.header import ZERO_SPI
from ikeactors.wire.message import Message, notifies, read_message, write_message
from ikeactors.wire.payload import Nonce, Notify, SecurityAssociation
from tests.pair import EAST, WEST, Pair, SeededEntropy, ike

CROWDED = 30
FEW = 0


def admission() -> Admission:
    return Admission(SeededEntropy("admission"), AdmissionLimits(), Allowance(100, 100))


def first_request() -> DatagramReceived:
    pair = Pair()
    pair.initiate()
    return pair.flights[0].datagram


FIRST = first_request()


def patched(at: int, octets: bytes) -> DatagramReceived:
    """The first request with other octets at an offset."""
    data = FIRST.octets
    return replace(FIRST, octets=data[:at] + octets + data[at + len(octets) :])


def message(exchange: ExchangeType, *payloads: Nonce, spi_r: bytes = b"\2" * 8) -> bytes:
    return write_message(Message(b"\1" * 8, spi_r, exchange, 7, False, True, payloads))


def encrypted(exchange: ExchangeType, *payloads: Nonce) -> bytes:
    """A request of an IKE SA that nobody knows; what is inside is of no interest."""
    octets = bytearray(message(exchange, *payloads))
    octets[16] = PayloadType.SK
    return bytes(octets)


def cookie_of(refused: object) -> Notify:
    assert isinstance(refused, Refused)
    assert refused.reply is not None
    (cookie,) = notifies(read_message(refused.reply).payloads, NotifyType.COOKIE)
    return cookie


def with_cookie(cookie: bytes) -> DatagramReceived:
    first = read_message(FIRST.octets)
    payloads = (Notify(NotifyType.COOKIE, cookie), *first.payloads)
    return replace(FIRST, octets=write_message(replace(first, payloads=payloads)))


def test_a_first_request_is_admitted() -> None:
    assert admission().consider(FIRST, FEW, FEW, 0.0) == Admitted()


@pytest.mark.parametrize(
    ("at", "octets", "reason"),
    [
        (0, ZERO_SPI, "initiator's SPI is zero"),
        (8, b"\1" * 8, "IKE_SA_INIT that is no first request"),
        (17, b"\x10", "older version"),
        (19, b"\x28", "response to nothing asked"),
        (19, b"\x00", "IKE_SA_INIT that is no first request"),
        (20, b"\0\0\0\1", "IKE_SA_INIT that is no first request"),
        (24, b"\xff\xff\xff\xff", "malformed header"),
        (24, b"\0\0\0\1", "malformed header"),
    ],
)
def test_what_is_no_first_request_is_refused_in_silence(
    at: int, octets: bytes, reason: str
) -> None:
    """A2, A3, A6, A8 to A11"""
    assert admission().consider(patched(at, octets), FEW, FEW, 0.0) == Refused(reason)


@pytest.mark.parametrize("body", [b"\0\0\0\6\0\1", b"\0\0\0\44\0\1\1\1" + bytes(28)])
def test_a_fragment_of_ikev1_makes_no_state(body: bytes) -> None:
    """B8 to B10: there is no IKEv1 here that could put them together."""
    length = (28 + len(body)).to_bytes(4, "big")
    octets = b"\1" * 16 + bytes((132, 0x10, 2, 0)) + bytes(4) + length + body
    isakmp = replace(FIRST, octets=octets)
    assert admission().consider(isakmp, FEW, FEW, 0.0) == Refused("older version")


@pytest.mark.parametrize("length", [0, 1, 27])
def test_what_is_shorter_than_a_header_is_refused(length: int) -> None:
    """A1"""
    short = replace(FIRST, octets=FIRST.octets[:length])
    assert admission().consider(short, FEW, FEW, 0.0) == Refused("malformed header")


def test_a_newer_version_is_told_ours_and_a_minor_one_is_taken() -> None:
    """A4, A5 (RFC 7296 section 2.5)"""
    refused = admission().consider(patched(17, b"\x35"), FEW, FEW, 0.0)
    assert isinstance(refused, Refused)
    assert refused.reason == "newer version"
    assert refused.reply is not None
    reply = read_message(refused.reply)
    assert reply.is_response
    assert not reply.from_original_initiator
    assert reply.payloads == (Notify(NotifyType.INVALID_MAJOR_VERSION, b"\x20"),)
    assert (reply.major, reply.minor) == (2, 0)
    assert admission().consider(patched(17, b"\x2f"), FEW, FEW, 0.0) == Admitted()
    response = patched(17, b"\x30\x22\x20")
    assert admission().consider(response, FEW, FEW, 0.0) == Refused("response of a newer version")


@pytest.mark.parametrize("exchange", [ExchangeType.IKE_AUTH, ExchangeType.INFORMATIONAL])
def test_an_unknown_spi_is_answered_with_its_own_header(exchange: ExchangeType) -> None:
    """A13 (RFC 7296 section 2.21.4)"""
    octets = encrypted(exchange, Nonce(bytes(32)))
    refused = admission().consider(replace(FIRST, octets=octets), FEW, FEW, 0.0)
    assert isinstance(refused, Refused)
    assert refused.reply is not None
    reply = read_message(refused.reply)
    assert (reply.spi_i, reply.spi_r, reply.message_id) == (b"\1" * 8, b"\2" * 8, 7)
    assert reply.payloads == (Notify(NotifyType.INVALID_IKE_SPI),)
    assert len(refused.reply) <= len(octets)


@pytest.mark.parametrize(
    ("spi_i", "reason"),
    [
        (ZERO_SPI, "initiator's SPI is zero"),
        (b"\1" * 8, "unprotected, and of an unknown SPI"),
    ],
)
def test_a_hint_about_an_unknown_spi_is_not_answered(spi_i: bytes, reason: str) -> None:
    """(RFC 7296 section 1.5)"""
    hint = Notify(NotifyType.INVALID_SPI, b"\0\0\4\0")
    octets = write_message(
        Message(spi_i, spi_i, ExchangeType.INFORMATIONAL, 0, False, True, (hint,))
    )
    refused = admission().consider(replace(FIRST, octets=octets), FEW, FEW, 0.0)
    assert refused == Refused(reason)


def test_a_fragment_of_an_unknown_spi_is_answered_too() -> None:
    octets = bytearray(encrypted(ExchangeType.INFORMATIONAL, Nonce(bytes(32))))
    octets[16] = PayloadType.SKF
    refused = admission().consider(replace(FIRST, octets=bytes(octets)), FEW, FEW, 0.0)
    assert isinstance(refused, Refused)
    assert refused.reason == "unknown SPI"


def test_a_reply_is_never_larger_than_what_it_answers() -> None:
    """A13"""
    octets = encrypted(ExchangeType.INFORMATIONAL)
    refused = admission().consider(replace(FIRST, octets=octets), FEW, FEW, 0.0)
    assert refused == Refused("unknown SPI")
    just_as_large = encrypted(ExchangeType.INFORMATIONAL, Nonce(bytes(4)))
    answered = admission().consider(replace(FIRST, octets=just_as_large), FEW, FEW, 0.0)
    assert isinstance(answered, Refused)
    assert answered.reply is not None
    assert len(answered.reply) == len(just_as_large)


def test_replies_are_limited_in_their_rate() -> None:
    """A4, A13"""
    door = admission()
    unknown = replace(FIRST, octets=encrypted(ExchangeType.INFORMATIONAL, Nonce(bytes(32))))
    replies = [door.consider(unknown, FEW, FEW, 5.0) for _ in range(100 + 50)]
    sent = [one for one in replies if isinstance(one, Refused) and one.reply is not None]
    assert len(sent) == 100
    assert replies[100:] == [Refused("unknown SPI, too many replies")] * 50
    later = door.consider(unknown, FEW, FEW, 5.0 + 2 / 100)
    assert isinstance(later, Refused)
    assert later.reply is not None


def test_a_crowd_is_asked_for_cookies() -> None:
    """J1 (RFC 7296 section 2.6)"""
    door = admission()
    cookie = cookie_of(door.consider(FIRST, CROWDED, FEW, 0.0))
    assert 1 <= len(cookie.data) <= 64
    assert cookie_of(door.consider(FIRST, FEW, 3, 0.0)) == cookie
    assert door.consider(with_cookie(cookie.data), CROWDED, FEW, 1.0) == Admitted()


def test_the_answer_with_a_cookie_is_smaller_than_the_request() -> None:
    refused = admission().consider(FIRST, CROWDED, FEW, 0.0)
    assert isinstance(refused, Refused)
    assert refused.reply is not None
    assert len(refused.reply) < len(FIRST.octets)
    assert read_message(refused.reply).spi_r == ZERO_SPI


@pytest.mark.parametrize(("nonce", "answered"), [(20, False), (21, True)])
def test_who_says_less_than_a_cookie_would_be_is_not_answered(nonce: int, answered: bool) -> None:
    """A13: nothing is made larger for a victim whose address was forged."""
    (proposal,) = ike("aes128gcm16-prfsha256-x25519")[:1]
    offer = SecurityAssociation((replace(proposal, transforms=proposal.transforms[-1:]),))
    init = ExchangeType.IKE_SA_INIT
    small = write_message(
        Message(b"\1" * 8, ZERO_SPI, init, 0, False, True, (offer, Nonce(bytes(nonce))))
    )
    refused = admission().consider(replace(FIRST, octets=small), CROWDED, FEW, 0.0)
    assert isinstance(refused, Refused)
    assert refused.reason == "cookie asked for"
    assert (refused.reply is not None) is answered
    assert refused.reply is None or len(refused.reply) == len(small)


def test_a_cookie_is_good_for_one_sender_one_spi_and_one_nonce() -> None:
    """J2"""
    door = admission()
    cookie = cookie_of(door.consider(FIRST, CROWDED, FEW, 0.0)).data
    good = with_cookie(cookie)
    data = good.octets
    elsewhere = Endpoint(ip_address("198.51.100.7"), 500)
    bad = [
        replace(good, remote=elsewhere),
        replace(good, remote=Endpoint(WEST.address, 501)),
        replace(good, octets=b"\7" * 8 + data[8:]),
        with_cookie(cookie[:-1]),
        with_cookie(cookie + b"\0"),
        with_cookie(bytes((cookie[0] ^ 1,)) + cookie[1:]),
        with_cookie(cookie[:-1] + bytes((cookie[-1] ^ 1,))),
        with_cookie(b"\0"),
    ]
    first = read_message(data)
    nonce = tuple(Nonce(bytes(32)) if isinstance(p, Nonce) else p for p in first.payloads)
    bad.append(replace(good, octets=write_message(replace(first, payloads=nonce))))
    for one in bad:
        assert cookie_of(door.consider(one, CROWDED, FEW, 1.0))
    assert door.consider(good, CROWDED, FEW, 1.0) == Admitted()


@pytest.mark.parametrize(
    ("age", "good"), [(SECRET_LIFETIME - 1, True), (SECRET_LIFETIME + 1, True), (200.0, False)]
)
def test_cookies_outlive_one_change_of_the_secret(age: float, good: bool) -> None:
    """J2"""
    door = admission()
    cookie = cookie_of(door.consider(FIRST, CROWDED, FEW, 1000.0)).data
    considered = door.consider(with_cookie(cookie), CROWDED, FEW, 1000.0 + age)
    assert (considered == Admitted()) is good


def test_an_address_with_too_many_half_open_ike_sas_is_refused() -> None:
    """J5"""
    refused = admission().consider(FIRST, 5, 5, 0.0)
    assert refused == Refused("too many half-open IKE SAs of one address")


@pytest.mark.parametrize(
    ("half_open", "timeout"),
    [(0, 30.0), (29, 30.0), (30, 30.0), (165, 16.0), (300, 2.0), (301, 2.0), (10_000, 2.0)],
)
def test_the_more_are_half_open_the_shorter_they_are_kept(half_open: int, timeout: float) -> None:
    """J6 (RFC 8019 section 4.1)"""
    assert AdmissionLimits().timeout_among(half_open) == pytest.approx(timeout)
    assert AdmissionLimits(cookie_threshold=0).timeout_among(half_open) == 30.0
    assert AdmissionLimits(half_open_timeout=1.0).timeout_among(half_open) == 1.0


def test_a_threshold_of_0_is_never_reached() -> None:
    limits = AdmissionLimits(cookie_threshold=0, cookie_threshold_ip=0, block_threshold=0)
    lenient = Admission(SeededEntropy("admission"), limits, Allowance(100, 100))
    assert isinstance(lenient.consider(FIRST, 1000, 1000, 0.0), Admitted)
    assert isinstance(lenient.consider(FIRST, 0, 0, 0.0), Admitted)


def test_half_open_ike_sas_are_bounded_whatever_is_configured() -> None:
    limits = AdmissionLimits(cookie_threshold=0)
    door = Admission(SeededEntropy("admission"), limits, Allowance(100, 100))
    assert door.consider(FIRST, 9_999, FEW, 0.0) == Admitted()
    assert door.consider(FIRST, 10_000, FEW, 0.0) == Refused("too many half-open IKE SAs")


def test_puzzles_are_given_where_cookies_alone_are_not() -> None:
    limits = AdmissionLimits(cookie_threshold=0, puzzle_threshold=10)
    door = Admission(SeededEntropy("admission"), limits, Allowance(100, 100))
    refused = door.consider(FIRST, 10, FEW, 0.0)
    assert isinstance(refused, Refused)
    assert refused.reason == "puzzle given"
    assert [limits.difficulty_among(n) for n in (9, 10, 20, 40, 80)] == [0, 14, 15, 16, 16]


def test_a_malformed_request_gets_no_cookie() -> None:
    bare = message(ExchangeType.IKE_SA_INIT, spi_r=ZERO_SPI)
    bare = bare[:20] + bytes(4) + bare[24:]
    refused = admission().consider(replace(FIRST, octets=bare), CROWDED, FEW, 0.0)
    assert refused == Refused("malformed IKE_SA_INIT request")


@given(st.binary(max_size=400), st.sampled_from([FEW, CROWDED]))
def test_nothing_a_stranger_sends_raises(octets: bytes, half_open: int) -> None:
    datagram = DatagramReceived(octets, EAST, WEST)
    considered = admission().consider(datagram, half_open, FEW, 0.0)
    assert considered == Admitted() or isinstance(considered, Refused)


@given(
    st.lists(st.tuples(st.integers(0, len(FIRST.octets) - 1), st.integers(0, 255)), max_size=6),
    st.sampled_from([FEW, CROWDED]),
)
def test_no_mutated_first_request_raises(changes: list[tuple[int, int]], half_open: int) -> None:
    octets = bytearray(FIRST.octets)
    for at, value in changes:
        octets[at] = value
    considered = admission().consider(replace(FIRST, octets=bytes(octets)), half_open, FEW, 0.0)
    assert considered == Admitted() or isinstance(considered, Refused)


def test_a_suspect_address_returns_a_cookie_first_and_comes_alone() -> None:
    """(RFC 8019 section 4.2)"""
    door = admission()
    refused = door.consider(FIRST, FEW, 0, 0.0, is_suspect=True)
    cookie = cookie_of(refused)
    again = with_cookie(cookie.data)
    assert door.consider(again, FEW, 1, 0.0, is_suspect=True) == Refused(
        "too many half-open IKE SAs of one address"
    )
    assert door.consider(again, FEW, 0, 0.0, is_suspect=True) == Admitted()


def test_a_suspect_address_solves_a_puzzle_where_there_are_any() -> None:
    """(RFC 8019 section 4.2)"""
    limits = AdmissionLimits(puzzle_threshold=1000, puzzle_difficulty=12)
    assert limits.difficulty_among(0) == 0
    assert limits.difficulty_among(0, is_suspect=True) == 12
    assert AdmissionLimits().difficulty_among(0, is_suspect=True) == 0


@pytest.mark.parametrize(
    ("half_open", "difficulty", "of_auth"), [(9, 14, 0), (10, 14, 12), (80, 14, 12), (10, 8, 8)]
)
def test_a_puzzle_of_ike_auth_is_never_harder_than_the_one_before(
    half_open: int, difficulty: int, of_auth: int
) -> None:
    """(RFC 8019 section 7.2.1.1)"""
    limits = AdmissionLimits(puzzle_threshold=10, puzzle_difficulty=difficulty)
    assert limits.auth_difficulty_among(half_open) == of_auth
