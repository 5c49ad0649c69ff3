"""Peers whose certificates say which addresses they may speak for."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

import pytest
from cryptography import x509

from ikeactors.crypto.pki.address_blocks import AddressBlocks
from ikeactors.kernel.requests import Direction
from ikeactors.protocol.keyring import Keyring, OwnCertificate
from tests.crypto.pki.making import NOW, Holder, authority, certify
from tests.lab.certifying import address_blocks
from tests.pair import End, Pair, opposite
from tests.protocol.ikev2.test_public_keys import (
    EAST_HOLDER,
    WEST_HOLDER,
    by_key,
    named,
    signing,
)
from tests.protocol.ikev2.test_public_keys import ROOT as PLAIN_ROOT

WIDE = [(address_blocks([ip_network("10.0.0.0/8")]), True)]
ROOT = authority("CN=registry", extensions=WIDE)


def limited(name: str, *prefixes: str) -> Holder:
    extension = address_blocks([ip_network(one) for one in prefixes])
    extensions = [*named(x509.DNSName(f"{name}.example")), (extension, True)]
    return certify(f"CN={name}", ROOT, extensions)


def pair_of(west: Holder, east: Holder, demand: AddressBlocks = AddressBlocks.IF_PRESENT) -> Pair:
    anchors = [ROOT.certificate, PLAIN_ROOT.certificate]
    credentials = {
        name: Keyring([OwnCertificate(own.certificate, own.key)], anchors)
        for name, own in (("west", west), ("east", east))
    }
    settings = signing(remote=by_key("east.example", address_blocks=demand))
    mirror = replace(opposite(settings), remote=by_key("west.example", address_blocks=demand))
    return Pair(settings, mirror, credentials=credentials, wall_clock=NOW)


def selectors(end: End) -> list[str]:
    """What the peers of an end may send from."""
    children = end.association.children
    return [str(one) for child in children for one in child.agreement.remote_ts]


def test_the_initiators_selectors_are_narrowed_to_its_blocks() -> None:
    """(RFC 3779 section 2)"""
    pair = pair_of(limited("west", "10.1.128.0/17"), EAST_HOLDER).establish()
    assert selectors(pair.east) == ["10.1.128.0/17"]
    pair.assert_mirrored()


def test_what_is_within_the_blocks_is_left_as_it_is() -> None:
    pair = pair_of(limited("west", "10.1.0.0/16"), limited("east", "10.0.0.0/8")).establish()
    assert selectors(pair.east) == ["10.1.0.0/16"]
    assert selectors(pair.west) == ["10.2.0.0/16"]


def test_an_initiator_without_addresses_of_its_own_gets_no_child_sa() -> None:
    pair = pair_of(limited("west", "10.99.0.0/16"), EAST_HOLDER).establish()
    refused = pair.east.said("child-sa-refused")[0].text
    assert "the address blocks of its certificate are 10.99.0.0/16" in refused
    assert not pair.east.sas


def test_a_responder_that_takes_more_than_it_has_gets_no_child_sa() -> None:
    pair = pair_of(WEST_HOLDER, limited("east", "10.2.0.0/24")).establish()
    assert not [one for one in pair.west.sas.values() if one.direction is Direction.OUT]
    said = " ".join(report.text for report in pair.west.reports)
    assert "the peer's side is 10.2.0.0/16; the address blocks of its certificate" in said


def test_a_restored_association_has_the_same_limits() -> None:
    pair = pair_of(limited("west", "10.1.128.0/17"), EAST_HOLDER).establish()
    east = pair.east.association
    checkpoint = east.checkpoint(pair.now)
    restored = type(east).restored(east.settings, checkpoint, east.surroundings, pair.now, 0.0)
    assert restored.phase.proof == east.phase.proof  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("demand", "west", "stands"),
    [
        (AddressBlocks.REQUIRE, WEST_HOLDER, False),
        (AddressBlocks.REQUIRE, limited("west", "10.1.0.0/16"), True),
        (AddressBlocks.IGNORE, limited("west", "10.99.0.0/16"), True),
    ],
)
def test_blocks_can_be_required_or_ignored(
    demand: AddressBlocks, west: Holder, stands: bool
) -> None:
    pair = pair_of(west, limited("east", "10.2.0.0/16"), demand)
    pair.initiate()
    pair.settle()
    assert bool(pair.east.sas) is stands
    if not stands:
        refused = pair.east.said("authentication-failed")[0].text
        assert "CN=west: it has no address blocks, which are required" in refused
