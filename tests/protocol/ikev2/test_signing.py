"""Two ends whose private keys are on tokens, which sign later, or do not."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from ikeactors.crypto.signature_schemes import BY_IDENTIFIER, SCHEMES
from ikeactors.crypto.signatures import check_key, sign
from ikeactors.crypto.token_keys import TokenKey
from ikeactors.protocol.actions import CheckRevocation, SignByToken, SuspectAddress
from ikeactors.protocol.keyring import Keyring, OwnCertificate
from tests.crypto.pki.making import NOW, Holder
from tests.pair import End, Pair
from tests.protocol.forging import change_clear
from tests.protocol.ikev2.test_ppk import given, keys, named
from tests.protocol.ikev2.test_public_keys import (
    EAST_HOLDER,
    KEYS,
    ROOT,
    WEST_HOLDER,
    holder,
    keyring,
    signing,
    silent_on_hashes,
)


def on_token(own: Holder, *schemes: str) -> Keyring:
    """Its key is on a token that can sign in these ways, or in all."""
    can = tuple(one for one in SCHEMES if not schemes or str(one) in schemes)
    public = check_key(own.key.public_key())
    key = TokenKey("card", public, can)
    return Keyring([OwnCertificate(own.certificate, key)], [ROOT.certificate])


def tokens(west: Holder, east: Holder, settings=None) -> Pair:
    credentials = {"west": on_token(west), "east": on_token(east)}
    pair = Pair(settings or signing(), credentials=credentials, wall_clock=NOW)
    for end, own in ((pair.west, west), (pair.east, east)):
        end.sign = signer(own)
    return pair


def signer(own: Holder):
    def signed(action: SignByToken) -> tuple[bytes, str]:
        assert action.key == "card"
        scheme = BY_IDENTIFIER[action.algorithm]
        # Without the AlgorithmIdentifier in front, which a token knows nothing of.
        return sign(own.key, scheme, action.octets)[1 + len(scheme.identifier) :], ""

    return signed


def asked(end: End) -> list[SignByToken]:
    return [one for one in end.actions if isinstance(one, SignByToken)]


@pytest.mark.parametrize("kind", ["rsa", "p256", "p521", "ed25519"])
def test_keys_on_tokens_establish_an_ike_sa(kind: str) -> None:
    """(RFC 7427 section 3)"""
    pair = tokens(holder("west", KEYS[kind]()), holder("east", KEYS[kind]())).establish()
    pair.assert_mirrored()
    assert [len(asked(end)) for end in pair.ends()] == [1, 1]


@pytest.mark.parametrize("kind", ["p256", "p521"])
def test_the_older_methods_are_signed_by_tokens_too(kind: str) -> None:
    """(RFC 4754 section 7)"""
    pair = tokens(holder("west", KEYS[kind]()), holder("east", KEYS[kind]()))
    pair.initiate()
    pair.deliver(pair.flights[0])
    change_clear(pair.flights[0], silent_on_hashes)
    pair.deliver(pair.flights[0])
    assert len(asked(pair.west)) == 1


def test_the_responders_token_works_for_those_alone_who_have_proven_who_they_are() -> None:
    pair = tokens(WEST_HOLDER, EAST_HOLDER).establish()
    kinds = [type(one) for one in pair.east.actions]
    assert kinds.index(CheckRevocation) < kinds.index(SignByToken)

    stranger = tokens(holder("west", ec.generate_private_key(ec.SECP256R1())), EAST_HOLDER)
    stranger.west.sign = signer(EAST_HOLDER)
    stranger.initiate()
    stranger.settle()
    assert not asked(stranger.east)
    assert stranger.east.association.closed


def test_an_initiator_whose_token_refuses_fails_with_its_reason() -> None:
    pair = tokens(WEST_HOLDER, EAST_HOLDER)
    pair.west.sign = lambda action: (b"", "key 01 of secrets.card: the PIN is wrong")
    pair.initiate()
    pair.settle()
    assert pair.west.association.failure == "key 01 of secrets.card: the PIN is wrong"
    assert len(pair.trace) == 2


def test_a_responder_whose_token_refuses_answers_authentication_failed() -> None:
    """And suspects nobody: the peer has done all right."""
    pair = tokens(WEST_HOLDER, EAST_HOLDER)
    pair.east.sign = lambda action: (b"", "key 01 of secrets.card: there is no such token")
    pair.initiate()
    pair.settle()
    assert pair.trace[3] == "<-- HDR, SK {N(AUTHENTICATION_FAILED)}"
    assert pair.east.association.closed
    assert "there is no such token" in pair.east.said("authentication-failed")[0].text
    assert not any(isinstance(one, SuspectAddress) for one in pair.east.actions)


def test_a_token_that_is_slow_lets_the_peer_ask_again() -> None:
    pair = tokens(WEST_HOLDER, EAST_HOLDER)
    pair.slow = []
    pair.initiate()
    pair.settle()
    assert pair.trace[2:] == []
    assert pair.west.association.deadline < pair.now + 61
    pair.answer_slowly(pair.west)
    pair.settle()
    pair.pass_time(5.0)
    assert [line[:3] for line in pair.trace].count("-->") == 2
    pair.hurry()
    pair.settle()
    pair.assert_mirrored()


def test_a_token_that_never_answers_ends_the_attempt() -> None:
    pair = tokens(WEST_HOLDER, EAST_HOLDER)
    pair.slow = []
    pair.initiate()
    pair.settle()
    pair.pass_time(61.0)
    assert pair.west.association.closed


def test_both_proofs_beside_a_post_quantum_key_are_signed() -> None:
    """(RFC 8784 section 3)"""
    settings = signing(ppk_id=named("ppk"))
    pair = given(tokens(WEST_HOLDER, EAST_HOLDER, settings), keys("ppk"), keys("ppk")).establish()
    assert [len(asked(end)) for end in pair.ends()] == [2, 1]
    assert "N(NO_PPK_AUTH)" in pair.trace[2]
    first, second = asked(pair.west)
    assert first.octets != second.octets


def test_what_the_token_cannot_sign_is_not_asked_of_it() -> None:
    rsa = holder("west", KEYS["rsa"]())
    credentials = {"west": on_token(rsa, "rsa-sha256"), "east": keyring(EAST_HOLDER)}
    pair = Pair(signing(), credentials=credentials, wall_clock=NOW)
    pair.west.sign = signer(rsa)
    pair.establish()
    assert str(BY_IDENTIFIER[asked(pair.west)[0].algorithm]) == "rsa-sha256"

    unable = {"west": on_token(rsa, "rsa-sha1"), "east": keyring(EAST_HOLDER)}
    pair = Pair(signing(), credentials=unable, wall_clock=NOW)
    pair.initiate()
    pair.settle()
    assert "the token of secrets.card can do rsa-sha1" in pair.west.association.failure


def test_a_key_whose_token_was_missing_says_so() -> None:
    missing = "key 01 of secrets.card (any token, module m.so): there is no such token"
    credentials = {"west": Keyring(missing=[missing]), "east": keyring(EAST_HOLDER)}
    pair = Pair(signing(), credentials=credentials, wall_clock=NOW)
    pair.initiate()
    pair.settle()
    assert pair.west.association.failure.endswith(missing)
