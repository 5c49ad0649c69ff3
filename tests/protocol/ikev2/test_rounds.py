"""Ends that prove several identities, and those that stop half-way."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from ikeactors.crypto.pki.revocation import Revocation, RevocationFinding, RevocationPolicy
from ikeactors.iana import NotifyType
from ikeactors.protocol.credentials import PeerProof
from ikeactors.protocol.ikev2.rounds import combined
from ikeactors.protocol.settings import (
    AuthSettings,
    ConnectionSettings,
    IdentityPattern,
    Secret,
    Settings,
)
from ikeactors.wire.identities import Identity
from ikeactors.wire.payload import Authentication, Notify, Payload
from tests.pair import Pair, connection, opposite
from tests.protocol.forging import added, authenticating, change_clear, change_sealed, swapped
from tests.protocol.ikev2.test_ppk import given, keys, named, without
from tests.protocol.ikev2.test_public_keys import (
    EAST_HOLDER,
    WEST_HOLDER,
    by_key,
    pair_of,
    signing,
)


def psk(identity: str) -> AuthSettings:
    return AuthSettings("psk", IdentityPattern(Identity.from_text(identity)))


def turned(settings: ConnectionSettings) -> ConnectionSettings:
    """As the eastern end configures it."""
    east = opposite(settings)
    return replace(east, later_local=settings.later_remote, later_remote=settings.later_local)


def shaped(west: int, east: int) -> ConnectionSettings:
    """A connection whose ends prove so many identities."""
    return connection(
        later_local=tuple(psk(f"west-{number}.example") for number in range(2, west + 1)),
        later_remote=tuple(psk(f"east-{number}.example") for number in range(2, east + 1)),
    )


def pair_with(west: ConnectionSettings, east: ConnectionSettings | None = None) -> Pair:
    return Pair(west, east or turned(west))


@pytest.mark.parametrize("west", [1, 2, 3])
@pytest.mark.parametrize("east", [1, 2, 3])
def test_each_end_proves_as_many_identities_as_it_has(west: int, east: int) -> None:
    """(RFC 4739 section 2)"""
    pair = pair_with(shaped(west, east)).establish()
    pair.assert_mirrored()
    assert len(pair.trace) == 2 + 2 * max(west, east)
    assert [str(end.association.phase.remote) for end in pair.ends()] == [  # type: ignore[union-attr]
        "east.example",
        "west.example",
    ]


def test_what_follows_is_announced() -> None:
    """(RFC 4739 section 2.1)"""
    pair = pair_with(shaped(2, 1)).establish()
    assert pair.trace[1].endswith("N(MULTIPLE_AUTH_SUPPORTED)")
    assert pair.trace[2:] == [
        "--> HDR, SK {IDi, IDr, AUTH, N(MULTIPLE_AUTH_SUPPORTED), N(ANOTHER_AUTH_FOLLOWS), "
        "N(INITIAL_CONTACT), SAi2, TSi, TSr}",
        "<-- HDR, SK {IDr, AUTH}",
        "--> HDR, SK {IDi, AUTH}",
        "<-- HDR, SK {SAr2, TSi, TSr}",
    ]


def test_who_has_no_more_to_prove_waits_with_an_empty_message() -> None:
    pair = pair_with(shaped(1, 2)).establish()
    assert pair.trace[3:] == [
        "<-- HDR, SK {IDr, AUTH, N(ANOTHER_AUTH_FOLLOWS)}",
        "--> HDR, SK {}",
        "<-- HDR, SK {IDr, AUTH, SAr2, TSi, TSr}",
    ]


@pytest.mark.parametrize("first", ["psk", "key"])
def test_a_key_and_a_secret_prove_the_same_end(first: str) -> None:
    settings = signing()
    both = settings.local, psk("west-2.example")
    ours, later = both if first == "key" else both[::-1]
    settings = replace(settings, local=ours, later_local=(later,))
    pair = pair_of(WEST_HOLDER, EAST_HOLDER)
    pair = Pair(
        settings,
        turned(settings),
        credentials={name: one.credentials for name, one in pair._surroundings.items()},
        wall_clock=next(iter(pair._surroundings.values())).wall_clock(),
    ).establish()
    assert pair.east.said("peer-key-checked")


def test_a_post_quantum_key_is_in_all_proofs() -> None:
    west = replace(shaped(2, 2), ppk_id=named("ppk"), ppk_required=True)
    pair = given(pair_with(west), keys("ppk"), keys("ppk")).establish()
    assert pair.west.said("ppk-used")
    pair.assert_mirrored()


def failed(pair: Pair) -> Pair:
    """Nothing has come of it, at either end."""
    for end in pair.ends():
        assert not end.association.established
        assert not end.sas
    return pair


@pytest.mark.parametrize(
    ("west", "east", "end", "reason"),
    [
        (1, 2, "east", "the peer does not know multiple authentication (RFC 4739)"),
        (2, 1, "west", "the peer does not know multiple authentication (RFC 4739)"),
        (2, 3, "east", "west-2.example proves 2 identities, connection gw asks for 3"),
        (3, 2, "east", "west-2.example wants to prove more identities, connection gw asks for 2"),
    ],
)
def test_an_end_that_proves_more_or_less_than_is_asked_for_is_refused(
    west: int, east: int, end: str, reason: str
) -> None:
    """E25; `west` are the identities it has, `east` those that it is asked for."""
    pair = pair_with(shaped(west, 1), turned(shaped(east, 1)))
    pair.initiate()
    pair.settle()
    pair.pass_time(60)
    failed(pair)
    if end == "west":
        assert reason in pair.west.association.failure
    else:
        assert reason in pair.east.said("authentication-failed")[0].text


def test_a_responder_that_proves_too_little_is_told() -> None:
    """E25"""
    pair = pair_with(shaped(2, 2), turned(shaped(2, 1)))
    pair.initiate()
    pair.settle()
    assert "east.example proves 1 identities, connection gw asks for 2" in (
        failed(pair).west.association.failure
    )
    assert pair.trace[-1] == "--> HDR, SK {N(AUTHENTICATION_FAILED)}"


def test_an_initiator_that_stops_half_way_leaves_nothing() -> None:
    """E25"""
    pair = authenticating(pair_with(shaped(2, 1)))
    pair.deliver(pair.flights[0])
    pair.drop()
    pair.pass_time(120, deliver=False)
    failed(pair)
    assert pair.east.association.closed


def test_a_second_identity_that_is_another_is_refused() -> None:
    west = shaped(2, 1)
    other = replace(west, later_local=(psk("mallory.example"),))
    pair = pair_with(other, turned(west))
    pair.initiate()
    pair.settle()
    (report,) = failed(pair).east.said("authentication-failed")
    assert "the peer says it is mallory.example, connection gw expects west-2" in report.text
    assert pair.trace[-1] == "<-- HDR, SK {N(AUTHENTICATION_FAILED)}"
    assert "answered AUTHENTICATION_FAILED" in pair.west.association.failure


def test_a_second_proof_that_is_wrong_is_refused() -> None:
    pair = authenticating(pair_with(shaped(2, 1)))
    pair.deliver(pair.flights[0])
    pair.deliver(pair.flights[0])
    change_sealed(
        pair,
        pair.flights[0],
        swapped(Authentication, lambda one: replace(one, data=bytes(32))),  # type: ignore[type-var]
    )
    pair.settle()
    assert failed(pair).east.association.closed


def test_a_request_without_the_second_proof_is_refused() -> None:
    pair = authenticating(pair_with(shaped(2, 1)))
    pair.deliver(pair.flights[0])
    pair.deliver(pair.flights[0])
    change_sealed(pair, pair.flights[0], lambda payloads: ())
    pair.settle()
    assert pair.trace[-1] == "<-- HDR, SK {N(INVALID_SYNTAX)}"
    assert failed(pair).east.association.closed


def test_a_proof_that_nobody_has_asked_for_is_refused() -> None:
    pair = authenticating(pair_with(shaped(1, 2)))
    kept: list[Payload] = []

    def keep(payloads: tuple[Payload, ...]) -> tuple[Payload, ...]:
        kept.extend(one for one in payloads if isinstance(one, Authentication))
        return payloads

    change_sealed(pair, pair.flights[0], keep)
    pair.deliver(pair.flights[0])
    pair.deliver(pair.flights[0])
    change_sealed(pair, pair.flights[0], added(*kept))
    pair.settle()
    (report,) = failed(pair).east.said("authentication-failed")
    assert "the peer proves more identities than the 1" in report.text


def test_who_takes_the_announcement_out_is_noticed() -> None:
    pair = pair_with(shaped(2, 2))
    pair.initiate()
    pair.deliver(pair.flights[0])
    change_clear(pair.flights[0], without(NotifyType.MULTIPLE_AUTH_SUPPORTED))
    pair.settle()
    pair.pass_time(60)
    failed(pair)
    assert "does not know multiple authentication" in pair.west.association.failure


def test_the_next_identity_is_not_told_to_a_peer_that_is_not_believed() -> None:
    """E26"""
    pair = Pair(shaped(2, 1), turned(shaped(2, 1)), east_secret=b"another secret of 32 octets ....")
    wrong = Settings(pair.east_settings.connections, (Secret("psk", (), b"x" * 32),))
    pair.east_settings = wrong
    pair.initiate()
    pair.settle()
    assert not [one for one in pair.trace if one.startswith("--> HDR, SK {IDi, AUTH}")]


def test_each_round_has_its_own_demand_on_revocation() -> None:
    strict = by_key("west.example", revocation=RevocationPolicy.STRICT)
    settings = replace(connection(), later_local=(by_key("west.example"),))
    east = replace(turned(settings), later_remote=(strict,))
    holders = pair_of(WEST_HOLDER, EAST_HOLDER)
    pair = Pair(
        settings,
        east,
        credentials={name: one.credentials for name, one in holders._surroundings.items()},
        wall_clock=next(iter(holders._surroundings.values())).wall_clock(),
    )
    pair.east.findings = (RevocationFinding(Revocation.UNKNOWN, "nobody knows", False),)
    pair.initiate()
    pair.settle()
    (report,) = failed(pair).east.said("authentication-failed")
    assert "nobody knows" in report.text


def test_a_wish_for_more_without_support_is_refused() -> None:
    pair = authenticating(pair_with(connection()))
    change_sealed(pair, pair.flights[0], added(Notify(NotifyType.ANOTHER_AUTH_FOLLOWS)))
    pair.settle()
    (report,) = failed(pair).east.said("authentication-failed")
    assert "wants to prove more identities, connection gw asks for 1" in report.text


def test_several_certificates_hold_as_long_as_all_do() -> None:
    low, middle, high = (ip_address(f"192.0.2.{number}") for number in (1, 100, 200))
    first = PeerProof("a", "first", 10.0, (b"x",), ((low, middle),))
    second = PeerProof("b", "second", 5.0, (b"y",), ((middle, high), (ip_address("::1"),) * 2))
    found = combined([first, second])
    assert found is not None
    assert (found.not_after, found.chain, found.blocks) == (5.0, (b"x",), ((middle, middle),))
    assert combined([]) is None
    assert combined([first]) is first
