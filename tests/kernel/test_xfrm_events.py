"""What the kernel says, written with the structures of linux/xfrm.h."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikeactors.errors import InvalidSyntax
from ikeactors.iana import ProtocolId
from ikeactors.kernel.netlink import Message, read_attributes, write_attribute
from ikeactors.kernel.requests import Mark, SaId
from ikeactors.kernel.xfrm import new_sa
from ikeactors.kernel.xfrm_events import (
    LEAP,
    Acquired,
    Expired,
    MappingChanged,
    read_event,
    read_state,
)
from ikeactors.wire.selectors import TrafficSelector
from tests.fakes.sas import EAST, SUITES, WEST, sa
from tests.kernel import structures
from tests.kernel.structures import filled

SA_ID = SaId(0xC0FFEE, ProtocolId.ESP, WEST, EAST)


def sa_info() -> structures.SaInfo:
    """An SA from west to east."""
    info = structures.SaInfo(family=2, mode=1, saddr=filled("10.77.0.1"))
    info.id.daddr = filled("10.77.0.2")
    info.id.spi.value = SA_ID.spi
    info.id.proto = 50
    info.curlft.bytes, info.curlft.packets, info.curlft.use_time = 840, 10, 1_700_000_000
    return info


@pytest.mark.parametrize("hard", [False, True])
def test_an_expiration_names_the_sa(hard: bool) -> None:
    body = bytes(structures.Expire(state=sa_info(), hard=hard))
    assert read_event(Message(0x18, body)) == Expired(SA_ID, hard)
    marked = body + write_attribute(21, bytes(structures.MarkValue(v=5, m=255)))
    expected = Expired(replace(SA_ID, mark=Mark(5, 255)), hard)
    assert read_event(Message(0x18, marked)) == expected


def test_a_changed_mapping_names_the_sa_and_the_new_end() -> None:
    """(RFC 7296 section 2.23)"""
    mapping = structures.Mapping(old_saddr=filled("10.77.0.1"), new_saddr=filled("192.0.2.9"))
    mapping.id.daddr = filled("10.77.0.2")
    mapping.id.spi.value, mapping.id.family, mapping.id.proto = SA_ID.spi, 2, 50
    mapping.old_sport.value, mapping.new_sport.value = 4500, 61000
    expected = MappingChanged(SA_ID, ip_address("192.0.2.9"), 61000)
    assert read_event(Message(0x26, bytes(mapping))) == expected


@pytest.mark.parametrize(
    ("family", "protocol", "ports", "here", "there", "selected"),
    [
        (2, 17, (5000, 53), "10.1.0.1", "10.2.0.1", ((5000, 5000), (53, 53))),
        (10, 6, (1024, 22), "fd01::1", "fd02::1", ((1024, 1024), (22, 22))),
        # For XFRM the type is the source port and the code the destination port.
        (2, 1, (8, 0), "10.1.0.1", "10.2.0.1", ((0x800, 0x800), (0x800, 0x800))),
        (2, 47, None, "10.1.0.1", "10.2.0.1", ((0, 65535), (0, 65535))),
    ],
)
def test_an_acquisition_names_the_packet_and_the_policy(
    family: int,
    protocol: int,
    ports: tuple[int, int] | None,
    here: str,
    there: str,
    selected: tuple[tuple[int, int], tuple[int, int]],
) -> None:
    acquire = structures.Acquire(saddr=filled("192.0.2.1"))
    acquire.id.daddr = filled("192.0.2.2")
    acquire.policy.index, acquire.policy.sel.prefixlen_d = 41, 16
    packet = acquire.sel
    packet.saddr, packet.daddr = filled(here), filled(there)
    packet.family, packet.proto = family, protocol
    if ports:
        packet.sport.value, packet.dport.value = ports
        packet.sport_mask.value = packet.dport_mask.value = 0xFFFF
    source, destination = ip_address(here), ip_address(there)
    expected = Acquired(
        TrafficSelector(protocol, *selected[0], source, source),
        TrafficSelector(protocol, *selected[1], destination, destination),
        41,
        bytes(acquire.policy.sel),
        (bytes(acquire.id.daddr), bytes(acquire.saddr)),
    )
    assert read_event(Message(0x17, bytes(acquire))) == expected


def test_messages_of_other_kinds_are_no_events() -> None:
    assert read_event(Message(0x10, bytes(sa_info()))) is None


def test_a_state_has_its_counters() -> None:
    state = read_state(bytes(sa_info()))
    assert (state.usage.sa_id, state.usage.octets, state.usage.packets) == (SA_ID, 840, 10)
    assert state.usage.last_used_at == 1_700_000_000
    used = bytes(sa_info()) + write_attribute(15, (1_700_000_099).to_bytes(8, "little"))
    assert read_state(used).usage.last_used_at == 1_700_000_099


def moved(replay_type: int, replay: bytes) -> bytes:
    """The replay state of the SA that takes an SA's place."""
    state = read_state(bytes(sa_info()) + write_attribute(replay_type, replay))
    body = new_sa(sa(suite=SUITES[1]), state.carried).body
    found = read_attributes(body, 224)
    assert structures.LifetimeCurrent.from_buffer_copy(found[9]).packets == 10
    return found[replay_type]


def test_a_moved_sa_keeps_its_window_and_leaps_ahead_of_what_it_has_sent() -> None:
    old = structures.Replay(oseq=100, seq=77, bitmap=0b1011)
    new = structures.Replay.from_buffer_copy(moved(10, bytes(old)))
    assert (new.oseq, new.seq, new.bitmap) == (100 + LEAP, 77, 0b1011)


def test_with_esn_the_leap_carries_over_into_the_high_half() -> None:
    old = structures.ReplayEsn(
        bmp_len=1, oseq=0xFFFFFFFF, oseq_hi=2, seq=77, seq_hi=1, replay_window=32
    )
    octets = moved(23, bytes(old) + b"\x0b\0\0\0")
    new = structures.ReplayEsn.from_buffer_copy(octets)
    assert (new.oseq_hi << 32 | new.oseq) == (2 << 32 | 0xFFFFFFFF) + LEAP
    assert (new.seq, new.seq_hi, octets[24:]) == (77, 1, b"\x0b\0\0\0")


@given(st.sampled_from([0x17, 0x18, 0x26, 0x10]), st.binary(max_size=300))
def test_octets_of_anybody_are_an_event_or_invalid(type_: int, body: bytes) -> None:
    for read in (read_event, lambda message: read_state(message.body)):
        with suppress(InvalidSyntax):
            read(Message(type_, body))
