"""IKE SAs that begin without a Child SA, both roles (RFC 6023)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikeactors.protocol.choices import Childless
from ikeactors.protocol.events import InitiationRequested
from tests.pair import Pair, child, connection, esp, opposite, selectors

AUTH = "HDR, SK {IDi, IDr, AUTH, N(INITIAL_CONTACT)}"
ANNOUNCED = "N(CHILDLESS_IKEV2_SUPPORTED)"
WEB = child("web", local_ts=selectors("10.3.0.0/16"))


def pair_of(west: Childless, east: Childless, **changes: object) -> Pair:
    """Both ends with a word of their own."""
    made = connection(childless=west, **changes)
    return Pair(made, replace(opposite(made), childless=east))


@pytest.mark.parametrize("word", [Childless.PREFER, Childless.FORCE])
def test_the_initiator_asks_for_its_children_afterwards(word: Childless) -> None:
    """(RFC 6023 section 4)"""
    pair = pair_of(word, Childless.ALLOW, children=(child(), WEB)).establish()
    assert pair.trace[2:] == [
        f"--> {AUTH}",
        "<-- HDR, SK {IDr, AUTH}",
        "--> HDR, SK {SA, Ni, TSi, TSr}",
        "<-- HDR, SK {SA, Nr, TSi, TSr}",
        "--> HDR, SK {SA, Ni, TSi, TSr}",
        "<-- HDR, SK {SA, Nr, TSi, TSr}",
    ]
    pair.assert_mirrored()
    for end in pair.ends():
        assert [one.name for one in end.association.children] == ["net", "web"]
    assert [answer.succeeded for answer in pair.west.answers] == [True]


def test_the_first_child_sa_has_a_key_exchange_of_its_own() -> None:
    made = child(esp_proposals=esp("aes128gcm16-x25519"))
    pair = pair_of(Childless.PREFER, Childless.ALLOW, children=(made,)).establish()
    assert pair.trace[-2] == "--> HDR, SK {SA, Ni, KEi, TSi, TSr}"
    pair.assert_mirrored()


@pytest.mark.parametrize("word", [Childless.ALLOW, Childless.NEVER])
def test_by_default_the_first_child_sa_comes_with_ike_auth(word: Childless) -> None:
    pair = pair_of(word, Childless.ALLOW).establish()
    assert pair.trace[2].endswith("SAi2, TSi, TSr}")


def test_the_responder_announces_that_it_takes_them_unless_it_does_not() -> None:
    """(RFC 6023 section 3)"""
    for word in Childless:
        pair = pair_of(Childless.ALLOW, word).establish()
        assert (ANNOUNCED in pair.trace[1]) is (word is not Childless.NEVER)
        assert ANNOUNCED not in pair.trace[0]


def test_without_the_announcement_who_prefers_it_does_as_usual() -> None:
    pair = pair_of(Childless.PREFER, Childless.NEVER).establish()
    assert pair.trace[2].endswith("SAi2, TSi, TSr}")
    pair.assert_mirrored()


def test_without_the_announcement_who_insists_on_it_fails_and_says_why() -> None:
    pair = pair_of(Childless.FORCE, Childless.NEVER)
    pair.initiate()
    pair.settle()
    assert pair.west.association.closed
    assert 'connection gw says childless = "force"' in pair.west.association.failure
    assert [answer.succeeded for answer in pair.west.answers] == [False]
    assert len(pair.trace) == 2


def test_who_does_not_take_it_refuses_it_though_another_connection_would() -> None:
    """The announcement is of all connections that the offer fits; IKE_AUTH shows which it is."""
    pair = pair_of(Childless.PREFER, Childless.NEVER)
    east = pair.east.association.settings
    other = replace(east.connections[0], name="other", childless=Childless.ALLOW)
    other = replace(other, remote=replace(other.remote, id=other.local.id))
    pair.east.association.settings = replace(east, connections=(*east.connections, other))
    pair.initiate()
    pair.settle()
    assert pair.trace[2:4] == [f"--> {AUTH}", "<-- HDR, SK {N(INVALID_SYNTAX)}"]
    assert pair.west.association.closed
    assert pair.east.association.closed
    (refused,) = pair.east.said("request-refused")
    assert 'connection gw says childless = "never"' in refused.text


def test_who_insists_on_it_makes_no_child_sa_within_ike_auth() -> None:
    pair = pair_of(Childless.ALLOW, Childless.FORCE).establish()
    assert pair.trace[3] == "<-- HDR, SK {IDr, AUTH, N(NO_PROPOSAL_CHOSEN)}"
    assert not len(pair.east.association.children)
    (refused,) = pair.east.said("child-sa-refused")
    assert 'childless = "force"' in refused.text
    assert pair.west.said("child-sa-failed")


def test_a_child_sa_that_is_refused_afterwards_leaves_the_ike_sa() -> None:
    made = connection(childless=Childless.PREFER)
    east = replace(opposite(made), children=(child("net", local_ts=selectors("10.9.0.0/16")),))
    pair = Pair(made, east).establish()
    assert pair.trace[-1] == "<-- HDR, SK {N(TS_UNACCEPTABLE)}"
    assert pair.west.association.established
    assert pair.west.said("child-sa-failed")


@pytest.mark.parametrize("ours", [False, True])
def test_a_refusal_of_the_data_plane_leaves_the_ike_sa(ours: bool) -> None:
    pair = pair_of(Childless.PREFER, Childless.ALLOW)
    end = pair.west if ours else pair.east
    end.refuse = lambda action: "no memory"
    pair.establish()
    for one in pair.ends():
        assert one.association.established
        assert not any(made.is_up for made in one.association.children)


def test_joined_children_come_up_too() -> None:
    pair = pair_of(Childless.PREFER, Childless.ALLOW, children=(child(), WEB))
    pair.initiate("net")
    pair.initiate("web", request_id=2)
    pair.settle()
    assert [one.name for one in pair.west.association.children] == ["net", "web"]
    assert [answer.succeeded for answer in pair.west.answers] == [True, True]


def test_an_ike_sa_is_brought_up_without_any_child_sa() -> None:
    """(RFC 6023 section 4)"""
    pair = pair_of(Childless.ALLOW, Childless.ALLOW)
    pair.give(pair.west, InitiationRequested(request_id=3, childless=True))
    pair.settle()
    assert pair.trace[2:] == [f"--> {AUTH}", "<-- HDR, SK {IDr, AUTH}"]
    assert [answer.succeeded for answer in pair.west.answers] == [True]
    for end in pair.ends():
        assert end.association.established
        assert not list(end.association.children)
    pair.give(pair.west, InitiationRequested(("net",), 4))
    pair.settle()
    assert pair.west.answers[-1].succeeded
    pair.assert_mirrored()


def test_what_is_asked_for_meanwhile_comes_after_it() -> None:
    pair = pair_of(Childless.ALLOW, Childless.ALLOW)
    pair.give(pair.west, InitiationRequested(request_id=3, childless=True))
    pair.give(pair.west, InitiationRequested(("net",), 4))
    pair.settle()
    assert [(one.request_id, one.succeeded) for one in pair.west.answers] == [(3, True), (4, True)]
    pair.assert_mirrored()
    assert [one.name for one in pair.west.association.children] == ["net"]


def test_none_is_brought_up_without_a_child_sa_where_the_peer_does_not_take_it() -> None:
    """(RFC 6023 section 4)"""
    pair = pair_of(Childless.ALLOW, Childless.NEVER)
    pair.give(pair.west, InitiationRequested(request_id=3, childless=True))
    pair.settle()
    (answer,) = pair.west.answers
    assert not answer.succeeded
    assert "does not announce that it takes an IKE SA without a Child SA" in answer.text
    assert len(pair.trace) == 2
