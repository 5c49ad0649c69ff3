"""Targets in the codec: octets are read or a declared fault, print as short lines, and last."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from ikeactors.errors import Fault
from ikeactors.iana import ExchangeType, PayloadType
from ikeactors.wire.configuration import read_configuration, write_configuration
from ikeactors.wire.header import HEADER_LENGTH, read_header
from ikeactors.wire.identities import Identity, read_identity, write_identity
from ikeactors.wire.message import notation, read_message, write_message
from ikeactors.wire.names import name_from_text, name_to_text, read_name
from ikeactors.wire.notify import read_data, read_notify, write_notify
from ikeactors.wire.payload import Payload, Unknown, read_payloads, write_payloads
from ikeactors.wire.proposals import read_proposals, write_proposals
from ikeactors.wire.selectors import read_selectors, write_selectors
from tests.fuzz.target import Target
from tests.fuzz.traffic import bodies, clear_messages

# A generous multiple of what the longest element is cut to when it is printed.
LONGEST_LINE = 20_000


def message(octets: bytes) -> None:
    with suppress(Fault):
        read_header(octets)
    with suppress(Fault):
        read = read_message(octets)
        printed(str(read))
        assert read_message(write_message(read)) == read


def payloads(octets: bytes) -> None:
    """The first octet is the type of the first payload."""
    if not octets:
        return
    with suppress(Fault):
        read = read_payloads(PayloadType(octets[0]), octets, 1)
        printed(notation(ExchangeType.IKE_AUTH, False, read, protected=True))
        assert read_payloads(*write_payloads(read)) == read


def payload(octets: bytes) -> None:
    """The first octet is the type of a payload, the rest its body."""
    if not octets:
        return
    kind, body = PayloadType(octets[0]), octets[1:]
    with suppress(Fault):
        length = (4 + len(body)).to_bytes(2, "big")
        read = read_payloads(kind, b"\0\0" + length + body)
        _print_parts(read)
        assert read_payloads(*write_payloads(read)) == read


def _print_parts(read: tuple[Payload, ...]) -> None:
    for one in read:
        if not isinstance(one, Unknown):
            for name in ("proposals", "selectors"):
                for part in getattr(one, name, ()):
                    printed(str(part))
        identity = getattr(one, "identity", None)
        if identity is not None:
            printed(str(identity))


def proposals(octets: bytes) -> None:
    with suppress(Fault):
        read = read_proposals(octets)
        for one in read:
            printed(str(one))
        assert read_proposals(write_proposals(read)) == read


def selectors(octets: bytes) -> None:
    with suppress(Fault):
        read = read_selectors(octets)
        for one in read:
            printed(str(one))
        assert read_selectors(write_selectors(read)) == read


def identity(octets: bytes) -> None:
    with suppress(Fault):
        read = read_identity(octets)
        text = str(read)
        printed(text)
        assert text.isprintable()
        assert read_identity(write_identity(read)) == read


def identity_text(octets: bytes) -> None:
    with suppress(Fault, ValueError):
        read = Identity.from_text(octets.decode())
        assert read_identity(write_identity(read)) == read


def name(octets: bytes) -> None:
    with suppress(Fault):
        read_name(octets)
        printed(name_to_text(octets))
    with suppress(Fault, ValueError):
        read_name(name_from_text(octets.decode()))


def configuration(octets: bytes) -> None:
    with suppress(Fault):
        read = read_configuration(octets)
        assert read_configuration(write_configuration(read)) == read


def notify(octets: bytes) -> None:
    with suppress(Fault):
        read = read_notify(octets)
        assert read_notify(write_notify(read)) == read
        read_data(read)


def printed(text: str) -> None:
    """What is written to a log is one line."""
    assert len(text) <= LONGEST_LINE
    assert "\n" not in text
    assert "\x1b" not in text


def _of(*kinds: PayloadType) -> Callable[[], list[bytes]]:
    return lambda: [body for kind, body in bodies() if kind in kinds]


_NAMES = [b"CN=west, O=Example \\2C Inc., C=NL", b"DC=example+CN=\\#a, 1.2.3.4=#0401ff"]
_IDENTITIES = [b"west.example", b"192.0.2.1", b"fd00::1", b"user@east.example", b"@#0102", *_NAMES]
_IDENTIFICATION = (PayloadType.IDI, PayloadType.IDR)

WIRE: dict[str, Target] = {
    "message": Target(message, clear_messages, 20_000),
    "payloads": Target(
        payloads, lambda: [one[16:17] + one[HEADER_LENGTH:] for one in clear_messages()], 20_000
    ),
    "payload": Target(payload, lambda: [bytes((kind,)) + body for kind, body in bodies()], 20_000),
    "proposals": Target(proposals, _of(PayloadType.SA), 10_000),
    "selectors": Target(selectors, _of(PayloadType.TSI, PayloadType.TSR), 20_000),
    "identity": Target(identity, _of(*_IDENTIFICATION), 20_000),
    "identity-text": Target(identity_text, lambda: _IDENTITIES, 20_000),
    "name": Target(name, lambda: [*_NAMES, *map(bytes, map(_der, _NAMES))], 10_000),
    "configuration": Target(configuration, _of(PayloadType.CP), 30_000),
    "notify": Target(notify, _of(PayloadType.NOTIFY), 30_000),
}


def _der(text: bytes) -> bytes:
    return name_from_text(text.decode())
