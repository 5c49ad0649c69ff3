"""The proposals of a Security Association payload (RFC 7296 section 3.3)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, TypeVar

from ikeactors.errors import InvalidSyntax
from ikeactors.iana import (
    Encr,
    Esn,
    Integ,
    KeyExchangeMethod,
    Prf,
    ProtocolId,
    Registry,
    TransformAttribute,
    TransformType,
    by_octet,
)
from ikeactors.quick import quick

T = TypeVar("T")

_LAST = 0
_MORE_PROPOSALS = 2
_MORE_TRANSFORMS = 3
_ATTRIBUTE_FORMAT_TV = 0x8000
_ATTRIBUTE_TYPE = 0x7FFF

# The format allows 255; what is deployed sends fewer than twenty.
MAX_PROPOSALS = 64
# Peers of one make send the same few SA payloads. 256 of at most 4 KiB are a megabyte.
_CACHED_PAYLOADS = 256
# A payload with an SPI never comes twice, its transforms do; with a key length they have 12 octets.
_CACHED_TRANSFORMS = 256
_CACHED_TRANSFORM_LENGTH = 12
_CACHED_LENGTH = 4096

_PROTOCOLS = by_octet(ProtocolId)

_PROPOSAL = struct.Struct("!BxHBBBB")
_TRANSFORM = struct.Struct("!BxHBxH")
_ATTRIBUTE = struct.Struct("!HH")


@dataclass(frozen=True, slots=True)
class Attribute:
    """A transform attribute: a number in the short form (TV), octets in the long one (TLV)."""

    type: TransformAttribute
    value: int | bytes


class Transform(NamedTuple):
    """An algorithm, `id` being of the registry of its type.

    `key_length` is in bits. A key length that came twice, or in the long form, is left among the
    `attributes`: it survives and, as any attribute there, makes the transform unacceptable.
    A tuple, because choices are remembered by transforms and a tuple is hashed without a call.
    """

    type: TransformType
    id: int
    key_length: int | None = None
    attributes: tuple[Attribute, ...] = ()

    def __str__(self) -> str:
        length = "" if self.key_length is None else f"-{self.key_length}"
        unknown = "".join(f"+ATTRIBUTE_{attribute.type:d}" for attribute in self.attributes)
        return f"{_transform_name(self)}{length}{unknown}"


@quick
class Proposal:
    """A protocol and the transforms to choose from, one of each type."""

    number: int
    protocol: ProtocolId
    spi: bytes
    transforms: tuple[Transform, ...]

    def of_type(self, kind: TransformType) -> tuple[Transform, ...]:
        """The transforms of one type, in the order of preference."""
        return tuple(transform for transform in self.transforms if transform.type == kind)

    def __str__(self) -> str:
        ordered = sorted(self.transforms, key=_printing_place)
        protocol = self.protocol
        name = protocol.name if protocol.is_assigned else f"PROTOCOL_{protocol:d}"
        return f"{name}:{'/'.join(map(str, ordered))}"


def read_proposals(octets: bytes) -> tuple[Proposal, ...]:
    """The proposals in the body of an SA payload: at least one, each well-formed.

    They are numbered from 1. A lone proposal may have any number, being the choice of a responder.
    """
    if len(octets) <= _CACHED_LENGTH:
        return _read_cached(octets)
    return _read_proposals(octets)


def write_proposals(proposals: Sequence[Proposal]) -> bytes:
    """The body of an SA payload."""
    return b"".join(
        _write_proposal(proposal, _MORE_PROPOSALS if left else _LAST)
        for left, proposal in _counted_down(proposals)
    )


def _read_proposals(octets: bytes) -> tuple[Proposal, ...]:
    proposals: list[Proposal] = []
    at, end = 0, len(octets)
    more = _MORE_PROPOSALS
    while more != _LAST:
        if len(proposals) == MAX_PROPOSALS:
            raise InvalidSyntax("too many proposals")
        more, length = _bounds(octets, at, end, _PROPOSAL.size, _MORE_PROPOSALS)
        proposals.append(_read_proposal(octets, at, at + length))
        at += length
    if at != end:
        raise InvalidSyntax("octets behind the last proposal")
    _check_numbers(proposals)
    return tuple(proposals)


_read_cached = lru_cache(maxsize=_CACHED_PAYLOADS)(_read_proposals)


def _bounds(octets: bytes, at: int, end: int, smallest: int, more: int) -> tuple[int, int]:
    """What follows, and how long the substructure at `at` is."""
    if end - at < smallest:
        raise InvalidSyntax("a proposal or transform is missing or cut off")
    flag = octets[at]
    length = octets[at + 2] << 8 | octets[at + 3]
    if flag not in (_LAST, more):
        raise InvalidSyntax("neither last nor more")
    if not smallest <= length <= end - at:
        raise InvalidSyntax("the length of a proposal or transform is wrong")
    return flag, length


def _check_numbers(proposals: list[Proposal]) -> None:
    if len(proposals) == 1 and proposals[0].number >= 1:
        return
    for number, proposal in enumerate(proposals, 1):
        if proposal.number != number:
            raise InvalidSyntax("the proposals are not numbered from 1")


def _read_proposal(octets: bytes, at: int, end: int) -> Proposal:
    _, _, number, protocol, spi_size, count = _PROPOSAL.unpack_from(octets, at)
    if spi_size not in _SPI_SIZES.get(protocol, (spi_size,)):
        raise InvalidSyntax("the SPI size does not fit the protocol")
    spi_at = at + _PROPOSAL.size
    at = spi_at + spi_size
    if at > end or count == 0:
        raise InvalidSyntax("a proposal without transforms")
    transforms = []
    for left in range(count - 1, -1, -1):
        more, length = _bounds(octets, at, end, _TRANSFORM.size, _MORE_TRANSFORMS)
        if (more == _LAST) != (left == 0):
            raise InvalidSyntax("the number of transforms is wrong")
        read = _read_cached_transform if length <= _CACHED_TRANSFORM_LENGTH else _read_transform
        transforms.append(read(octets[at : at + length]))
        at += length
    if at != end:
        raise InvalidSyntax("octets behind the last transform")
    spi = octets[spi_at : spi_at + spi_size]
    return Proposal(number, _PROTOCOLS[protocol], spi, tuple(transforms))


def _read_transform(octets: bytes) -> Transform:
    _, _, kind, number = _TRANSFORM.unpack_from(octets)
    name = _REGISTRIES.get(kind, int)(number)
    if len(octets) == _TRANSFORM.size:
        return Transform(TransformType(kind), name)
    attributes = _read_attributes(octets, _TRANSFORM.size, len(octets))
    key_lengths = [a for a in attributes if a.type == TransformAttribute.KEY_LENGTH]
    if len(key_lengths) != 1 or not isinstance(key_lengths[0].value, int):
        return Transform(TransformType(kind), name, None, attributes)
    others = tuple(a for a in attributes if a.type != TransformAttribute.KEY_LENGTH)
    return Transform(TransformType(kind), name, key_lengths[0].value, others)


_read_cached_transform = lru_cache(maxsize=_CACHED_TRANSFORMS)(_read_transform)


def _read_attributes(octets: bytes, at: int, end: int) -> tuple[Attribute, ...]:
    attributes = []
    while at < end:
        if end - at < _ATTRIBUTE.size:
            raise InvalidSyntax("a transform attribute is cut off")
        kind, number = _ATTRIBUTE.unpack_from(octets, at)
        at += _ATTRIBUTE.size
        value: int | bytes = number
        if not kind & _ATTRIBUTE_FORMAT_TV:
            value = octets[at : at + number]
            at += number
        attributes.append(Attribute(TransformAttribute(kind & _ATTRIBUTE_TYPE), value))
    if at != end:
        raise InvalidSyntax("a transform attribute runs past its transform")
    return tuple(attributes)


def _counted_down(sequence: Sequence[T]) -> Iterator[tuple[int, T]]:
    """Each element, and how many come after it."""
    return zip(range(len(sequence) - 1, -1, -1), sequence, strict=True)


def _write_proposal(proposal: Proposal, more: int) -> bytes:
    spi, transforms = proposal.spi, _write_transforms(proposal.transforms)
    length = _PROPOSAL.size + len(spi) + len(transforms)
    head = _PROPOSAL.pack(
        more, length, proposal.number, proposal.protocol, len(spi), len(proposal.transforms)
    )
    return b"".join((head, spi, transforms))


# What we offer and choose is of our configuration.
@lru_cache(maxsize=_CACHED_PAYLOADS)
def _write_transforms(transforms: tuple[Transform, ...]) -> bytes:
    return b"".join(
        _write_transform(transform, _MORE_TRANSFORMS if left else _LAST)
        for left, transform in _counted_down(transforms)
    )


def _write_transform(transform: Transform, more: int) -> bytes:
    if transform.key_length is None and not transform.attributes:
        return _TRANSFORM.pack(more, _TRANSFORM.size, transform.type, transform.id)
    body = b"".join(map(_write_attribute, transform.attributes))
    if transform.key_length is not None:
        kind = TransformAttribute.KEY_LENGTH | _ATTRIBUTE_FORMAT_TV
        body = _ATTRIBUTE.pack(kind, transform.key_length) + body
    head = _TRANSFORM.pack(more, _TRANSFORM.size + len(body), transform.type, transform.id)
    return head + body


def _write_attribute(attribute: Attribute) -> bytes:
    if isinstance(attribute.value, int):
        return _ATTRIBUTE.pack(attribute.type | _ATTRIBUTE_FORMAT_TV, attribute.value)
    return _ATTRIBUTE.pack(attribute.type, len(attribute.value)) + attribute.value


def _transform_name(transform: Transform) -> str:
    number = transform.id
    if not isinstance(number, Registry) or not number.is_assigned:
        kind = transform.type
        return f"{kind.name if kind.is_assigned else f'TYPE_{kind:d}'}_{number:d}"
    prefixed = transform.type in _PREFIXED or number.name == "NONE"
    return f"{transform.type.name}_{number.name}" if prefixed else number.name


def _printing_place(transform: Transform) -> int:
    return _PRINTING_ORDER.get(transform.type, int(transform.type))


_ADDITIONAL_KEY_EXCHANGES = range(TransformType.ADDKE1, TransformType.ADDKE7 + 1)

_REGISTRIES: dict[int, Callable[[int], int]] = {
    TransformType.ENCR: Encr,
    TransformType.PRF: Prf,
    TransformType.INTEG: Integ,
    TransformType.KE: KeyExchangeMethod,
    TransformType.ESN: Esn,
    **dict.fromkeys(_ADDITIONAL_KEY_EXCHANGES, KeyExchangeMethod),
}

_SPI_SIZES: dict[int, tuple[int, ...]] = {
    ProtocolId.IKE: (0, 8),
    ProtocolId.AH: (4,),
    ProtocolId.ESP: (4,),
}

# Whose names alone would not tell what they are for.
_PREFIXED = frozenset({TransformType.PRF, *map(TransformType, _ADDITIONAL_KEY_EXCHANGES)})

# The order in which operators write them; additional key exchanges and the unknown come after.
_PRINTING_ORDER: dict[int, int] = {
    TransformType.ENCR: 0,
    TransformType.INTEG: 1,
    TransformType.PRF: 2,
    TransformType.KE: 3,
    TransformType.ESN: 99,
}
