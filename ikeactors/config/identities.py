"""Identities and patterns of them: "a.lab", "%any", "*.example.org", "*@example.org"."""

from __future__ import annotations

from ikeactors.config.mistakes import Refused
from ikeactors.config.values import text
from ikeactors.iana import IdType
from ikeactors.protocol.settings import IdentityPattern
from ikeactors.wire.identities import Identity

ANYBODY = IdentityPattern()

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
    try:
        return Identity.from_text(given)
    except ValueError as error:
        why = str(error).removeprefix(repr(given)).lstrip(": ")
        raise Refused((given, why)) from None
