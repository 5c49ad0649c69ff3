"""What a relay tells apart, and what it does to it."""

from __future__ import annotations

import pytest

from tests.lab.forwarding import ESP, IKE, OTHER, Faults, Forwarder, kind_of

VNET = bytes(10)
IPV4 = bytes(12) + b"\x08\x00" + b"\x45" + bytes(8) + b"\x11" + bytes(10)
LATER_FRAGMENT = bytes(12) + b"\x08\x00" + b"\x45" + bytes(5) + b"\x00\x01\0\x11" + bytes(10)
IPV6 = bytes(12) + b"\x86\xdd" + bytes(6) + b"\x11" + bytes(33)
ARP = bytes(12) + b"\x08\x06" + bytes(46)


def udp(source: int, destination: int, payload: bytes) -> bytes:
    """A datagram without a checksum."""
    fields = (source, destination, 8 + len(payload), 0)
    return b"".join(field.to_bytes(2, "big") for field in fields) + payload


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        (IPV4 + udp(500, 500, b"message"), IKE),
        (IPV6 + udp(40000, 500, b"message"), IKE),
        (IPV4 + udp(4500, 4500, bytes(4) + b"message"), IKE),
        (IPV6 + udp(4500, 4500, b"spi.packet"), ESP),
        (IPV4 + udp(4500, 4500, b"\xff"), OTHER),
        (IPV4 + udp(53, 40000, b"answer"), OTHER),
        (LATER_FRAGMENT + udp(500, 500, b"message"), OTHER),
        (ARP, OTHER),
        (b"", OTHER),
    ],
)
def test_ike_and_esp_are_told_apart(frame: bytes, kind: str) -> None:
    assert kind_of(VNET + frame) == kind


MESSAGE = VNET + IPV4 + udp(500, 500, b"message")
PACKET = VNET + IPV4 + udp(4500, 4500, b"spi.packet")


def test_what_is_spared_passes_in_its_order() -> None:
    forwarder = Forwarder("1")
    forwarder.faults = {IKE: Faults(drop=1.0)}
    forwarder.take(PACKET, 0, 0.0)
    forwarder.take(MESSAGE, 1, 0.0)
    forwarder.take(PACKET, 1, 0.0)
    assert forwarder.due(0.0) == [(0, PACKET), (1, PACKET)]
    assert forwarder.counts == {"esp-taken": 2, "ike-taken": 1, "ike-dropped": 1}


def test_a_delay_is_waited_for_and_a_duplicate_comes_twice() -> None:
    forwarder = Forwarder("1")
    forwarder.faults = {IKE: Faults(duplicate=1.0, delay=0.5)}
    assert forwarder.patience(0.0) is None
    forwarder.take(MESSAGE, 0, 0.0)
    assert forwarder.due(0.4) == []
    assert forwarder.patience(0.25) == 0.25
    assert forwarder.due(0.5) == [(0, MESSAGE)] * 2


def test_jitter_lets_some_overtake_others() -> None:
    forwarder = Forwarder("1")
    forwarder.faults = {ESP: Faults(jitter=1.0)}
    frames = [PACKET + bytes((number,)) for number in range(20)]
    for frame in frames:
        forwarder.take(frame, 0, 0.0)
    arrived = [frame for _, frame in forwarder.due(1.0)]
    assert arrived != frames
    assert sorted(arrived) == frames
