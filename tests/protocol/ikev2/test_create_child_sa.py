"""CREATE_CHILD_SA in both roles: further Child SAs and rekeying, with and without PFS."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

import pytest

from ikeactors.iana import ExchangeType, KeyExchangeMethod, NotifyType, ProtocolId
from ikeactors.protocol.events import InitiationRequested, RekeyRequested, TimerExpired
from ikeactors.protocol.ikev2 import create_child_sa
from ikeactors.protocol.ikev2.child_sa import ChildState
from ikeactors.wire.payload import (
    KeyExchange,
    Nonce,
    Notify,
    SecurityAssociation,
    TrafficSelectorsInitiator,
    TrafficSelectorsResponder,
)
from ikeactors.wire.selectors import TrafficSelector
from tests.pair import Pair, child, connection, esp, opposite, selectors
from tests.protocol.forging import (
    Change,
    answers,
    change_sealed,
    instead,
    request,
    standing,
    swapped,
    without,
)

CREATE = ExchangeType.CREATE_CHILD_SA
PFS = connection(children=(child(esp_proposals=esp("aes128gcm16-x25519-ecp256")),))
PFS_EAST = opposite(connection(children=(child(esp_proposals=esp("aes128gcm16-ecp256")),)))
TWO = connection(children=(child(), child("more", local_ts=selectors("10.3.0.0/16"))))
ENDS = pytest.mark.parametrize("end", ["west", "east"])


def established(west: object = None, east: object = None) -> Pair:
    pair = Pair(west, east).establish("net")  # type: ignore[arg-type]
    pair.trace.clear()
    return pair


def rekey(pair: Pair, end: str, request_id: int | None = 7) -> None:
    pair.give(getattr(pair, end), RekeyRequested(child="net", request_id=request_id))


@ENDS
def test_a_further_child_sa_is_made(end: str) -> None:
    """(RFC 7296 section 1.3.1)"""
    pair = established(TWO)
    pair.give(getattr(pair, end), InitiationRequested(("more",), 7))
    pair.settle()
    assert [one[4:] for one in pair.trace] == [
        "HDR, SK {SA, Ni, TSi, TSr}",
        "HDR, SK {SA, Nr, TSi, TSr}",
    ]
    pair.assert_mirrored()
    assert len(pair.west.sas) == 4
    assert getattr(pair, end).answers[-1].succeeded


def test_a_child_that_is_up_is_not_made_again() -> None:
    pair = established()
    pair.give(pair.west, InitiationRequested(("net",), 7))
    assert pair.trace == []
    assert pair.west.answers[-1].succeeded
    pair.give(pair.west, InitiationRequested(("nothing",), 8))
    assert pair.west.answers[-1].text == "connection gw does not have nothing"


@ENDS
def test_a_child_sa_is_rekeyed_without_a_gap(end: str) -> None:
    """(RFC 7296 section 1.3.3)"""
    pair = established()
    before = pair.west.spis()
    reqids = {sa.reqid for sa in pair.west.sas.values()}
    pair.gapless = True
    rekey(pair, end)
    pair.settle()
    assert [one[4:] for one in pair.trace] == [
        "HDR, SK {N(REKEY_SA), SA, Ni, TSi, TSr}",
        "HDR, SK {SA, Nr, TSi, TSr}",
        "HDR, SK {D}",
        "HDR, SK {D}",
    ]
    assert getattr(pair, end).answers[-1].succeeded
    pair.pass_time(5.1)
    pair.assert_one_pair()
    assert not pair.west.spis() & before
    assert {sa.reqid for sa in pair.west.sas.values()} == reqids
    assert not any(one.said("child-sa-down") for one in pair.ends())


def test_the_responder_sends_through_the_new_sa_only_after_the_delete() -> None:
    pair = established()
    (old,) = pair.east.association.children
    rekey(pair, "west")
    pair.deliver(pair.flights[0])
    (new,) = [one for one in pair.east.association.children if one is not old]
    assert new.inbound.sa_id in pair.east.sas
    assert new.outbound.sa_id not in pair.east.sas
    assert old.outbound.sa_id in pair.east.sas
    pair.deliver(pair.flights[0])
    pair.deliver(pair.flights[0])
    assert new.outbound.sa_id in pair.east.sas
    assert old.outbound.sa_id not in pair.east.sas
    assert old.inbound.sa_id in pair.east.sas
    pair.pass_time(4.9)
    assert old.inbound.sa_id in pair.east.sas
    pair.pass_time(0.2)
    assert old.inbound.sa_id not in pair.east.sas


@ENDS
def test_rekeying_with_pfs_has_a_fresh_key_exchange(end: str) -> None:
    pair = established(PFS)
    rekey(pair, end)
    pair.settle()
    assert pair.trace[0][4:] == "HDR, SK {N(REKEY_SA), SA, Ni, KEi, TSi, TSr}"
    assert pair.trace[1][4:] == "HDR, SK {SA, Nr, KEr, TSi, TSr}"
    pair.pass_time(6)
    pair.assert_one_pair()
    assert all(sa.suite.ke == KeyExchangeMethod.CURVE25519 for sa in pair.west.sas.values())


def test_another_group_is_asked_for_and_followed() -> None:
    pair = established(PFS, PFS_EAST)
    rekey(pair, "west")
    pair.settle()
    assert pair.trace[1] == "<-- HDR, SK {N(INVALID_KE_PAYLOAD)}"
    assert pair.trace[2] == "--> HDR, SK {N(REKEY_SA), SA, Ni, KEi, TSi, TSr}"
    pair.pass_time(6)
    pair.assert_one_pair()
    assert all(sa.suite.ke == KeyExchangeMethod.ECP_256 for sa in pair.west.sas.values())


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\x1f", b"\0\x0e", b"\0\0", b"\4\1"])
def test_a_group_that_cannot_be_followed_ends_the_attempt(data: bytes) -> None:
    """D2"""
    pair = established(PFS)
    rekey(pair, "west")
    pair.deliver(pair.flights[0])
    change_sealed(pair, pair.flights[0], instead(Notify(NotifyType.INVALID_KE_PAYLOAD, data)))
    pair.deliver(pair.flights[0])
    assert not pair.west.answers[-1].succeeded
    (old,) = pair.west.association.children
    assert old.state is ChildState.INSTALLED


def test_a_peer_that_asks_for_groups_without_end_is_not_followed() -> None:
    """D2"""
    pair = established(PFS)
    rekey(pair, "west")
    for group in (b"\0\x13", b"\0\x1f", b"\0\x13", b"\0\x1f"):
        if not pair.flights:
            break
        pair.deliver(pair.flights[0])
        flight = pair.flights[0]
        change_sealed(pair, flight, instead(Notify(NotifyType.INVALID_KE_PAYLOAD, group)))
        pair.deliver(flight)
    assert not pair.west.answers[-1].succeeded
    assert len([one for one in pair.trace if one.startswith("-->")]) == 2


def test_an_invalid_ke_in_a_request_costs_the_ike_sa() -> None:
    """D6 (RFC 6989 section 2.5)"""
    pair = established(PFS)
    rekey(pair, "west")
    bad = KeyExchange(KeyExchangeMethod.CURVE25519, bytes(32))
    change_sealed(pair, pair.flights[0], swapped(KeyExchange, lambda _: bad))
    pair.settle()
    assert pair.trace[1] == "<-- HDR, SK {N(INVALID_SYNTAX)}"
    assert pair.east.association.closed
    assert not pair.east.sas


def test_an_invalid_ke_in_a_response_deletes_the_ike_sa() -> None:
    """D6 (RFC 6989 section 2.5)"""
    pair = established(PFS)
    rekey(pair, "west")
    pair.deliver(pair.flights[0])
    bad = KeyExchange(KeyExchangeMethod.CURVE25519, bytes(32))
    change_sealed(pair, pair.flights[0], swapped(KeyExchange, lambda _: bad))
    pair.settle()
    assert pair.trace[-2:] == ["--> HDR, SK {D}", "<-- HDR, SK {}"]
    for end in pair.ends():
        assert end.association.closed
        assert not end.sas
        assert not end.policies


@ENDS
def test_a_rekeying_that_has_to_wait_is_tried_again(end: str) -> None:
    """(RFC 7296 section 2.25)"""
    pair = established()
    before = pair.west.spis()
    other = pair.west if end == "east" else pair.east
    (theirs,) = other.association.children
    theirs.state = ChildState.REKEYING
    rekey(pair, end)
    pair.settle()
    assert pair.trace[-1].endswith("SK {N(TEMPORARY_FAILURE)}")
    assert not getattr(pair, end).answers[-1].succeeded
    theirs.state = ChildState.INSTALLED
    pair.pass_time(4)
    assert pair.west.spis() == before
    pair.pass_time(20)
    pair.assert_one_pair()
    assert not pair.west.spis() & before


def test_a_child_sa_that_the_peer_does_not_have_is_made_anew() -> None:
    """(RFC 7296 section 2.25)"""
    pair = established()
    (theirs,) = pair.east.association.children
    pair.east.association.children.remove(theirs)
    pair.give(pair.east, TimerExpired())
    rekey(pair, "west")
    pair.settle()
    assert [one[4:] for one in pair.trace] == [
        "HDR, SK {N(REKEY_SA), SA, Ni, TSi, TSr}",
        "HDR, SK {N(CHILD_SA_NOT_FOUND)}",
        "HDR, SK {SA, Ni, TSi, TSr}",
        "HDR, SK {SA, Nr, TSi, TSr}",
    ]
    pair.pass_time(6)
    pair.assert_one_pair()


@pytest.mark.parametrize(
    ("notify", "answer"),
    [
        (Notify(NotifyType.REKEY_SA, b"", ProtocolId.ESP, b"\7\7\7\7"), "CHILD_SA_NOT_FOUND"),
        (Notify(NotifyType.REKEY_SA, b"", ProtocolId.AH, b"spi?"), "CHILD_SA_NOT_FOUND"),
        (Notify(NotifyType.REKEY_SA, b"", ProtocolId(255), b"spi?"), "CHILD_SA_NOT_FOUND"),
        (Notify(NotifyType.REKEY_SA, b""), "INVALID_SYNTAX"),
        (Notify(NotifyType.REKEY_SA, b"", ProtocolId.IKE, b"12345678"), "INVALID_SYNTAX"),
    ],
)
def test_a_rekeying_of_what_is_not_there_is_refused(notify: Notify, answer: str) -> None:
    """G11"""
    pair = established()
    (ours,) = pair.west.association.children
    spi = ours.spi_in.to_bytes(4, "big")
    named = replace(notify, spi=spi) if notify.spi == b"spi?" else notify
    rekey(pair, "west")
    change_sealed(pair, pair.flights[0], swapped(Notify, lambda _: named))
    pair.deliver(pair.flights[0])
    assert pair.trace[-1] == f"<-- HDR, SK {{N({answer})}}"
    assert pair.east.association.closed is (answer == "INVALID_SYNTAX")


def test_a_rekeying_that_names_two_is_refused() -> None:
    """G11"""
    pair = established()
    rekey(pair, "west")
    twice: Change = lambda payloads: (payloads[0], *payloads)  # noqa: E731
    change_sealed(pair, pair.flights[0], twice)
    pair.deliver(pair.flights[0])
    assert pair.trace[-1] == "<-- HDR, SK {N(INVALID_SYNTAX)}"


@pytest.mark.parametrize(
    "kind",
    [SecurityAssociation, Nonce, TrafficSelectorsInitiator, TrafficSelectorsResponder],
)
def test_a_request_without_a_payload_it_needs_is_refused(kind: type) -> None:
    """A24"""
    pair = established()
    rekey(pair, "west")
    change_sealed(pair, pair.flights[0], without(kind))
    pair.deliver(pair.flights[0])
    assert pair.trace[-1] == "<-- HDR, SK {N(INVALID_SYNTAX)}"
    assert pair.east.association.closed
    assert not pair.east.sas


@pytest.mark.parametrize(
    "change",
    [
        without(Nonce),
        without(TrafficSelectorsInitiator),
        without(SecurityAssociation),
        instead(),
        swapped(
            SecurityAssociation,
            lambda _: SecurityAssociation((replace(esp("aes256gcm16")[0], spi=b"\1\1\1\1"),)),
        ),
        swapped(
            TrafficSelectorsResponder,
            lambda _: TrafficSelectorsResponder(
                (TrafficSelector.of_network(ip_network("0.0.0.0/0")),)
            ),
        ),
    ],
)
def test_a_response_that_is_no_use_keeps_the_old_child_sa(change: Change) -> None:
    """A19, A24, C8, I2: the old one stays, and a later attempt succeeds."""
    pair = established()
    pair.gapless = True
    before = pair.west.spis()
    rekey(pair, "west")
    pair.deliver(pair.flights[0])
    change_sealed(pair, pair.flights[0], change)
    pair.settle()
    assert not pair.west.answers[-1].succeeded
    assert before <= pair.west.spis()
    if not pair.west.association.closed:
        pair.pass_time(40)
        pair.assert_mirrored()
        assert len(pair.west.association.children.named("net")) == 1


@pytest.mark.parametrize("kind", [NotifyType.TS_UNACCEPTABLE, NotifyType(8191)])
def test_an_error_keeps_the_old_child_sa(kind: NotifyType) -> None:
    pair = established()
    before = pair.west.spis()
    rekey(pair, "west")
    pair.deliver(pair.flights[0])
    change_sealed(pair, pair.flights[0], instead(Notify(kind)))
    pair.settle()
    assert not pair.west.answers[-1].succeeded
    assert pair.west.spis() == before
    assert len(pair.west.association.children.named("net")) == 1


def test_no_more_child_sas_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """J9"""
    monkeypatch.setattr(create_child_sa, "MAX_CHILDREN", 1)
    pair = established(TWO)
    pair.give(pair.west, InitiationRequested(("more",), 7))
    pair.settle()
    assert pair.trace[-1] == "<-- HDR, SK {N(NO_ADDITIONAL_SAS)}"
    assert "NO_ADDITIONAL_SAS" in pair.west.answers[-1].text


def test_a_request_without_anything_is_answered_and_ends_the_ike_sa() -> None:
    pair = established()
    request(pair, pair.west, CREATE)
    assert [str(one[0].type) for one in answers(pair, pair.west)]  # type: ignore[union-attr]
    assert pair.east.association.closed


def test_a_rekeying_of_no_child_is_answered() -> None:
    pair = established()
    before = standing(pair.west)
    pair.give(pair.west, RekeyRequested(child="nothing", request_id=7))
    assert pair.west.answers[-1].text == "no such Child SA can be rekeyed now"
    assert standing(pair.west) == before


def test_a_rekeying_that_overtakes_the_answer_it_follows_has_to_wait() -> None:
    """H5"""
    pair = established()
    rekey(pair, "west")
    pair.deliver(pair.flights[0])
    rekey(pair, "east", 8)
    pair.deliver(pair.flights[1])
    assert pair.trace[-1] == "--> HDR, SK {N(TEMPORARY_FAILURE)}"
    pair.settle()
    pair.pass_time(60)
    pair.assert_one_pair()


@pytest.mark.parametrize(
    "change",
    [
        without(KeyExchange),
        swapped(KeyExchange, lambda _: KeyExchange(KeyExchangeMethod.ECP_256, bytes(64))),
        swapped(
            SecurityAssociation,
            lambda one: SecurityAssociation(
                (replace(esp("aes128gcm16-ecp256")[0], number=1, spi=one.proposals[0].spi),)
            ),
        ),
    ],
)
def test_a_key_exchange_of_another_group_than_chosen_makes_no_child_sa(change: Change) -> None:
    pair = established(PFS)
    before = pair.west.spis()
    rekey(pair, "west")
    pair.deliver(pair.flights[0])
    change_sealed(pair, pair.flights[0], change)
    pair.settle()
    assert not pair.west.answers[-1].succeeded
    assert before <= pair.west.spis()
    pair.pass_time(60)
    pair.assert_one_pair()
