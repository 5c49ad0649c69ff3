"""Post-quantum pre-shared keys: who has one, who requires one, and what is then in the keys."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikeactors.iana import NotifyType
from ikeactors.protocol.events import RekeyRequested
from ikeactors.protocol.settings import ANYBODY, IdentityPattern, Secret, Settings
from ikeactors.wire.identities import Identity
from ikeactors.wire.payload import Notify, Payload
from tests.pair import PSK, Pair, connection, opposite
from tests.protocol.forging import (
    answers,
    authenticating,
    change_clear,
    change_sealed,
    initiated,
    swapped,
)
from tests.protocol.ikev2.test_public_keys import EAST_HOLDER, WEST_HOLDER, pair_of, signing

KEY = b"a key that no quantum computer finds"


def named(name: str) -> IdentityPattern:
    return IdentityPattern(Identity.from_text(name))


def keys(*names: str, key: bytes = KEY) -> tuple[Secret, ...]:
    return tuple(Secret(name, (named(name),), key, is_ppk=True) for name in names)


def given(pair: Pair, west: tuple[Secret, ...], east: tuple[Secret, ...]) -> Pair:
    """The two ends have these keys."""
    for name, more in (("west_settings", west), ("east_settings", east)):
        before: Settings = getattr(pair, name)
        setattr(pair, name, Settings(before.connections, (*before.secrets, *more)))
    pair.west.association.settings = pair.west_settings
    pair.east.association = pair.responder()
    return pair


def two(
    west: str = "ppk",
    east: str = "ppk",
    *,
    required: tuple[bool, bool] = (False, False),
    west_keys: tuple[Secret, ...] = keys("ppk"),
    east_keys: tuple[Secret, ...] = keys("ppk"),
) -> Pair:
    """Two ends by the names of the keys they are configured with; none where it is empty."""
    ours = connection(ppk_id=named(west) if west else None, ppk_required=required[0])
    theirs = replace(opposite(ours), ppk_id=named(east) if east else None, ppk_required=required[1])
    return given(Pair(ours, theirs), west_keys, east_keys)


def has_key(pair: Pair) -> bool:
    """Whether both ends say that the key is used, or neither."""
    used = [bool(end.said("ppk-used")) for end in pair.ends()]
    assert used[0] is used[1]
    return used[0]


@pytest.mark.parametrize("required", [(False, False), (True, False), (False, True), (True, True)])
def test_a_key_that_both_have_is_in_the_keys(required: tuple[bool, bool]) -> None:
    """(RFC 8784 section 3)"""
    pair = two(required=required).establish()
    assert has_key(pair)
    pair.assert_mirrored()
    without = Pair().establish()
    assert {one.encr_key for one in pair.west.sas.values()} != {
        one.encr_key for one in without.west.sas.values()
    }
    assert pair.trace[0].endswith("N(USE_PPK)")
    assert pair.trace[1].endswith("N(USE_PPK)")
    assert ("N(NO_PPK_AUTH)" in pair.trace[2]) is not required[0]
    assert "N(PPK_IDENTITY)" in pair.trace[2]
    assert "N(PPK_IDENTITY)" in pair.trace[3]


def test_the_keys_of_the_ike_sa_itself_are_as_without() -> None:
    pair, without = two().establish(), Pair().establish()
    mixed, plain = (one.west.association.ike_sa.keys for one in (pair, without))
    assert mixed.sk_ei == plain.sk_ei
    assert mixed.sk_d != plain.sk_d
    assert mixed.sk_d == pair.east.association.ike_sa.keys.sk_d


def test_a_rekeyed_ike_sa_goes_on_without_the_key() -> None:
    """(RFC 8784 section 3)"""
    pair = two().establish()
    pair.give(pair.west, RekeyRequested())
    pair.settle()
    pair.give(pair.west, RekeyRequested("net"))
    pair.settle()
    pair.pass_time(10)
    pair.assert_mirrored()


def test_a_signature_covers_the_key_too() -> None:
    settings = signing(ppk_id=named("ppk"), ppk_required=True)
    pair = given(pair_of(WEST_HOLDER, EAST_HOLDER, settings), keys("ppk"), keys("ppk")).establish()
    assert has_key(pair)


def test_a_responder_may_have_many_keys() -> None:
    ours = connection(ppk_id=named("ppk-7"), ppk_required=True)
    theirs = replace(opposite(ours), ppk_id=ANYBODY)
    pair = given(Pair(ours, theirs), keys("ppk-7"), keys("ppk-6", "ppk-7")).establish()
    assert has_key(pair)


# By table 1 of RFC 8784: what the ends are configured with, and whether an IKE SA comes of it.
WITHOUT = [
    ("ppk", "", (False, False)),
    ("", "ppk", (False, False)),
    ("ppk", "other", (False, False)),
]
REFUSED = [
    ("ppk", "", (True, False), "requires one (ppk_required)"),
    ("", "ppk", (False, True), "AUTHENTICATION_FAILED"),
    ("ppk", "other", (True, False), "AUTHENTICATION_FAILED"),
    ("ppk", "other", (False, True), "AUTHENTICATION_FAILED"),
]


@pytest.mark.parametrize(("west", "east", "required"), WITHOUT)
def test_where_a_key_is_missing_and_not_required_it_goes_without(
    west: str, east: str, required: tuple[bool, bool]
) -> None:
    """E14 (RFC 8784 section 3, table 1)"""
    pair = two(west, east, required=required, east_keys=keys("other", "ppk")).establish()
    assert not has_key(pair)
    pair.assert_mirrored()


@pytest.mark.parametrize(("west", "east", "required", "reason"), REFUSED)
def test_required_means_required(
    west: str, east: str, required: tuple[bool, bool], reason: str
) -> None:
    """E14 (RFC 8784 section 3, table 1)"""
    pair = two(west, east, required=required, east_keys=keys("other", "ppk"))
    pair.initiate()
    pair.settle()
    pair.pass_time(30)
    assert not pair.west.association.established
    assert not pair.east.association.established
    assert reason in pair.west.association.failure
    assert not pair.west.sas
    assert not pair.east.sas


def test_the_responder_says_which_key_it_lacks() -> None:
    pair = two("ppk", "other", required=(True, False), east_keys=keys("other"))
    pair.initiate()
    pair.settle()
    (report,) = pair.east.said("authentication-failed")
    assert report.text.endswith(
        "west.example names the post-quantum pre-shared key ppk, which connection gw does not "
        "have, and it requires one"
    )


def test_a_wrong_key_fails_at_both_ends_with_a_reason() -> None:
    """E14: it never falls back to a proof without it."""
    pair = two(east_keys=keys("ppk", key=bytes(32)))
    pair.initiate()
    pair.settle()
    assert not pair.west.association.established
    (report,) = pair.east.said("authentication-failed")
    assert report.text.endswith("or the post-quantum pre-shared key ppk is another there")
    assert "or the post-quantum pre-shared key ppk is not" in pair.west.association.failure


def without(*kinds: NotifyType):  # type: ignore[no-untyped-def]
    def change(payloads: tuple[Payload, ...]) -> tuple[Payload, ...]:
        return tuple(one for one in payloads if getattr(one, "type", None) not in kinds)

    return change


@pytest.mark.parametrize("place", [0, 1])
def test_who_takes_use_ppk_out_is_noticed(place: int) -> None:
    """E14 (RFC 8784 section 6)"""
    pair = initiated(two())
    for _ in range(place):
        pair.deliver(pair.flights[0])
    change_clear(pair.flights[0], without(NotifyType.USE_PPK))
    pair.settle()
    pair.pass_time(40)
    assert not pair.west.association.established
    assert not pair.west.sas


def test_a_request_that_names_no_key_is_refused() -> None:
    """E14"""
    pair = authenticating(two())
    change_sealed(pair, pair.flights[0], without(NotifyType.PPK_IDENTITY))
    pair.settle()
    (report,) = pair.east.said("authentication-failed")
    assert report.text.endswith("has offered a post-quantum key and names none")


@pytest.mark.parametrize("data", [b"", b"\x02", b"\x01ppk", b"ppk", b"\x02" + bytes(5000)])
def test_a_name_of_another_form_is_that_of_no_key(data: bytes) -> None:
    pair = authenticating(two(required=(False, True)))
    wrong = Notify(NotifyType.PPK_IDENTITY, data)

    def renamed(one: Payload) -> Payload:
        is_name = getattr(one, "type", None) is NotifyType.PPK_IDENTITY
        return wrong if is_name else one

    change_sealed(pair, pair.flights[0], swapped(Notify, renamed))
    pair.settle()
    assert "we require one" in pair.east.said("authentication-failed")[0].text


def test_a_responder_that_does_not_use_a_required_key_is_told() -> None:
    """(RFC 8784 section 3)"""
    pair = authenticating(two(required=(True, False)))
    pair.deliver(pair.flights[0])
    change_sealed(pair, pair.flights[0], without(NotifyType.PPK_IDENTITY))
    pair.settle()
    assert "requires it (ppk_required)" in pair.west.association.failure
    assert pair.trace[-2] == "--> HDR, SK {N(AUTHENTICATION_FAILED)}"
    assert pair.east.association.closed


def test_an_initiator_that_has_lost_its_required_key_says_so() -> None:
    """E27"""
    pair = two(required=(True, False), west_keys=())
    pair.initiate()
    assert "N(USE_PPK)" not in pair.trace[0]
    pair.settle()
    pair.pass_time(30)
    assert "ppk_required" in pair.west.association.failure


def test_keys_are_in_no_text() -> None:
    pair = two().establish()
    assert KEY.decode() not in repr(pair.west_settings)
    assert answers(pair, pair.west) == []
    assert PSK.decode() not in repr(pair.west_settings)
