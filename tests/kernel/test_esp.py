"""ESP packets: sealed and opened again, published ones, hostile ones, counters and limits."""

from __future__ import annotations

import csv
import gzip
import struct
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikeactors.crypto.suite import ChildSuite
from ikeactors.errors import Fault, IntegrityFailed, InvalidSyntax
from ikeactors.iana import Encr, Integ, KeyExchangeMethod, ProtocolId
from ikeactors.kernel.esp import (
    Expiry,
    InboundSa,
    OutboundSa,
    SaOver,
    SequenceExhausted,
    Usage,
)
from ikeactors.kernel.replay import Replayed
from ikeactors.kernel.requests import Direction, KernelRefusal, Lifetime, Mode, SaRequest
from tests.fakes.sas import CBC, GCM, SUITES, packet, sa
from tests.vectors.pcap import VECTORS

CAPTURE = VECTORS / "wireshark" / "esp-bug-12671.pcapng.gz"
KEYS = VECTORS / "wireshark" / "esp_sa.tmpl"


def fixed(count: int) -> bytes:
    """Octets where random ones belong."""
    return bytes(range(count))


def pair(request: SaRequest) -> tuple[OutboundSa, InboundSa]:
    """Both ends of an SA."""
    inbound = InboundSa(replace(request, direction=Direction.IN))
    return OutboundSa(request, fixed), inbound


@pytest.mark.parametrize("suite", SUITES, ids=str)
@pytest.mark.parametrize("inner", [packet(), packet("fd01::1", "fd02::1", length=33)])
def test_what_is_sealed_opens(suite: ChildSuite, inner: bytes) -> None:
    outbound, inbound = pair(sa(suite=suite))
    next_header = 4 if inner[0] >> 4 == 4 else 41
    for _ in range(3):
        assert inbound.open(outbound.seal(inner)) == (next_header, inner)


@pytest.mark.parametrize("suite", SUITES, ids=str)
def test_a_flipped_bit_anywhere_is_noticed_and_does_not_move_the_window(suite: ChildSuite) -> None:
    outbound, inbound = pair(sa(suite=suite))
    sealed = outbound.seal(packet())
    for at in range(4, len(sealed)):
        changed = sealed[:at] + bytes((sealed[at] ^ 0x01,)) + sealed[at + 1 :]
        with pytest.raises((IntegrityFailed, Replayed)):
            inbound.open(changed)
    assert inbound.open(sealed)[1] == packet()


@given(st.binary(max_size=120), st.sampled_from(SUITES))
def test_octets_of_anybody_raise_nothing_but_faults(octets: bytes, suite: ChildSuite) -> None:
    with pytest.raises(Fault):
        InboundSa(replace(sa(suite=suite), direction=Direction.IN)).open(octets)


def test_a_packet_opens_once() -> None:
    outbound, inbound = pair(sa())
    sealed = outbound.seal(packet())
    inbound.open(sealed)
    with pytest.raises(Replayed):
        inbound.open(sealed)


def test_the_layout_is_that_of_the_rfc() -> None:
    """(RFC 4303 section 2)"""
    sealed = OutboundSa(sa(0xABCD, suite=GCM), fixed).seal(packet())
    assert sealed[:4] == bytes.fromhex("0000abcd")
    assert sealed[4:8] == bytes.fromhex("00000001")
    assert sealed[8:16] == bytes.fromhex("0000000000000001")
    assert (len(sealed) - 16 - 16) % 4 == 0


def test_cbc_takes_its_iv_from_entropy() -> None:
    sealed = OutboundSa(sa(suite=CBC), fixed).seal(packet())
    assert sealed[8:24] == fixed(16)


def test_sequence_numbers_go_on_beyond_the_low_half_with_esn() -> None:
    suite = replace(GCM, esn=True)
    outbound, inbound = pair(sa(suite=suite))
    outbound.sequence = 0xFFFFFFFE
    inbound._window.accept(0xFFFFFFFE)
    assert [inbound.open(outbound.seal(packet()))[1] for _ in range(3)] == [packet()] * 3
    assert inbound.highest == 0x1_0000_0001


def test_sequence_numbers_end_without_esn() -> None:
    """(RFC 4303 section 3.3.3)"""
    outbound, _ = pair(sa())
    outbound.sequence = 0xFFFFFFFE
    outbound.seal(packet())
    with pytest.raises(SequenceExhausted):
        outbound.seal(packet())


def sealed_plaintext(plaintext: bytes) -> bytes:
    """A packet with any inside, as a peer that is broken would seal it."""
    keyed = GCM.cipher.keyed(sa().encr_key, b"")
    header, iv = bytes.fromhex("0000100000000001"), bytes(8)
    return header + iv + keyed.seal(iv, plaintext, header)


