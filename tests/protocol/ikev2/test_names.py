"""Peers that are held to their names: where DNSSEC says that they are, and by which keys."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from ikeactors.config.certificates import spki_of
from ikeactors.errors import AuthenticationFailed
from ikeactors.protocol.actions import CheckName, CheckRevocation, ClaimIdentity
from ikeactors.protocol.keyring import Keyring
from ikeactors.protocol.settings import ConnectionSettings, IdentityPattern
from ikeactors.wire.identities import Identity
from tests.crypto.pki.making import NOW
from tests.pair import EAST, WEST, End, Pair, connection
from tests.protocol.ikev2.test_public_keys import (
    EAST_HOLDER,
    ROOT,
    WEST_HOLDER,
    by_key,
    keyring,
    pair_of,
    signing,
)

ELSEWHERE = ip_address("203.0.113.9")


def named(settings: ConnectionSettings) -> ConnectionSettings:
    """Both ends ask: what the western one is told, the eastern one has turned round."""
    return replace(
        settings,
        local=replace(settings.local, dnssec=True),
        remote=replace(settings.remote, dnssec=True),
    )


def asked(end: End) -> list[str]:
    return [one.name for one in end.actions if isinstance(one, CheckName)]


def at_their_names(pair: Pair) -> Pair:
    pair.west.proven = (EAST.address,), ""
    pair.east.proven = (ELSEWHERE, WEST.address), ""
    return pair


def test_each_end_asks_for_the_others_name_once_it_has_proven_who_it_is() -> None:
    pair = at_their_names(pair_of(WEST_HOLDER, EAST_HOLDER, named(signing()))).establish()
    assert (asked(pair.west), asked(pair.east)) == (["east.example"], ["west.example"])
    for end in pair.ends():
        kinds = [type(one) for one in end.actions]
        order = [kinds.index(one) for one in (CheckName, CheckRevocation, ClaimIdentity)]
        assert order == sorted(order)


def test_it_holds_for_a_pre_shared_key_too() -> None:
    pair = at_their_names(Pair(named(connection()))).establish()
    assert pair.east.said("name-proven")[0].text == "west.example is 192.0.2.1, by DNSSEC"


REFUSALS = {
    "elsewhere": (
        ((ELSEWHERE,), ""),
        'west.example is 203.0.113.9, the peer\'s packets come from 192.0.2.1 (dnssec = "require")',
    ),
    "unproven": (
        ((), "A of west.example. is not signed"),
        'A of west.example. is not signed (dnssec = "require")',
    ),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_the_responder_refuses_who_is_not_at_its_name(what: str) -> None:
    pair = at_their_names(Pair(named(connection())))
    pair.east.proven, reason = REFUSALS[what]
    pair.initiate()
    pair.settle()
    assert reason in pair.east.said("authentication-failed")[0].text
    assert pair.trace[-1] == "<-- HDR, SK {N(AUTHENTICATION_FAILED)}"
    assert not pair.east.sas


def test_the_initiator_refuses_who_is_not_at_its_name_and_tells_it() -> None:
    pair = at_their_names(Pair(named(connection())))
    pair.west.proven = (ELSEWHERE,), ""
    pair.initiate()
    pair.settle()
    assert pair.west.association.failure.startswith("east.example is 203.0.113.9")
    assert "--> HDR, SK {N(AUTHENTICATION_FAILED)}" in pair.trace
    assert pair.east.association.closed
    assert not pair.west.sas


def test_who_is_no_name_is_refused_without_a_question() -> None:
    settings = named(connection())
    address = IdentityPattern(Identity.from_text("192.0.2.1"))
    pair = at_their_names(Pair(replace(settings, local=replace(settings.local, id=address))))
    pair.initiate()
    pair.settle()
    text = pair.east.said("authentication-failed")[0].text
    assert '192.0.2.1 is no name of a host (dnssec = "require")' in text
    assert not asked(pair.east)


def test_nothing_is_asked_where_the_connection_does_not_want_it() -> None:
    pair = Pair().establish()
    assert not asked(pair.west) + asked(pair.east)


OLD, NEW, OTHER = (ed25519.Ed25519PrivateKey.generate() for _ in range(3))


def pair_with_keys_in_dns(*keys: ed25519.Ed25519PrivateKey) -> Pair:
    """The western end signs with a raw key; the eastern one knows it by DNS alone."""
    west = by_key("west.example", public_keys=(spki_of(NEW.public_key()),), ipseckey=True)
    credentials = {"west": Keyring(anchors=[ROOT.certificate], raw_keys=[NEW])}
    credentials["east"] = keyring(EAST_HOLDER)
    pair = Pair(signing(local=west), credentials=credentials, wall_clock=NOW)
    found = tuple(spki_of(key.public_key()) for key in keys)

    def keys_of(name: str) -> tuple[bytes, ...]:
        assert name == "west.example"
        if not found:
            raise AuthenticationFailed(f"DNSSEC proves no key of {name}: it is not signed")
        return found

    east = pair.east.association
    east.surroundings = replace(east.surroundings, keys_of=keys_of)
    return pair


@pytest.mark.parametrize("keys", [(NEW,), (OLD, NEW), (NEW, OLD)])
def test_a_peer_proves_itself_by_one_of_the_keys_of_its_name(
    keys: tuple[ed25519.Ed25519PrivateKey, ...],
) -> None:
    """(RFC 4025 section 2)"""
    pair = pair_with_keys_in_dns(*keys).establish()
    assert "a public key the connection names" in pair.east.said("peer-key-checked")[0].text
    assert not any("CERTREQ" in line for line in pair.trace if line.startswith("<--"))


@pytest.mark.parametrize("keys", [(OLD,), (OLD, OTHER), ()])
def test_by_another_key_or_none_it_does_not(
    keys: tuple[ed25519.Ed25519PrivateKey, ...],
) -> None:
    pair = pair_with_keys_in_dns(*keys)
    pair.initiate()
    pair.settle()
    assert pair.trace[-1] == "<-- HDR, SK {N(AUTHENTICATION_FAILED)}"
    text = pair.east.said("authentication-failed")[0].text
    assert ("is wrong" in text or "does not name" in text) if keys else "proves no key" in text
