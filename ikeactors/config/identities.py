"""Identities and patterns of them: "a.lab", "%any", "*.example.org", "*@example.org"."""

from __future__ import annotations

import re

from ikeactors.config.mistakes import Refused
from ikeactors.config.values import listed, text
from ikeactors.iana import IdType
from ikeactors.protocol.settings import IdentityPattern
from ikeactors.wire.identities import Identity

ANYBODY = IdentityPattern()

# A distinguished name, and what is forced to be octets.
_HAS_COMMAS_OF_ITS_OWN = re.compile(r"\s*(?:/?[A-Za-z0-9.]+\s*=|asn1dn:|keyid:|@#|\{)")

_PATTERN_EXPECTED = 'a pattern begins with "*." or "*@": "*.example.org", "*@example.org"'


def identity(value: object) -> IdentityPattern:
    """One identity, or "%any"."""
    given = text(value)
    if given == "%any":
        return ANYBODY
    if "*" in given and _is_name(given):
        raise Refused((value, "one identity expected, without an asterisk"))
    return IdentityPattern(_identity(given))


def identity_pattern(value: object) -> IdentityPattern:
    """One identity, a pattern, or "%any"."""
    given = text(value)
    if given == "%any":
        return ANYBODY
    if "*" in given and _is_name(given):
        return _suffix(given)
    return IdentityPattern(_identity(given))


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
    if owner.suffix is None or peer.suffix is None:
        return True
    return owner.quality(peer.suffix) > 0 or peer.quality(owner.suffix) > 0


def _suffix(given: str) -> IdentityPattern:
    kinds = {"*.": IdType.FQDN, "*@": IdType.RFC822_ADDR}
    kind = kinds.get(given[:2])
    if kind is None or len(given) < 3 or "*" in given[1:] or not given.isascii():
        raise Refused((given, _PATTERN_EXPECTED))
    return IdentityPattern(None, Identity(kind, given[1:].encode("ascii")))


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
