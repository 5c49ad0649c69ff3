"""Ends that prove nothing of who they are (method NULL), beside those that do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikeactors.iana import AuthMethod, IdType
from ikeactors.protocol.actions import ClaimIdentity
from ikeactors.protocol.settings import AuthSettings, ConnectionSettings, IdentityPattern, Unique
from ikeactors.wire.identities import Identity
from ikeactors.wire.payload import Authentication, IdentificationInitiator
from tests.pair import Pair, connection, opposite
from tests.protocol.forging import answers, authenticating, change_sealed, swapped
from tests.protocol.ikev2.test_public_keys import (
    EAST_HOLDER,
    WEST_HOLDER,
    by_key,
    pair_of,
    signing,
)

NULL = AuthSettings("null")


def named(identity: str) -> AuthSettings:
    return AuthSettings("null", IdentityPattern(Identity.from_text(identity)))


def test_two_ends_that_prove_nothing_have_an_ike_sa() -> None:
    """(RFC 7619 section 2)"""
    pair = Pair(connection(local=NULL, remote=NULL)).establish()
    pair.assert_mirrored()
    for end in pair.ends():
        (report,) = end.said("peer-not-authenticated")
        assert report.text.endswith(
            "who the peer at " + f"{end.association.remote} is; it says it is null:"
        )
        assert str(end.association.phase.remote) == "null:"  # type: ignore[union-attr]


def test_one_end_signs_and_the_other_proves_nothing() -> None:
    """(RFC 7619 section 1)"""
    pair = pair_of(WEST_HOLDER, EAST_HOLDER, signing(local=NULL)).establish()
    assert pair.west.said("peer-key-checked")
    assert pair.east.said("peer-not-authenticated")
    assert "SK {IDi, CERTREQ, IDr, AUTH, " in pair.trace[2]


def test_the_responder_may_be_the_one_that_proves_nothing() -> None:
    pair = pair_of(WEST_HOLDER, EAST_HOLDER, signing(remote=NULL)).establish()
    assert pair.west.said("peer-not-authenticated")
    assert pair.east.said("peer-key-checked")


def test_auth_without_proof_has_method_13_and_an_empty_identity() -> None:
    """(RFC 7619 sections 2.1 and 2.2)"""
    pair = authenticating(Pair(connection(local=NULL, remote=NULL)))
    payloads = answers(pair, pair.east)[0]
    proof = next(one for one in payloads if isinstance(one, Authentication))
    identity = next(one for one in payloads if isinstance(one, IdentificationInitiator)).identity
    assert (proof.method, identity) == (AuthMethod.NULL, Identity(IdType.NULL, b""))


def test_an_unproven_identity_opens_no_connection_of_its_owner() -> None:
    """E6 (RFC 7619 section 2.4)"""
    east = opposite(connection())
    pair = Pair(connection(local=named("west.example")), east)
    pair.initiate()
    pair.settle()
    assert pair.trace[-1] == "<-- HDR, SK {N(AUTHENTICATION_FAILED)}"
    assert pair.west.association.failure.endswith(
        "or it takes nobody who does not authenticate. Its log says which"
    )
    (report,) = pair.east.said("authentication-failed")
    assert report.text.endswith(
        "west.example does not authenticate (method NULL), the connection asks for a pre-shared key"
    )


def test_a_responder_that_proves_nothing_is_refused_where_proof_is_asked_for() -> None:
    """E6"""
    west = connection()
    pair = Pair(west, replace(opposite(west), local=named("east.example")))
    pair.initiate()
    pair.settle()
    assert pair.west.association.failure.endswith("the connection asks for a pre-shared key")
    assert pair.east.association.closed


@pytest.mark.parametrize("first", ["open", "closed"])
def test_who_proves_nothing_gets_the_connection_for_such_peers(first: str) -> None:
    """(RFC 7619 section 2.4)"""
    closed = replace(opposite(connection()), name="closed", remote=AuthSettings("psk"))
    opened = replace(closed, name="open", remote=NULL)
    both = (opened, closed) if first == "open" else (closed, opened)
    for ours, name in ((named("west.example"), "open"), (connection().local, "closed")):
        pair = Pair(connection(local=ours))
        pair.east_settings = replace(pair.east_settings, connections=both)
        pair.east.association = pair.responder()
        pair.establish()
        assert pair.east.association.connection_name == name


def test_who_proves_itself_needs_a_connection_that_asks_for_it() -> None:
    pair = Pair(connection(), replace(opposite(connection()), remote=NULL))
    pair.initiate()
    pair.settle()
    (report,) = pair.east.said("authentication-failed")
    assert "the connection is for peers that do not" in report.text


def test_a_proof_of_nothing_is_still_of_this_ike_sa_init() -> None:
    """(RFC 7619 section 2.1)"""
    pair = authenticating(Pair(connection(local=NULL, remote=NULL)))
    wrong = Authentication(AuthMethod.NULL, bytes(32))
    change_sealed(pair, pair.flights[0], swapped(Authentication, lambda _: wrong))
    pair.settle()
    (report,) = pair.east.said("authentication-failed")
    assert report.text.endswith("it is of another IKE_SA_INIT")


@pytest.mark.parametrize("unique", Unique)
def test_nobody_loses_an_ike_sa_to_who_proves_nothing(unique: Unique) -> None:
    """(RFC 7619 section 2.3)"""
    pair = Pair(connection(local=NULL, remote=NULL, unique=unique)).establish()
    assert "INITIAL_CONTACT" not in pair.trace[2]
    for end in pair.ends():
        (claim,) = [one for one in end.actions if isinstance(one, ClaimIdentity)]
        assert claim.unique is Unique.NEVER


def test_what_a_connection_asks_for_is_said_in_words() -> None:
    settings: ConnectionSettings = signing(west="ecdsa-384")
    assert settings.local.demand == "ecdsa-384"
    assert AuthSettings("psk").demand == "a pre-shared key"
    assert by_key("a.example").demand == "pubkey"
