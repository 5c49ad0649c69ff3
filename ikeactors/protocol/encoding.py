"""Objects of the core as octets (msgpack) and back, for what outlives a process.

A tuple, an enum's member, an address and a dataclass each become a list whose first element says
what it is: 0, or the name of the class. The fields of a dataclass follow in their order; one that
is added goes to the end and has a default, so that what an older version wrote is still read.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from operator import attrgetter
from types import ModuleType
from typing import Any

import msgpack

from ikeactors import iana
from ikeactors.crypto import keys, signature_constraints, suite
from ikeactors.crypto.pki import revocation
from ikeactors.crypto.pki.address_blocks import AddressBlocks
from ikeactors.crypto.pki.bindings import AddressBinding
from ikeactors.crypto.pki.policies import PolicyDemand
from ikeactors.crypto.pki.profile import ExtendedKeyUsage
from ikeactors.crypto.signature_schemes import KeyKind
from ikeactors.errors import Fault
from ikeactors.kernel import requests
from ikeactors.protocol import (
    actions,
    choices,
    credentials,
    events,
    name_patterns,
    patterns,
    settings,
    snapshot,
)
from ikeactors.protocol.ikev2 import checkpoint
from ikeactors.wire import (
    configuration,
    deletes,
    identities,
    notify,
    payload,
    proposals,
    selectors,
)

_TUPLE = 0
# Nothing that the core makes is nested half as deep: a proposal within a child within a connection
# within the settings.
_DEPTH_LIMIT = 24


class Undecodable(Fault):
    """These octets are no object of this version of the core; the text says what is not."""


def encode(value: object) -> bytes:
    """The octets of an object; equal objects have equal octets."""
    octets: bytes = msgpack.packb(value, default=_listed, strict_types=True)
    return octets


def decode(octets: bytes) -> Any:
    """The object that `encode` was given. Raises `Undecodable`."""
    try:
        plain = msgpack.unpackb(octets, strict_map_key=False)
    # A map whose key is a list is a TypeError.
    except (ValueError, TypeError, msgpack.UnpackException) as fault:
        raise Undecodable(f"no msgpack: {fault}") from None
    return _built(plain, 0)


def _listed(value: Any) -> list[Any]:
    """What msgpack does not know by itself."""
    kind = type(value)
    if kind is tuple:
        return [_TUPLE, *value]
    if isinstance(value, enum.Enum):
        return [kind.__name__, value.value]
    row = _ROWS.get(kind)
    assert row is not None, f"{kind.__name__} is not in the vocabulary"
    return [kind.__name__, *row(value)]


def _built(plain: Any, depth: int) -> Any:
    if depth > _DEPTH_LIMIT:
        raise Undecodable("nested too deeply")
    if isinstance(plain, dict):
        return {key: _built(value, depth + 1) for key, value in plain.items()}
    if not isinstance(plain, list):
        return plain
    if not plain:
        raise Undecodable("a list that does not say what it is")
    tag, *parts = plain
    values = tuple(_built(part, depth + 1) for part in parts)
    if tag == _TUPLE:
        return values
    make = _VOCABULARY.get(tag) if isinstance(tag, str) else None
    if make is None:
        raise Undecodable(f"a {str(tag)[:40]!r} is not known")
    try:
        return make(*values)
    except (TypeError, ValueError, Fault) as fault:
        raise Undecodable(f"no {tag}: {fault}") from None


def _classes(*modules: ModuleType) -> dict[str, type]:
    """The data of some modules by their names, which must be different ones."""
    found: dict[str, type] = {}
    for module in modules:
        for name, member in vars(module).items():
            if not isinstance(member, type) or member.__module__ != module.__name__:
                continue
            if dataclasses.is_dataclass(member) or issubclass(member, enum.Enum | tuple):
                assert name not in found, f"two classes are called {name}"
                found[name] = member
    return found


def _row_of(kind: Any) -> Callable[[Any], tuple[Any, ...]]:
    if issubclass(kind, tuple):
        return tuple
    names = [one.name for one in dataclasses.fields(kind) if one.init]
    if not names:
        return lambda value: ()
    if len(names) == 1:
        only = attrgetter(names[0])
        return lambda value: (only(value),)
    return attrgetter(*names)


def _address_row(address: IPv4Address | IPv6Address) -> tuple[bytes]:
    return (address.packed,)


_DATA = _classes(
    iana,
    keys,
    signature_constraints,
    suite,
    revocation,
    requests,
    events,
    actions,
    choices,
    settings,
    patterns,
    name_patterns,
    credentials,
    snapshot,
    checkpoint,
    configuration,
    deletes,
    identities,
    notify,
    payload,
    proposals,
    selectors,
) | {
    one.__name__: one
    for one in (AddressBinding, AddressBlocks, KeyKind, ExtendedKeyUsage, PolicyDemand)
}
_VOCABULARY: dict[str, Callable[..., Any]] = {
    "IPv4Address": IPv4Address,
    "IPv6Address": IPv6Address,
    **_DATA,
}
_ROWS: dict[type, Callable[[Any], tuple[Any, ...]]] = {
    IPv4Address: _address_row,
    IPv6Address: _address_row,
    **{kind: _row_of(kind) for kind in _DATA.values() if not issubclass(kind, enum.Enum)},
}
