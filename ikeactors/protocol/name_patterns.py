"""Distinguished names that stand for several: "C=CH, O=Example, CN=*", in any order if so asked."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from functools import lru_cache

from ikeactors.errors import InvalidSyntax
from ikeactors.iana import IdType
from ikeactors.wire.identities import Identity
from ikeactors.wire.names import ComparableName, comparable_name

# Ours: a name of more relative names than that fits no pattern, for each is held against each.
_MAX_RELATIVE_NAMES = 64

# Ours: parsed names that are kept; a peer's is held against each connection.
_PARSED = 256

_ANYTHING = "*"

_Relative = tuple[tuple[bytes, object], ...]


class RdnMatching(enum.Enum):
    """How the relative names of a peer fit the configured ones: in their number and order, in any
    order, or in any order with others beside them."""

    STRICT = "strict"
    REORDERED = "reordered"
    RELAXED = "relaxed"


@dataclass(frozen=True, slots=True)
class NamePattern:
    """A name in which an asterisk alone stands for any value (RFC 4945 section 3.1.5)."""

    name: bytes
    matching: RdnMatching = RdnMatching.STRICT

    def matches(self, identity: Identity) -> bool:
        """Whether this name is one of those."""
        if identity.type is not IdType.DER_ASN1_DN:
            return False
        wanted, given = _relatives(self.name), _relatives(identity.data)
        if not wanted or not given:
            return False
        if self.matching is not RdnMatching.RELAXED and len(wanted) != len(given):
            return False
        if self.matching is RdnMatching.STRICT:
            return all(_fits(one, other) for one, other in zip(given, wanted, strict=True))
        return _are_among(wanted, given)

    def __str__(self) -> str:
        text = str(Identity(IdType.DER_ASN1_DN, self.name))
        return text if self.matching is RdnMatching.STRICT else f"{text} ({self.matching.value})"


def has_wildcard(name: bytes) -> bool:
    """Whether one of the values is an asterisk alone. Raises InvalidSyntax."""
    return any(one[2] == _ANYTHING for relative in comparable_name(name) for one in relative)


def _are_among(wanted: tuple[_Relative, ...], given: tuple[_Relative, ...]) -> bool:
    """Whether there is another one for each; those without an asterisk choose first."""
    left = list(given)
    for one in sorted(wanted, key=_wildcards):
        found = next((other for other in left if _fits(other, one)), None)
        if found is None:
            return False
        left.remove(found)
    return True


def _wildcards(relative: _Relative) -> int:
    return sum(value == _ANYTHING for _, value in relative)


def _fits(given: _Relative, wanted: _Relative) -> bool:
    if len(given) != len(wanted):
        return False
    pairs = zip(given, wanted, strict=True)
    return all(kind == key and value in (_ANYTHING, found) for (kind, found), (key, value) in pairs)


@lru_cache(_PARSED)
def _relatives(name: bytes) -> tuple[_Relative, ...]:
    """By the kinds of their attributes; nothing for what is no name."""
    try:
        names: ComparableName = comparable_name(name)
    except InvalidSyntax:
        return ()
    if len(names) > _MAX_RELATIVE_NAMES:
        return ()
    return tuple(
        tuple(sorted(((oid, value) for oid, _, value in relative), key=_kind)) for relative in names
    )


def _kind(attribute: tuple[bytes, object]) -> bytes:
    return attribute[0]
