"""Messages of other implementations, as captured: they read, and write to the same octets."""

from __future__ import annotations

from pathlib import Path

import pytest

from ikeactors.errors import InvalidMajorVersion, InvalidSyntax
from ikeactors.wire.header import read_header
from ikeactors.wire.message import read_message, write_message
from tests.vectors.pcap import VECTORS, ike_messages

CAPTURES = sorted((VECTORS / "wireshark").glob("ike*.pcap*"))
MALFORMED = sorted((VECTORS / "zeek").glob("*.pcap*"))

needs_captures = pytest.mark.skipif(not CAPTURES, reason="../shared/vectors is not there")


@needs_captures
@pytest.mark.parametrize("path", [p for p in CAPTURES if "ikev2" in p.name], ids=lambda p: p.name)
def test_every_captured_message_reads_and_writes_the_same(path: Path) -> None:
    messages = list(ike_messages(path))
    assert len(messages) >= 4
    for octets in messages:
        assert write_message(read_message(octets)) == octets


@needs_captures
@pytest.mark.parametrize("path", [p for p in CAPTURES if "ikev1" in p.name], ids=lambda p: p.name)
def test_every_captured_isakmp_header_is_recognised(path: Path) -> None:
    messages = list(ike_messages(path))
    assert messages
    for octets in messages:
        assert read_header(octets).is_isakmp
        with pytest.raises(InvalidMajorVersion):
            read_message(octets)


@needs_captures
@pytest.mark.parametrize("path", MALFORMED, ids=lambda p: p.name)
def test_captured_attacks_are_declared_faults(path: Path) -> None:
    for octets in ike_messages(path):
        with pytest.raises((InvalidSyntax, InvalidMajorVersion)):
            read_message(octets)
