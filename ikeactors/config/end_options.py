"""The options of a connection's two ends: who one is, and how one proves it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from ikeactors.config.identities import identity_pattern, own_identity
from ikeactors.config.mistakes import Refused
from ikeactors.config.schema import Option, options
from ikeactors.config.values import boolean, integer, listed, never_or_at_least_a_second, text, word
from ikeactors.config.vocabulary import enumeration, later
from ikeactors.crypto.pki.address_blocks import AddressBlocks
from ikeactors.crypto.pki.bindings import AddressBinding
from ikeactors.crypto.pki.profile import ExtendedKeyUsage
from ikeactors.crypto.pki.revocation import RevocationPolicy
from ikeactors.crypto.signature_constraints import ANY_SIGNATURE, SignatureConstraint
from ikeactors.protocol.name_patterns import RdnMatching

_LATER = {
    name: later(f'"{name}"', '"psk" or "pubkey"')
    for name in ("eap", "eap-tls", "eap-mschapv2", "xauth", "any")
}

_OID = re.compile(r"[0-2](\.(0|[1-9]\d{0,18})){1,32}")


@dataclass(frozen=True, slots=True)
class Method:
    """How an end proves who it is; for public keys also what signatures have to be."""

    name: str
    constraint: SignatureConstraint = ANY_SIGNATURE


def auth_method(value: object) -> Method:
    """ "psk", "null", or what signatures have to be."""
    given = text(value)
    if given in ("psk", "null"):
        return Method(given)
    if given in _LATER:
        raise Refused((value, _LATER[given]))
    try:
        return Method("pubkey", SignatureConstraint.from_text(given))
    except ValueError as error:
        raise Refused((value, f'"psk" or "pubkey" expected, or kinds of keys: {error}')) from None


def _policy(value: object) -> str:
    given = text(value)
    if _OID.fullmatch(given):
        return given
    raise Refused((value, "an object identifier expected, such as 2.5.29.32.0"))


def _cert_url(value: object) -> str:
    """The beginning of a URL, with a host: what follows may be a peer's choice."""
    given = text(value)
    if not given:
        return given
    parts = urlsplit(given)
    if parts.scheme == "http" and parts.hostname and parts.path and given.isascii():
        return given
    raise Refused((value, 'an http URL with a path expected, such as "http://certs.example.org/"'))


_AUTH = (
    '"psk", "pubkey", or the kinds of keys and hashes that will do: "ecdsa-ed25519", '
    '"rsa-3072-sha256", "rsa/pss-sha384", "rsa/pkcs1", "mldsa65"; of authorities, too, but '
    'for "ike:ecdsa-384". "null" proves nothing.'
)

_ROUND = Option(
    "round",
    integer(0, 9),
    "0",
    "Of several sections, local1 and local2, which is first: the one with the lower number.",
)

LOCAL = options(
    Option("auth", auth_method, '"psk"', f"How we prove who we are: {_AUTH}"),
    Option(
        "id",
        own_identity,
        '"%any"',
        "Who we are; if not said, our certificate's subject, our address.",
    ),
    Option(
        "certs",
        listed(text),
        "[]",
        "Files with our certificates, in x509/; the best of all that are loaded if none is named.",
    ),
    Option(
        "cert_uri_base",
        _cert_url,
        '""',
        "Our certificate is at this URL and its SHA-1 hash: who can, gets these; empty is off.",
    ),
    Option(
        "cert_uri_bundle",
        boolean,
        "false",
        "There is a bundle, of our certificate with those above it, by the hash of all that.",
    ),
    Option("pubkeys", listed(text), "[]", "Or files with our raw public keys, in pubkey/."),
    _ROUND,
)

REMOTE = options(
    Option("auth", auth_method, '"psk"', f"How the peer proves who it is: {_AUTH}"),
    Option(
        "id",
        identity_pattern,
        '"%any"',
        'Who the peer is: an identity, "%any", "*.example.org", "*@example.org", "C=CH, CN=*" or '
        '"192.0.2.0/24".',
    ),
    Option(
        "rdn_matching",
        word(enumeration(*RdnMatching)),
        '"strict"',
        'A distinguished name in id: "reordered" is in any order, "relaxed" with others, too.',
    ),
    Option(
        "certs",
        listed(text),
        "[]",
        "Files with certificates of the peer's, in x509/: believed without an authority.",
    ),
    Option(
        "cacerts",
        listed(text),
        "[]",
        "Files with the authorities believed, in x509ca/; all that are loaded if none is named.",
    ),
    Option("pubkeys", listed(text), "[]", "Files with the peer's raw public keys, in pubkey/."),
    Option(
        "eku",
        word(enumeration(*ExtendedKeyUsage)),
        '"if-present"',
        'Extended key usage: "require" ipsecIKE, "if-present" it or any, "ignore" it.',
    ),
    Option(
        "match_address",
        boolean,
        "true",
        "An identity that is an address must be where the peer's packets come from.",
    ),
    Option(
        "address_binding",
        word(enumeration(*AddressBinding)),
        '"exact"',
        'An identity that is an address: "within" a network or address blocks of the certificate.',
    ),
    Option(
        "dnssec",
        word({"ignore": False, "require": True}),
        '"ignore"',
        'If "require", the peer\'s name must have its address, by DNSSEC: see dns_servers.',
    ),
    Option(
        "ipseckey",
        boolean,
        "false",
        "The peer's raw public keys are those of its name's IPSECKEY records, by DNSSEC.",
    ),
    Option(
        "revocation",
        word(enumeration(*RevocationPolicy)),
        '"relaxed"',
        'Unknown whether one is revoked: refuse if "strict"; if "ifuri" where it says whom to ask.',
    ),
    Option(
        "revocation_recheck",
        never_or_at_least_a_second,
        "0",
        "An IKE SA whose peer's certificate is revoked or expired is deleted; looked at so often.",
    ),
    Option(
        "cert_urls",
        listed(_cert_url),
        "[]",
        "The peer's certificate may come as hash and URL from URLs that begin so; none is off.",
    ),
    Option(
        "address_blocks",
        word(enumeration(*AddressBlocks)),
        '"if-present"',
        'Address blocks (RFC 3779) limit remote_ts: "require" some, "if-present", "ignore" them.',
    ),
    Option(
        "cert_policy",
        listed(_policy),
        "[]",
        "Certificate policies, one of which has to be valid; none asks for no policy.",
    ),
    _ROUND,
)
