"""OCSP responses that go with certificates: who asks, who has one, what is passed over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from ikeactors.iana import CertificateEncoding
from ikeactors.protocol.actions import CheckRevocation
from ikeactors.protocol.choices import InBandOcsp
from ikeactors.wire.payload import Certificate
from tests.pair import End, Pair, opposite
from tests.protocol.forging import added, authenticating, change_sealed
from tests.protocol.ikev2.test_public_keys import EAST_HOLDER, WEST_HOLDER, pair_of, signing

NEVER, REQUEST, REPLY, BOTH = (
    InBandOcsp.NEVER,
    InBandOcsp.REQUEST,
    InBandOcsp.REPLY,
    InBandOcsp.BOTH,
)


def two(west: InBandOcsp, east: InBandOcsp) -> Pair:
    """Both ends know what OCSP says of their own certificates."""
    pair = pair_of(WEST_HOLDER, EAST_HOLDER)
    pair.west.association.connection = ours = signing(ocsp=west)
    pair.west_settings = replace(pair.west_settings, connections=(ours,))
    theirs = opposite(signing(ocsp=east))
    pair.east_settings = replace(pair.east_settings, connections=(theirs,))
    for name, holder in (("west", WEST_HOLDER), ("east", EAST_HOLDER)):
        own = holder.certificate.public_bytes(Encoding.DER)
        pair._surroundings[name] = replace(
            pair._surroundings[name], staple_of=told_of(own, name.encode())
        )
    pair.west.association.surroundings = pair._surroundings["west"]
    pair.east.association = pair.responder()
    return pair


def told_of(own: bytes, answer: bytes) -> Callable[[bytes], bytes]:
    return lambda certificate: answer if certificate == own else b""


def answers_at(end: End) -> tuple[bytes, ...]:
    (check,) = [one for one in end.actions if isinstance(one, CheckRevocation)]
    return check.answers


@pytest.mark.parametrize(
    ("west", "east", "at_west", "at_east"),
    [
        (NEVER, NEVER, (), ()),
        (REPLY, REPLY, (), ()),
        (REQUEST, REPLY, (b"east",), ()),
        (REPLY, REQUEST, (), (b"west",)),
        (BOTH, BOTH, (b"east",), (b"west",)),
        (REQUEST, REQUEST, (), ()),
        (REQUEST, NEVER, (), ()),
    ],
)
def test_an_answer_goes_to_who_asks_from_who_replies(
    west: InBandOcsp, east: InBandOcsp, at_west: tuple[bytes, ...], at_east: tuple[bytes, ...]
) -> None:
    """(RFC 4806 section 3)"""
    pair = two(west, east).establish()
    assert answers_at(pair.west) == at_west
    assert answers_at(pair.east) == at_east


def test_an_answer_that_nobody_has_asked_for_is_passed_over() -> None:
    """E22"""
    pair = authenticating(two(REPLY, REPLY))
    unwanted = Certificate(CertificateEncoding.OCSP_CONTENT, b"unwanted")
    change_sealed(pair, pair.flights[0], added(unwanted))
    pair.settle()
    assert pair.west.association.established
    assert answers_at(pair.east) == ()


def test_no_more_answers_are_looked_at_than_a_path_has_certificates() -> None:
    pair = authenticating(two(REPLY, REQUEST))
    more = [Certificate(CertificateEncoding.OCSP_CONTENT, bytes([place])) for place in range(20)]
    change_sealed(pair, pair.flights[0], added(*more))
    pair.settle()
    assert len(answers_at(pair.east)) == 10


def test_who_knows_no_answer_sends_its_certificate_alone() -> None:
    pair = two(REQUEST, REPLY)
    pair._surroundings["east"] = replace(pair._surroundings["east"], staple_of=lambda one: b"")
    pair.east.association = pair.responder()
    pair.establish()
    assert pair.trace[3].startswith("<-- HDR, SK {IDr, CERT, AUTH,")
