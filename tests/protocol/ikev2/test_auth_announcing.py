"""Who tells which authentication it takes, and who takes the hint."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from ikeactors.crypto.pki.certificates import key_hash_of
from ikeactors.iana import AuthMethod, NotifyType, SignatureHash
from ikeactors.protocol.credentials import OwnProof, WelcomeMethod
from ikeactors.protocol.keyring import Keyring, OwnCertificate
from ikeactors.protocol.settings import AuthSettings
from ikeactors.wire.auth_methods import read_announcements
from ikeactors.wire.message import notifies, read_message
from ikeactors.wire.payload import Notify, Payload
from tests.crypto.pki.making import NOW, Holder, authority
from tests.pair import Pair, opposite
from tests.protocol.forging import change_sealed
from tests.protocol.ikev2.test_public_keys import (
    EAST_HOLDER,
    KEYS,
    ROOT,
    by_key,
    holder,
    keyring,
    pair_of,
    signing,
)

RSA, EDWARDS = holder("west", KEYS["rsa"]()), holder("west", KEYS["ed25519"]())
TOLD = NotifyType.SUPPORTED_AUTH_METHODS


def many(*own: Holder, anchors: tuple[Holder, ...] = (ROOT,)) -> Keyring:
    certificates = [OwnCertificate(one.certificate, one.key) for one in own]
    return Keyring(certificates, [one.certificate for one in anchors])


def two(demand: str, west: Keyring, **changes: object) -> Pair:
    """West may sign with anything, and east takes what `demand` says."""
    ours = signing(**changes)
    theirs = replace(opposite(ours), remote=by_key("west.example", demand))
    credentials = {"west": west, "east": keyring(EAST_HOLDER)}
    return Pair(ours, theirs, credentials=credentials, wall_clock=NOW)


@pytest.mark.parametrize(
    ("demand", "scheme"),
    [
        ("ike:rsa-sha512", "rsa/pss-sha512"),
        ("ike:ed25519", "ed25519"),
        ("ike:rsa/pkcs1", "rsa-sha256"),
    ],
)
def test_the_key_and_the_scheme_are_those_that_the_peer_takes(demand: str, scheme: str) -> None:
    """(RFC 9593 section 3.1)"""
    for own in ((RSA, EDWARDS), (EDWARDS, RSA)):
        pair = two(demand, many(*own)).establish()
        assert "N(SUPPORTED_AUTH_METHODS)" in pair.trace[1]
        (report,) = pair.east.said("peer-key-checked")
        assert f"signs by {scheme}," in report.text


def test_where_every_signature_will_do_nothing_is_told() -> None:
    pair = two("pubkey", many(RSA)).establish()
    assert "SUPPORTED_AUTH_METHODS" not in "".join(pair.trace)
    assert "SUPPORTED_AUTH_METHODS" not in "".join(Pair().establish().trace)


def test_the_initiator_tells_who_has_told() -> None:
    """(RFC 9593 section 3.1)"""
    pair = two("ike:rsa-sha256", many(RSA), remote=by_key("east.example", "ike:ecdsa")).establish()
    assert "N(SUPPORTED_AUTH_METHODS)" in pair.trace[2]
    silent = two("pubkey", many(RSA), remote=by_key("east.example", "ike:ecdsa")).establish()
    assert "SUPPORTED_AUTH_METHODS" not in "".join(silent.trace)


def test_methods_of_all_candidates_are_told() -> None:
    pair = two("ike:rsa-sha256", many(RSA))
    closed = pair.east_settings.connections[0]
    others = [replace(closed, name=name, remote=AuthSettings(name)) for name in ("psk", "null")]
    pair.east_settings = replace(pair.east_settings, connections=(closed, *others))
    pair.east.association = pair.responder()
    pair.initiate()
    pair.deliver(pair.flights[0])
    (told,) = notifies(read_message(pair.flights[0].datagram.octets).payloads, TOLD)
    methods = [one.method for one in read_announcements(told.data)]
    assert methods == [
        *[AuthMethod.DIGITAL_SIGNATURE] * 2,
        AuthMethod.SHARED_KEY,
        AuthMethod.NULL,
    ]


def test_who_has_no_key_that_is_welcome_hears_what_would_be() -> None:
    pair = two("ed25519", many(RSA))
    pair.initiate()
    pair.settle()
    assert pair.west.association.failure.endswith("It takes: ed25519")


@pytest.mark.parametrize("data", [b"\x00", b"\xff\x0e", b"\x03\x0e\xff", b"\x02\x01" * 500])
def test_nonsense_is_no_hint(data: bytes) -> None:
    pair = two("ike:rsa-sha256", many(RSA), remote=by_key("east.example", "ike:ecdsa"))
    pair.initiate()
    for _ in range(2):
        pair.deliver(pair.flights[0])

    def change(payloads: tuple[Payload, ...]) -> tuple[Payload, ...]:
        return tuple(
            Notify(TOLD, data) if getattr(one, "type", None) is TOLD else one for one in payloads
        )

    change_sealed(pair, pair.flights[0], change)
    pair.settle()
    assert pair.west.association.established


def test_an_authority_that_is_named_counts() -> None:
    """(RFC 9593 section 3.2.2)"""
    other = authority("CN=other")
    theirs = holder("west", KEYS["rsa"](), issuer=other)
    own = many(RSA, theirs, anchors=(ROOT, other))
    wanted = WelcomeMethod(AuthMethod.RSA_SIGNATURE, key_hash_of(other.certificate))
    identity = by_key("west.example").id.identity
    assert identity is not None
    hashes = (SignatureHash.SHA2_256,)
    proof = own.prove(by_key("west.example"), identity, (), hashes, b"x", (wanted,))
    assert isinstance(proof, OwnProof)
    assert proof.certificates[0].data == theirs.certificate.public_bytes(Encoding.DER)
    assert pair_of(RSA, EAST_HOLDER).establish()
