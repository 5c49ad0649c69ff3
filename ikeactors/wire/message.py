"""A message: the header and its payloads, with SK still sealed; and how a trace prints it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from ikeactors.errors import InvalidMajorVersion, InvalidSyntax
from ikeactors.iana import ExchangeType, NotifyType, PayloadType, Registry
from ikeactors.quick import quick
from ikeactors.wire.header import (
    HEADER_LENGTH,
    MAJOR_IKEV2,
    read_header,
    write_header,
)
from ikeactors.wire.payload import (
    Configuration,
    Encrypted,
    EncryptedFragment,
    Notify,
    Payload,
    Unknown,
    payload_type,
    read_payloads,
    write_payloads,
)

P = TypeVar("P", bound=Payload)


@quick
class Message:
    """A message in clear, or the envelope of a sealed one."""

    spi_i: bytes
    spi_r: bytes
    exchange: ExchangeType
    message_id: int
    is_response: bool
    from_original_initiator: bool
    payloads: tuple[Payload, ...]
    major: int = MAJOR_IKEV2
    minor: int = 0

    def __str__(self) -> str:
        return notation(self.exchange, self.is_response, self.payloads, protected=False)


def read_message(octets: bytes) -> Message:
    """The message of a datagram, which must be of IKEv2."""
    header = read_header(octets)
    if header.major != MAJOR_IKEV2:
        raise InvalidMajorVersion(f"major version {header.major}")
    payloads = read_payloads(header.next_payload, octets, HEADER_LENGTH, header.length)
    return Message(
        header.spi_i,
        header.spi_r,
        header.exchange,
        header.message_id,
        header.is_response,
        header.from_original_initiator,
        payloads,
        header.major,
        header.minor,
    )


def write_message(message: Message) -> bytes:
    """The octets of a message."""
    first, chain = write_payloads(message.payloads)
    header = write_header(
        message.spi_i,
        message.spi_r,
        first,
        message.exchange,
        message.message_id,
        HEADER_LENGTH + len(chain),
        is_response=message.is_response,
        from_original_initiator=message.from_original_initiator,
        major=message.major,
        minor=message.minor,
    )
    return header + chain


def find(payloads: Sequence[Payload], kind: type[P]) -> P | None:
    """The first payload of a class, if there is one."""
    for payload in payloads:
        if isinstance(payload, kind):
            return payload
    return None


def find_all(payloads: Sequence[Payload], kind: type[P]) -> tuple[P, ...]:
    """The payloads of a type, in their order."""
    return tuple(payload for payload in payloads if isinstance(payload, kind))


def only(payloads: Sequence[Payload], kind: type[P]) -> P:
    """The payload of a class that must be there."""
    payload = find(payloads, kind)
    if payload is None:
        raise InvalidSyntax(f"no {kind.__name__} payload")
    return payload


def notifies(payloads: Sequence[Payload], kind: NotifyType) -> list[Notify]:
    """All notifies of a type, in their order."""
    return [payload for payload in payloads if isinstance(payload, Notify) and payload.type == kind]


def notation(
    exchange: ExchangeType, is_response: bool, payloads: Sequence[Payload], protected: bool
) -> str:
    """A message as the RFC writes it: `HDR, SK {IDi, AUTH, SAi2, TSi, TSr}` (RFC 7296 section 1.2).

    `protected` says that the payloads were, or will be, inside of SK.
    """
    names = [_name(exchange, is_response, payload) for payload in payloads]
    if protected:
        return f"HDR, SK {{{', '.join(names)}}}"
    return ", ".join(["HDR", *names])


def _name(exchange: ExchangeType, is_response: bool, payload: Payload) -> str:
    described = _DESCRIBED.get(type(payload))
    if described is not None:
        return described(payload)
    kind = payload_type(payload)
    role = "r" if is_response else "i"
    if kind == PayloadType.SA:
        return _SA_NAMES.get(exchange, "SA{role}").format(role=role)
    return _NAMES[kind].format(role=role)


def _registered(value: Registry) -> str:
    return value.name if value.is_assigned else str(int(value))


_SA_NAMES: dict[int, str] = {
    ExchangeType.IKE_SA_INIT: "SA{role}1",
    ExchangeType.IKE_AUTH: "SA{role}2",
    ExchangeType.CREATE_CHILD_SA: "SA",
}

_NAMES: dict[int, str] = {
    PayloadType.KE: "KE{role}",
    PayloadType.IDI: "IDi",
    PayloadType.IDR: "IDr",
    PayloadType.CERT: "CERT",
    PayloadType.CERTREQ: "CERTREQ",
    PayloadType.AUTH: "AUTH",
    PayloadType.NONCE: "N{role}",
    PayloadType.DELETE: "D",
    PayloadType.VENDOR: "V",
    PayloadType.TSI: "TSi",
    PayloadType.TSR: "TSr",
    PayloadType.EAP: "EAP",
    PayloadType.PS: "PS",
}

_DESCRIBED: dict[type[Payload], Callable[[Any], str]] = {
    Notify: lambda notify: f"N({_registered(notify.type)})",
    Configuration: lambda cp: f"CP({_registered(cp.type)})",
    Encrypted: lambda _: "SK {...}",
    EncryptedFragment: lambda skf: f"SKF {{{skf.number} of {skf.total}}}",
    Unknown: lambda unknown: f"?({unknown.type:d})",
}