@pytest.mark.parametrize(
    "plaintext",
    [
        packet() + b"\x02\x01\x02\x04",
        packet() + b"\x01\x02\x03\xff\x04",
        packet() + b"\x00\x29",
        packet()[:-1] + b"\x00\x04",
        b"\x45\x00\x00\x04" + b"\x00\x04",
        b"\x00\x04",
    ],
    ids=["padding", "beyond", "version", "short", "length", "empty"],
)
def test_a_malformed_inside_is_refused_and_counted_as_seen(plaintext: bytes) -> None:
    inbound = InboundSa(replace(sa(), direction=Direction.IN))
    sealed = sealed_plaintext(plaintext)
    with pytest.raises(InvalidSyntax):
        inbound.open(sealed)
    with pytest.raises(Replayed):
        inbound.open(sealed)


def test_a_dummy_packet_and_tfc_padding_are_recognised() -> None:
    """(RFC 4303 sections 2.6 and 2.7)"""
    inbound = InboundSa(replace(sa(), direction=Direction.IN))
    assert inbound.open(sealed_plaintext(b"noise!\x00\x3b")) == (59, b"")
    inbound = InboundSa(replace(sa(), direction=Direction.IN))
    assert inbound.open(sealed_plaintext(packet() + bytes(100) + b"\x00\x04")) == (4, packet())


def test_limits_are_told_once_each_and_the_hard_one_ends_the_sa() -> None:
    lifetime = Lifetime(soft_packets=2, hard_packets=4)
    outbound, _ = pair(replace(sa(), lifetime=lifetime))
    crossed = []
    for _ in range(4):
        outbound.seal(packet())
        crossed.append(outbound.usage.take_crossed())
    assert crossed == [None, Expiry.SOFT, None, Expiry.HARD]
    with pytest.raises(SaOver):
        outbound.seal(packet())


def test_octets_are_those_of_the_inner_packets() -> None:
    usage = Usage(Lifetime(soft_bytes=100, hard_bytes=150))
    usage.count(99)
    assert usage.take_crossed() is None
    usage.count(1)
    assert usage.take_crossed() is Expiry.SOFT
    usage.count(50)
    assert usage.take_crossed() is Expiry.HARD
    assert (usage.octets, usage.packets, usage.is_over) == (150, 3, True)


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (replace(sa(), mode=Mode.TRANSPORT), "transport mode"),
        (replace(sa(), protocol=ProtocolId.AH), "no AH"),
        (replace(sa(), replay_window=4097), "replay window"),
    ],
)
def test_what_is_not_here_is_refused(request_: SaRequest, text: str) -> None:
    with pytest.raises(KernelRefusal, match=text):
        OutboundSa(request_, fixed)


@pytest.mark.skipif(not CAPTURE.exists(), reason="the captures in shared/vectors are absent")
def test_every_esp_packet_of_a_capture_opens_and_seals_to_the_same_octets() -> None:
    opened = 0
    states = {spi: InboundSa(request) for spi, request in captured_sas().items()}
    for octets in captured_esp(CAPTURE):
        request = captured_sas()[octets[:4]]
        next_header, inner = states[octets[:4]].open(octets)
        assert (next_header, inner[0] >> 4) == (4, 4)
        again = OutboundSa(request, lambda count, at=octets: at[8 : 8 + count])
        again.sequence = int.from_bytes(octets[4:8], "big") - 1
        assert again.seal(inner) == octets
        opened += 1
    assert opened


def captured_sas() -> dict[bytes, SaRequest]:
    """The SAs of the capture, by SPI."""
    sas = {}
    with KEYS.open() as file:
        for _, source, destination, spi, _, encr, _, integ in csv.reader(file):
            suite = ChildSuite(
                ProtocolId.ESP, Encr.AES_CBC, 128, Integ.HMAC_SHA1_96,
                KeyExchangeMethod.NONE, esn=False,
            )  # fmt: skip
            sas[bytes.fromhex(spi[2:])] = replace(
                sa(int(spi, 16), Direction.IN, suite),
                source=ip_address(source),
                destination=ip_address(destination),
                encr_key=bytes.fromhex(encr[2:]),
                integ_key=bytes.fromhex(integ[2:]),
            )
    return sas


def captured_esp(path: Path) -> Iterator[bytes]:
    """The ESP packets of a pcapng file whose frames are Ethernet with IPv4 and ESP."""
    octets = gzip.decompress(path.read_bytes())
    at = 0
    while at < len(octets):
        kind, length = struct.unpack_from("<2I", octets, at)
        if kind == 6:
            captured = struct.unpack_from("<I", octets, at + 20)[0]
            yield octets[at + 28 : at + 28 + captured][14 + 20 :]
        at += length
