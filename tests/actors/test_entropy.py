"""Chance and request IDs."""

from __future__ import annotations

from ikeactors.actors.entropy import SystemEntropy


def test_octets_are_as_many_as_asked_for_and_never_the_same() -> None:
    entropy = SystemEntropy()
    assert len(entropy.octets(32)) == 32
    assert entropy.octets(16) != entropy.octets(16)
