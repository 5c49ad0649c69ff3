"""Identities, and patterns of them: "%any", "*.example.org", "C=CH, CN=*", "192.0.2.0/24"."""

from __future__ import annotations

import re

from ikeactors.config.addresses import address_range
from ikeactors.config.mistakes import Refused
from ikeactors.config.values import listed, text
from ikeactors.errors import InvalidSyntax
from ikeactors.iana import IdType
from ikeactors.protocol.name_patterns import NamePattern, RdnMatching, has_wildcard
from ikeactors.protocol.patterns import AddressPattern
from ikeactors.protocol.settings import IdentityPattern
from ikeactors.wire.identities import Identity

ANYBODY = IdentityPattern()

# A distinguished name, and what is forced to be octets.
_HAS_COMMAS_OF_ITS_OWN = re.compile(r"\s*(?:/?[A-Za-z0-9.]+\s*=|asn1dn:|keyid:|@#|\{)")

# An address and the length of a prefix, or two addresses: no name has these characters alone.
_ADDRESSES = re.compile(r"[0-9a-fA-F:.]*[.:][0-9a-fA-F:.]*\s*(/\s*\d+|-\s*[0-9a-fA-F:.]+)")
_ADDRESSES_EXPECTED = "addresses expected: 192.0.2.0/24, 192.0.2.1-192.0.2.9"

_PATTERN_EXPECTED = 'a pattern begins with "*." or "*@": "*.example.org", "*@example.org"'


def identity(value: object) -> IdentityPattern:
    """One identity, or "%any"."""
    given = text(value)
    if given == "%any":
        return ANYBODY
    if "*" in given and _is_name(given):
        raise Refused((value, "one identity expected, without an asterisk"))
    one = _identity(given)
    if one.type is IdType.DER_ASN1_DN and _has_wildcard(one):
        raise Refused((value, "one identity expected, without an asterisk for a value"))
    return IdentityPattern(one)


def own_identity(value: object) -> IdentityPattern:
    """Who we are. Nobody generates a GeneralName (RFC 4945 section 3.1.6)."""
    pattern = identity(value)
    if pattern.identity is not None and pattern.identity.type is IdType.DER_ASN1_GN:
        raise Refused((value, f"peers need not know this type: write {pattern.identity.named}"))
    return pattern


def identity_pattern(value: object) -> IdentityPattern:
    """One identity, a pattern, or "%any"."""
    given = text(value)
    if given == "%any":
        return ANYBODY
    if "*" in given and _is_name(given):
        return _suffix(given)
    if _ADDRESSES.fullmatch(given):
        first, last = address_range(given, _ADDRESSES_EXPECTED)
        return IdentityPattern(among=AddressPattern(first, last))
    one = _identity(given)
    if one.type is IdType.DER_ASN1_DN and _has_wildcard(one):
        return IdentityPattern(among=NamePattern(one.data))
    return IdentityPattern(one)


def matching_by(pattern: IdentityPattern, matching: RdnMatching) -> IdentityPattern:
    """The same; a distinguished name may have its relative names so. Raises Refused."""
    if matching is RdnMatching.STRICT:
        return pattern
    name = pattern.among.name if isinstance(pattern.among, NamePattern) else None
    if pattern.identity is not None and pattern.identity.type is IdType.DER_ASN1_DN:
        name = pattern.identity.data
    if name is None:
        raise Refused((str(pattern), f'rdn_matching = "{matching.value}" is for a name with ='))
    return IdentityPattern(among=NamePattern(name, matching))


def identity_or_none(value: object) -> IdentityPattern | None:
    """The same, or nothing."""
    return identity_pattern(value) if text(value) else None


def identity_patterns(value: object) -> tuple[IdentityPattern, ...]:
    """Several: a list, or one text with commas, unless these are a distinguished name's own."""
    if not isinstance(value, str) or not value.strip():
        return listed(identity_pattern)(value)
    if _HAS_COMMAS_OF_ITS_OWN.match(value):
        return (identity_pattern(value),)
    if "=" in value and "," in value:
        raise Refused(
            (value, 'write a list where a distinguished name is among several: ["A", "B"]')
        )
    return listed(identity_pattern)(value)


def may_be(owner: IdentityPattern, peer: IdentityPattern) -> bool:
    """Whether somebody who is `peer` can be `owner`: what is not known yet can be anything."""
    if peer.identity is not None:
        return owner.quality(peer.identity) > 0
    if owner.identity is not None:
        return peer.quality(owner.identity) > 0
    if owner.among is not None or peer.among is not None:
        return True
    if owner.suffix is None or peer.suffix is None:
        return True
    return owner.quality(peer.suffix) > 0 or peer.quality(owner.suffix) > 0


def _suffix(given: str) -> IdentityPattern:
    kinds = {"*.": IdType.FQDN, "*@": IdType.RFC822_ADDR}
    kind = kinds.get(given[:2])
    if kind is None or len(given) < 3 or "*" in given[1:] or not given.isascii():
        raise Refused((given, _PATTERN_EXPECTED))
    return IdentityPattern(None, Identity(kind, given[1:].encode("ascii")))


def _has_wildcard(identity: Identity) -> bool:
    try:
        return has_wildcard(identity.data)
    except InvalidSyntax:
        return False


def _is_name(given: str) -> bool:
    """Not a distinguished name and not octets: there an asterisk stands for itself."""
    return "=" not in given and "#" not in given and ":" not in given


def _identity(given: str) -> Identity:
    if "," in given and not _HAS_COMMAS_OF_ITS_OWN.match(given):
        raise Refused((given, "one identity expected, without a comma"))
    try:
        return Identity.from_text(given)
    except ValueError as error:
        why = str(error).removeprefix(repr(given)).lstrip(": ")
        raise Refused((given, why)) from None
