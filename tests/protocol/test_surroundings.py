"""SPIs and fractions out of octets."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from ikeactors.protocol.surroundings import SHARD_BITS, Surroundings
from ikeactors.wire.header import ZERO_SPI
from tests.pair import SeededEntropy


@dataclass
class FixedEntropy:
    """The same octets each time: for one draw."""

    data: bytes

    def octets(self, count: int) -> bytes:
        assert count <= len(self.data)
        return self.data[:count]


def surroundings(data: bytes) -> Surroundings:
    return Surroundings(FixedEntropy(data))


@given(st.binary(min_size=8, max_size=8))
def test_an_ike_spi_is_never_zero_and_names_shard_0(octets: bytes) -> None:
    spi = surroundings(octets).choose_ike_spi()
    assert len(spi) == 8
    assert spi != ZERO_SPI
    assert spi[0] % (1 << SHARD_BITS) == 0


@given(st.binary(min_size=4, max_size=4))
def test_a_child_spi_is_never_a_reserved_one(octets: bytes) -> None:
    """(RFC 4303 section 2.1)"""
    assert 256 <= surroundings(octets).choose_child_spi() < 2**32


def test_fractions_are_from_0_up_to_1() -> None:
    assert surroundings(bytes(4)).fraction() == 0.0
    assert 0.999 < surroundings(b"\xff" * 4).fraction() < 1.0


def test_ike_spis_do_not_come_twice() -> None:
    """(RFC 7296 section 2.6)"""
    many = Surroundings(SeededEntropy("spis"))
    assert len({many.choose_ike_spi() for _ in range(10_000)}) == 10_000
