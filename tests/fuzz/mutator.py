"""A plain mutator: from a seed and a corpus the same inputs every time, without any library."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence

# Where lengths and counts turn over.
_EDGES = (0, 1, 2, 3, 4, 7, 8, 15, 16, 17, 27, 28, 63, 64, 127, 128, 254, 255)
_WIDE_EDGES = (0, 1, 3, 4, 255, 256, 257, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF)
_MOST_CHANGES = 4
# Larger than any message that goes in one datagram of an Ethernet.
LONGEST = 2048


def inputs(corpus: Sequence[bytes], seed: int) -> Iterator[bytes]:
    """The corpus, then changes of it without end."""
    yield from corpus
    chance = random.Random(seed)
    corpus = corpus or [b""]
    while True:
        octets = bytearray(chance.choice(corpus))
        for _ in range(chance.randint(1, _MOST_CHANGES)):
            octets = chance.choice(_CHANGES)(octets, chance, corpus)
        yield bytes(octets[:LONGEST])


Change = Callable[[bytearray, random.Random, Sequence[bytes]], bytearray]


def _flip(octets: bytearray, chance: random.Random, _: Sequence[bytes]) -> bytearray:
    if octets:
        octets[chance.randrange(len(octets))] ^= 1 << chance.randrange(8)
    return octets


def _set(octets: bytearray, chance: random.Random, _: Sequence[bytes]) -> bytearray:
    if octets:
        octets[chance.randrange(len(octets))] = chance.choice(_EDGES)
    return octets


def _set_wide(octets: bytearray, chance: random.Random, _: Sequence[bytes]) -> bytearray:
    if len(octets) >= 2:
        at = chance.randrange(len(octets) - 1)
        octets[at : at + 2] = chance.choice(_WIDE_EDGES).to_bytes(2, "big")
    return octets


def _step(octets: bytearray, chance: random.Random, _: Sequence[bytes]) -> bytearray:
    if octets:
        at = chance.randrange(len(octets))
        octets[at] = (octets[at] + chance.choice((-4, -1, 1, 4))) % 256
    return octets


def _cut(octets: bytearray, chance: random.Random, _: Sequence[bytes]) -> bytearray:
    return octets[: chance.randrange(len(octets) + 1)]


def _leave_out(octets: bytearray, chance: random.Random, _: Sequence[bytes]) -> bytearray:
    at = chance.randrange(len(octets) + 1)
    del octets[at : at + chance.randint(1, 8)]
    return octets


def _put_in(octets: bytearray, chance: random.Random, _: Sequence[bytes]) -> bytearray:
    at = chance.randrange(len(octets) + 1)
    octets[at:at] = chance.randbytes(chance.randint(1, 8))
    return octets


def _repeat(octets: bytearray, chance: random.Random, _: Sequence[bytes]) -> bytearray:
    at = chance.randrange(len(octets) + 1)
    octets[at:at] = octets[at : at + chance.randint(1, 64)] * chance.randint(1, 4)
    return octets


def _splice(octets: bytearray, chance: random.Random, corpus: Sequence[bytes]) -> bytearray:
    other = chance.choice(corpus)
    return octets[: chance.randrange(len(octets) + 1)] + other[chance.randrange(len(other) + 1) :]


_CHANGES: tuple[Change, ...] = (
    _flip,
    _set,
    _set,
    _set_wide,
    _step,
    _cut,
    _leave_out,
    _put_in,
    _repeat,
    _splice,
)
