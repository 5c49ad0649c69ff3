"""Chance and request IDs."""

from __future__ import annotations

from itertools import islice

from ikeactors.actors.entropy import SystemEntropy, reqids
from ikeactors.protocol.surroundings import SHARD_BITS


def test_octets_are_as_many_as_asked_for_and_never_the_same() -> None:
    entropy = SystemEntropy()
    assert len(entropy.octets(32)) == 32
    assert entropy.octets(16) != entropy.octets(16)


def test_reqids_differ_name_their_shard_and_spare_the_configured_ones() -> None:
    step = 1 << SHARD_BITS
    assert list(islice(reqids(), 3)) == [step, 2 * step, 3 * step]
    assert list(islice(reqids(taken={2 * step}, shard=5), 2)) == [step + 5, 2 * step + 5]
    assert list(islice(reqids(taken={2 * step}), 2)) == [step, 3 * step]
