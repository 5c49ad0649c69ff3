"""Sealing and opening messages: the SK payload (RFC 7296 section 3.14)."""

from __future__ import annotations

import struct

from ikeactors.crypto.suite import IkeSuite
from ikeactors.errors import IntegrityFailed, InvalidSyntax
from ikeactors.iana import ExchangeType, PayloadType
from ikeactors.quick import quick
from ikeactors.wire.header import HEADER_LENGTH, Header, write_header
from ikeactors.wire.payload import (
    Encrypted,
    EncryptedFragment,
    Payload,
    read_payloads,
    write_payloads,
)

# The specification's: number and total of a fragment, in front of its IV.
FRAGMENT_FRONT = 4

_GENERIC = struct.Struct("!BBH")


@quick
class Opened:
    """What was inside of an SK payload whose integrity is proven, still to be parsed."""

    first: PayloadType
    plaintext: bytes

    def payloads(self) -> tuple[Payload, ...]:
        """Parse the inner payloads; raises a ProtocolFault that is to be answered."""
        payloads = read_payloads(self.first, self.plaintext)
        # A sealed payload is the last of its chain.
        if payloads and isinstance(payloads[-1], (Encrypted, EncryptedFragment)):
            raise InvalidSyntax("an SK payload within an SK payload")
        return payloads

    def body_of(self, kind: PayloadType) -> bytes:
        """The octets of a payload's body as they were received.

        AUTH covers them with their RESERVED octets (RFC 7296 section 2.15). The payload must be
        there and `payloads()` must have succeeded.
        """
        at, current = 0, self.first
        while current != kind:
            following, _, length = _GENERIC.unpack_from(self.plaintext, at)
            at, current = at + length, PayloadType(following)
        _, _, length = _GENERIC.unpack_from(self.plaintext, at)
        return self.plaintext[at + _GENERIC.size : at + length]


@quick
class DirectionKeys:
    """What protects one direction: the suite, SK_e and SK_a."""

    suite: IkeSuite
    sk_e: bytes
    sk_a: bytes

    def __repr__(self) -> str:
        return f"DirectionKeys({self.suite})"


def seal(
    keys: DirectionKeys,
    iv: bytes,
    spi_i: bytes,
    spi_r: bytes,
    exchange: ExchangeType,
    message_id: int,
    payloads: tuple[Payload, ...],
    *,
    is_response: bool,
    from_original_initiator: bool,
    clear: bytes = b"",
) -> bytes:
    """The octets of a protected message: HDR, SK {payloads}."""
    first, content = write_payloads(payloads)
    return seal_content(
        keys,
        iv,
        spi_i,
        spi_r,
        exchange,
        message_id,
        (PayloadType.SK, first, b""),
        content,
        is_response=is_response,
        from_original_initiator=from_original_initiator,
        clear=clear,
    )


def seal_content(
    keys: DirectionKeys,
    iv: bytes,
    spi_i: bytes,
    spi_r: bytes,
    exchange: ExchangeType,
    message_id: int,
    envelope: tuple[PayloadType, PayloadType, bytes],
    content: bytes,
    *,
    is_response: bool,
    from_original_initiator: bool,
    clear: bytes = b"",
) -> bytes:
    """The octets of a message whose one payload is SK or SKF.

    `envelope` is which of the two, the type of the first payload inside, and what stands in front
    of the IV: nothing in SK, the fragment's number and their total in SKF. `clear` is a puzzle's
    solution, a payload of its own before it.
    """
    kind, first, front = envelope
    cipher = keys.suite.cipher
    pad_length = -(len(content) + 1) % cipher.block_octets
    plaintext = content + bytes(pad_length) + bytes((pad_length,))
    length = _GENERIC.size + len(front) + len(iv) + len(plaintext) + cipher.icv_octets
    header = write_header(
        spi_i,
        spi_r,
        PayloadType.PS if clear else kind,
        exchange,
        message_id,
        HEADER_LENGTH + len(clear) + length,
        is_response=is_response,
        from_original_initiator=from_original_initiator,
    )
    if clear:
        header += bytes((kind,)) + clear[1:]
    associated = header + _GENERIC.pack(first, 0, length) + front
    sealed = cipher.keyed(keys.sk_e, keys.sk_a).seal(iv, plaintext, associated)
    return associated + iv + sealed


def room_in_fragment(keys: DirectionKeys, limit: int) -> int:
    """How many octets of content a fragment of at most `limit` octets has room for."""
    cipher = keys.suite.cipher
    around = HEADER_LENGTH + _GENERIC.size + FRAGMENT_FRONT + cipher.iv_octets + cipher.icv_octets
    padded = (limit - around) // cipher.block_octets * cipher.block_octets
    return padded - 1


def open_sealed(keys: DirectionKeys, octets: bytes, header: Header) -> Opened:
    """Check the integrity of a whole protected message and decrypt it."""
    sealed = sealed_payload(octets, header)
    if not isinstance(sealed, Encrypted):
        raise IntegrityFailed("the message is but a fragment")
    return open_payload(keys, octets, header, sealed)


def sealed_payload(octets: bytes, header: Header) -> Encrypted | EncryptedFragment:
    """The payload that protects a message, still sealed.

    Raises a Fault when there is none: such a message is dropped, nobody is told. What comes
    before it is ignored, unless it is critical and unknown.
    """
    outer = read_payloads(header.next_payload, octets, HEADER_LENGTH, header.length)
    sealed = outer[-1] if outer else None
    if not isinstance(sealed, Encrypted | EncryptedFragment):
        raise IntegrityFailed("the message is not protected")
    return sealed


def open_payload(
    keys: DirectionKeys, octets: bytes, header: Header, sealed: Encrypted | EncryptedFragment
) -> Opened:
    """Check the integrity of what `sealed_payload` found and decrypt it.

    Raises a Fault when it is not of the peer.
    """
    cipher = keys.suite.cipher
    if len(sealed.data) < cipher.iv_octets + cipher.icv_octets + 1:
        raise IntegrityFailed("the SK payload is too short")
    associated = octets[: header.length - len(sealed.data)]
    iv, ciphertext = sealed.data[: cipher.iv_octets], sealed.data[cipher.iv_octets :]
    plaintext = cipher.keyed(keys.sk_e, keys.sk_a).open(iv, ciphertext, associated)
    pad_length = plaintext[-1]
    if pad_length + 1 > len(plaintext):
        raise IntegrityFailed("the padding is longer than what it pads")
    return Opened(sealed.next_payload, plaintext[: len(plaintext) - pad_length - 1])
