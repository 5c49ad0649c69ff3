"""The payloads of IKEv2 and the chain they come in (RFC 7296 section 3.2).

A payload that exists is well-formed in itself; whether it belongs in its message is not known here.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ikeactors.errors import InvalidSyntax, UnsupportedCriticalPayload
from ikeactors.iana import (
    AuthMethod,
    CertificateEncoding,
    EapCode,
    KeyExchangeMethod,
    PayloadType,
    by_octet,
)
from ikeactors.quick import quick
from ikeactors.wire.configuration import Configuration as Configuration
from ikeactors.wire.configuration import read_configuration, write_configuration
from ikeactors.wire.deletes import Delete as Delete
from ikeactors.wire.deletes import read_delete, write_delete
from ikeactors.wire.identities import Identity, read_identity, write_identity
from ikeactors.wire.notify import Notify as Notify
from ikeactors.wire.notify import read_notify, write_notify
from ikeactors.wire.proposals import Proposal, read_proposals, write_proposals
from ikeactors.wire.puzzles import PuzzleSolution as PuzzleSolution
from ikeactors.wire.puzzles import read_solution, write_solution
from ikeactors.wire.selectors import Selector, read_selectors, write_selectors

MIN_NONCE = 16
MAX_NONCE = 256

# An IKE_SA_INIT with every extension known has about 30; a chain of empty payloads costs us time.
MAX_PAYLOADS = 64

_CRITICAL = 0x80

_TYPES = by_octet(PayloadType)
_AUTH_METHODS = by_octet(AuthMethod)

# The head of every payload, and by chance that of the body of EAP.
_HEAD = struct.Struct("!BBH")
_U16_AND_RESERVED = struct.Struct("!H2x")
_U8_AND_RESERVED = struct.Struct("!B3x")
_FRAGMENT = struct.Struct("!HH")


@quick
class SecurityAssociation:
    """SA: what is offered, or chosen (RFC 7296 section 3.3)."""

    proposals: tuple[Proposal, ...]


@quick
class KeyExchange:
    """KE: a public value (RFC 7296 section 3.4)."""

    method: KeyExchangeMethod
    data: bytes


@quick
class IdentificationInitiator:
    """IDi (RFC 7296 section 3.5)."""

    identity: Identity


@quick
class IdentificationResponder:
    """IDr (RFC 7296 section 3.5)."""

    identity: Identity


@quick
class Certificate:
    """CERT (RFC 7296 section 3.6)."""

    encoding: CertificateEncoding
    data: bytes


@quick
class CertificateRequest:
    """CERTREQ: the authorities whose certificates are welcome (RFC 7296 section 3.7)."""

    encoding: CertificateEncoding
    data: bytes


@quick
class Authentication:
    """AUTH (RFC 7296 section 3.8)."""

    method: AuthMethod
    data: bytes


@quick
class Nonce:
    """Ni or Nr (RFC 7296 section 3.9)."""

    data: bytes


@quick
class VendorId:
    """V (RFC 7296 section 3.12)."""

    data: bytes


@quick
class TrafficSelectorsInitiator:
    """TSi (RFC 7296 section 3.13)."""

    selectors: tuple[Selector, ...]


@quick
class TrafficSelectorsResponder:
    """TSr (RFC 7296 section 3.13)."""

    selectors: tuple[Selector, ...]


@dataclass(frozen=True, slots=True)
class Eap:
    """EAP: one EAP message, `data` being all behind its length (RFC 7296 section 3.16)."""

    code: EapCode
    identifier: int
    data: bytes = b""


@quick
class Encrypted:
    """SK, still sealed; `next_payload` is the first payload inside (RFC 7296 section 3.14)."""

    next_payload: PayloadType
    data: bytes


@dataclass(frozen=True, slots=True)
class EncryptedFragment:
    """SKF, still sealed: fragment `number` of `total` (RFC 7383 section 2.5)."""

    next_payload: PayloadType
    number: int
    total: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Unknown:
    """A payload of a type that is not ours."""

    type: PayloadType
    critical: bool
    data: bytes


Payload = (
    SecurityAssociation
    | KeyExchange
    | IdentificationInitiator
    | IdentificationResponder
    | Certificate
    | CertificateRequest
    | Authentication
    | Nonce
    | Notify
    | Delete
    | VendorId
    | TrafficSelectorsInitiator
    | TrafficSelectorsResponder
    | Configuration
    | Eap
    | PuzzleSolution
    | Encrypted
    | EncryptedFragment
    | Unknown
)


def payload_type(payload: Payload) -> PayloadType:
    """The number a payload has on the wire."""
    return payload.type if isinstance(payload, Unknown) else PAYLOAD_TYPES[type(payload)]


def read_payloads(
    first: PayloadType, octets: bytes, start: int = 0, end: int | None = None
) -> tuple[Payload, ...]:
    """The chain of payloads that fills the octets from `start` to `end` exactly."""
    at, end = start, len(octets) if end is None else end
    payloads: list[Payload] = []
    seen: set[int] = set()
    kind: int = first
    while kind:
        if len(payloads) == MAX_PAYLOADS:
            raise InvalidSyntax("too many payloads")
        if end - at < _HEAD.size:
            raise InvalidSyntax("a payload is missing or cut off")
        following, flags, length = _HEAD.unpack_from(octets, at)
        if not _HEAD.size <= length <= end - at:
            raise InvalidSyntax("a payload's length is wrong")
        body = octets[at + _HEAD.size : at + length]
        at += length
        read = _READERS.get(kind)
        if read is not None:
            payloads.append(read(body))
            if kind not in MAY_REPEAT:
                _add_once(seen, kind)
        elif kind in _SEALED:
            payloads.append(_SEALED[kind](_TYPES[following], body))
            break
        else:
            payloads.append(_read_unknown(kind, flags, body))
        kind = following
    if at != end:
        raise InvalidSyntax("octets behind the last payload")
    return tuple(payloads)


def write_payloads(payloads: Sequence[Payload]) -> tuple[PayloadType, bytes]:
    """The type of the first payload, and the chain."""
    parts: list[bytes] = []
    following = PayloadType.NONE
    for payload in reversed(payloads):
        flags, kind = 0, PAYLOAD_TYPES.get(type(payload))
        if isinstance(payload, Unknown):
            flags, kind = _CRITICAL if payload.critical else 0, payload.type
        elif kind in _SEALED:
            assert not parts, "a sealed payload is the last"
            following = _first_inside(payload)
        assert kind is not None
        body = _WRITERS[type(payload)](payload)
        parts += (body, _HEAD.pack(following, flags, _HEAD.size + len(body)))
        following = kind
    parts.reverse()
    return following, b"".join(parts)


def _add_once(seen: set[int], kind: int) -> None:
    if kind in seen:
        raise InvalidSyntax(f"more than one {_TYPES[kind].name} payload")
    seen.add(kind)


def _first_inside(payload: Payload) -> PayloadType:
    assert isinstance(payload, Encrypted | EncryptedFragment)
    return payload.next_payload


def _read_unknown(kind: int, flags: int, body: bytes) -> Unknown:
    if flags & _CRITICAL:
        raise UnsupportedCriticalPayload(f"payload {kind} is critical", bytes((kind,)))
    return Unknown(PayloadType(kind), False, body)


def _at_least(body: bytes, length: int) -> bytes:
    if len(body) < length:
        raise InvalidSyntax("a payload is too short for its type")
    return body


def _read_key_exchange(body: bytes) -> KeyExchange:
    number = _U16_AND_RESERVED.unpack_from(_at_least(body, 4))[0]
    return KeyExchange(KeyExchangeMethod(number), body[4:])


def _read_nonce(body: bytes) -> Nonce:
    if not MIN_NONCE <= len(body) <= MAX_NONCE:
        raise InvalidSyntax("a nonce has 16 to 256 octets")
    return Nonce(body)


def _read_eap(body: bytes) -> Eap:
    code, identifier, length = _HEAD.unpack_from(_at_least(body, 4))
    if length != len(body) or (length != 4 and code in (EapCode.SUCCESS, EapCode.FAILURE)):
        raise InvalidSyntax("the length of an EAP message is wrong")
    return Eap(EapCode(code), identifier, body[4:])


def _read_fragment(following: PayloadType, body: bytes) -> EncryptedFragment:
    number, total = _FRAGMENT.unpack_from(_at_least(body, 4))
    if not 1 <= number <= total:
        raise InvalidSyntax("a fragment's number is not within its total")
    if following and number != 1:
        raise InvalidSyntax("only the first fragment names a payload")
    return EncryptedFragment(following, number, total, body[4:])


PAYLOAD_TYPES: dict[type[Payload], PayloadType] = {
    SecurityAssociation: PayloadType.SA,
    KeyExchange: PayloadType.KE,
    IdentificationInitiator: PayloadType.IDI,
    IdentificationResponder: PayloadType.IDR,
    Certificate: PayloadType.CERT,
    CertificateRequest: PayloadType.CERTREQ,
    Authentication: PayloadType.AUTH,
    Nonce: PayloadType.NONCE,
    Notify: PayloadType.NOTIFY,
    Delete: PayloadType.DELETE,
    VendorId: PayloadType.VENDOR,
    TrafficSelectorsInitiator: PayloadType.TSI,
    TrafficSelectorsResponder: PayloadType.TSR,
    Configuration: PayloadType.CP,
    Eap: PayloadType.EAP,
    PuzzleSolution: PayloadType.PS,
    Encrypted: PayloadType.SK,
    EncryptedFragment: PayloadType.SKF,
}

# Any other payload that we know is there once or not at all.
MAY_REPEAT: frozenset[int] = frozenset(
    {
        PayloadType.CERT,
        PayloadType.CERTREQ,
        PayloadType.NOTIFY,
        PayloadType.DELETE,
        PayloadType.VENDOR,
        PayloadType.CP,
        PayloadType.EAP,
    }
)

_SEALED: dict[int, Callable[[PayloadType, bytes], Payload]] = {
    PayloadType.SK: Encrypted,
    PayloadType.SKF: _read_fragment,
}

_READERS: dict[int, Callable[[bytes], Payload]] = {
    PayloadType.SA: lambda body: SecurityAssociation(read_proposals(body)),
    PayloadType.KE: _read_key_exchange,
    PayloadType.IDI: lambda body: IdentificationInitiator(read_identity(body)),
    PayloadType.IDR: lambda body: IdentificationResponder(read_identity(body)),
    PayloadType.CERT: lambda body: Certificate(
        CertificateEncoding(_at_least(body, 1)[0]), body[1:]
    ),
    PayloadType.CERTREQ: lambda body: CertificateRequest(
        CertificateEncoding(_at_least(body, 1)[0]), body[1:]
    ),
    PayloadType.AUTH: lambda body: Authentication(_AUTH_METHODS[_at_least(body, 4)[0]], body[4:]),
    PayloadType.NONCE: _read_nonce,
    PayloadType.NOTIFY: read_notify,
    PayloadType.DELETE: read_delete,
    PayloadType.VENDOR: VendorId,
    PayloadType.TSI: lambda body: TrafficSelectorsInitiator(read_selectors(body)),
    PayloadType.TSR: lambda body: TrafficSelectorsResponder(read_selectors(body)),
    PayloadType.CP: read_configuration,
    PayloadType.EAP: _read_eap,
    PayloadType.PS: read_solution,
}

_WRITERS: dict[type[Payload], Callable[[Any], bytes]] = {
    SecurityAssociation: lambda sa: write_proposals(sa.proposals),
    KeyExchange: lambda ke: _U16_AND_RESERVED.pack(ke.method) + ke.data,
    IdentificationInitiator: lambda idi: write_identity(idi.identity),
    IdentificationResponder: lambda idr: write_identity(idr.identity),
    Certificate: lambda cert: bytes((cert.encoding,)) + cert.data,
    CertificateRequest: lambda certreq: bytes((certreq.encoding,)) + certreq.data,
    Authentication: lambda auth: _U8_AND_RESERVED.pack(auth.method) + auth.data,
    Nonce: lambda nonce: nonce.data,
    Notify: write_notify,
    Delete: write_delete,
    VendorId: lambda vendor: vendor.data,
    TrafficSelectorsInitiator: lambda tsi: write_selectors(tsi.selectors),
    TrafficSelectorsResponder: lambda tsr: write_selectors(tsr.selectors),
    Configuration: write_configuration,
    Eap: lambda eap: _HEAD.pack(eap.code, eap.identifier, 4 + len(eap.data)) + eap.data,
    PuzzleSolution: write_solution,
    Encrypted: lambda sk: sk.data,
    EncryptedFragment: lambda skf: _FRAGMENT.pack(skf.number, skf.total) + skf.data,
    Unknown: lambda unknown: unknown.data,
}
