"""What is under way, as data."""

from __future__ import annotations

import importlib
import pkgutil

from ikeactors.iana import ExchangeType
from ikeactors.protocol import ikev2
from ikeactors.protocol.encoding import encode
from ikeactors.protocol.events import RekeyRequested
from ikeactors.protocol.ikev2.ike_auth import AuthInitiator
from ikeactors.protocol.ikev2.inflight import _KINDS, freeze, thaw
from ikeactors.protocol.ikev2.informational import FailureInitiator
from ikeactors.protocol.ikev2.update_addresses import (
    AnnounceInitiator,
    RoutabilityInitiator,
    UpdateInitiator,
)
from tests.pair import Pair, child, connection, esp
from tests.protocol.roaming import WEST_1, WEST_2, RoamingPair


def test_every_exchange_of_an_established_association_is_kept() -> None:
    modules = [
        importlib.import_module(f"{ikev2.__name__}.{one.name}")
        for one in pkgutil.iter_modules(ikev2.__path__)
    ]
    exchanges = {
        member
        for module in modules
        for name, member in vars(module).items()
        if name.endswith("Initiator")
        and isinstance(getattr(member, "exchange", None), ExchangeType)
    }
    assert exchanges - {AuthInitiator, FailureInitiator} <= set(_KINDS.values())


def test_an_exchange_is_thawed_with_its_half_of_the_key_exchange() -> None:
    pair = Pair(connection(children=(child(esp_proposals=esp("aes128gcm16-x25519")),))).establish()
    for event in (RekeyRequested("net"), RekeyRequested()):
        pair.give(pair.west, event)
        (outstanding,) = pair.west.association.ike_sa.requests.outstanding
        frozen = freeze(outstanding.exchange)
        again = thaw(pair.west.association, {}, frozen)
        assert type(again) is type(outstanding.exchange)
        assert freeze(again) == frozen
        assert again._private.public == outstanding.exchange._private.public
        pair.settle()


def test_exchanges_about_addresses_are_thawed_as_they_were() -> None:
    pair = RoamingPair().establish()
    pair.readdress(pair.west, WEST_1, WEST_2)
    announced = pair.west.association.ike_sa.requests.outstanding[0].exchange
    pair.settle()
    pair.readdress(pair.west, WEST_2)
    updated = pair.west.association.ike_sa.requests.outstanding[0].exchange
    pair.deliver(pair.flights[0])
    checked = pair.east.association.ike_sa.requests.outstanding[0].exchange
    expected = (AnnounceInitiator, UpdateInitiator, RoutabilityInitiator)
    for end, exchange, kind in zip(
        (pair.west, pair.west, pair.east), (announced, updated, checked), expected, strict=True
    ):
        assert type(exchange) is kind
        again = thaw(end.association, {}, freeze(exchange))
        assert type(again) is kind
        for name in kind.__slots__:
            assert getattr(again, name) == getattr(exchange, name)


def test_what_cannot_be_known_any_more_is_none() -> None:
    association = Pair().establish().west.association
    for octets in (b"", b"text", encode(("Nothing", {})), encode(("LivenessInitiator", {"a": 1}))):
        assert thaw(association, {}, octets) is None
