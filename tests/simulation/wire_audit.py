"""What holds for every datagram of a host: S5 to S7 of the invariants, seen from the network."""

from __future__ import annotations

from collections import Counter

from ikeactors.iana import ExchangeType, PayloadType
from ikeactors.protocol.events import Address
from ikeactors.protocol.surroundings import NAT_PORT
from ikeactors.wire.header import HEADER_LENGTH, Header, read_header
from tests.simulation.network import Datagram
from tests.simulation.verdict import Record

# As QUIC has it (RFC 9000 section 8).
_AMPLIFICATION = 3
_GENERIC = 4
_FRAGMENT = 4
_IV = 8


class WireAudit:
    """Remembers what each host has sent and got."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._sent: dict[tuple[object, ...], bytes] = {}
        self._ivs: dict[tuple[object, ...], tuple[object, ...]] = {}
        self._requests_in: set[tuple[object, ...]] = set()
        self._responses_in: set[tuple[object, ...]] = set()
        self._heard_octets: Counter[tuple[Address, Address]] = Counter()
        self._answered_octets: Counter[tuple[Address, Address]] = Counter()

    def sent(self, host: Address, datagram: Datagram) -> None:
        """A host has sent this."""
        octets = ike_of(datagram)
        if octets is None:
            return
        header = read_header(octets)
        if header.is_response and (host, *_short(header)) not in self._requests_in:
            self._record.breaks("S7", f"{host} answers what nobody asked: {header}")
        if header.next_payload not in (PayloadType.SK, PayloadType.SKF):
            self._check_amplification(host, datagram.destination.address, header, octets)
            return
        self._check_window(host, header)
        self._check_octets(host, header, octets)

    def arrived(self, host: Address, datagram: Datagram) -> None:
        """A host has got this."""
        octets = ike_of(datagram)
        if octets is None or len(octets) < HEADER_LENGTH:
            return
        self._heard_octets[host, datagram.source.address] += len(octets)
        spi_i, exchange, flags = octets[:8], octets[18], octets[19]
        message_id = int.from_bytes(octets[20:24], "big")
        seen = self._responses_in if flags & 0x20 else self._requests_in
        seen.add((host, spi_i, exchange, message_id))

    def _check_window(self, host: Address, header: Header) -> None:
        """One request at a time: the one before is answered (RFC 7296 section 2.3)."""
        if header.is_response or header.message_id == 0:
            return
        before = header.message_id - 1
        answers = ((host, header.spi_i, int(kind), before) for kind in ExchangeType)
        if not any(one in self._responses_in for one in answers):
            self._record.breaks("S6", f"{host} asks again before it is answered: {header}")

    def _check_amplification(
        self, host: Address, remote: Address, header: Header, octets: bytes
    ) -> None:
        """Who has proven nothing does not have us send much more than it sends itself."""
        if not header.is_response:
            return
        self._answered_octets[host, remote] += len(octets)
        answered, heard = self._answered_octets[host, remote], self._heard_octets[host, remote]
        if answered > _AMPLIFICATION * heard:
            self._record.breaks("S7", f"{host} answers {heard} octets of {remote} by {answered}")

    def _check_octets(self, host: Address, header: Header, octets: bytes) -> None:
        fragment = _fragment_number(header, octets)
        name = (
            host, header.spi_i, header.spi_r, header.message_id, header.is_response, fragment,
        )  # fmt: skip
        before = self._sent.setdefault(name, octets)
        if before != octets:
            self._record.breaks("S6", f"{host} repeats a message with other octets: {header}")
        start = HEADER_LENGTH + _GENERIC + (_FRAGMENT if fragment else 0)
        iv = (host, header.spi_i, header.spi_r, octets[start : start + _IV])
        if self._ivs.setdefault(iv, name) != name:
            self._record.breaks("S5", f"{host} uses an IV twice: {header}")


def ike_of(datagram: Datagram) -> bytes | None:
    """The IKE message of a datagram; None for ESP and keepalives."""
    octets = datagram.content
    if not isinstance(octets, bytes):
        return None
    if NAT_PORT not in (datagram.source.port, datagram.destination.port):
        return octets
    return octets[4:] if octets[:4] == bytes(4) else None


def _short(header: Header) -> tuple[object, ...]:
    return header.spi_i, int(header.exchange), header.message_id


def _fragment_number(header: Header, octets: bytes) -> int:
    """0 for a whole message."""
    if header.next_payload != PayloadType.SKF:
        return 0
    at = HEADER_LENGTH + _GENERIC
    return int.from_bytes(octets[at : at + 2], "big")
