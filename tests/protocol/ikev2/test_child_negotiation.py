"""The first Child SA, negotiated within IKE_AUTH: modes, suites and selectors."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

import pytest

from ikeactors.config.proposals import ah_proposals, templates
from ikeactors.iana import (
    KeyExchangeMethod,
    NotifyType,
    ProtocolId,
    TransformType,
)
from ikeactors.kernel.requests import Direction, Mode
from ikeactors.protocol.events import RekeyRequested
from ikeactors.protocol.ikev2.child_negotiation import _fresh_spi
from ikeactors.protocol.ikev2.child_sa import ChildState
from ikeactors.protocol.settings import ChildSettings
from ikeactors.wire.payload import (
    Notify,
    SecurityAssociation,
    TrafficSelectorsInitiator,
    TrafficSelectorsResponder,
)
from ikeactors.wire.proposals import Transform
from ikeactors.wire.selectors import TrafficSelector
from tests.pair import End, Pair, SeededEntropy, child, connection, esp, opposite, selectors
from tests.protocol.forging import (
    added,
    answered,
    authenticating,
    change_sealed,
    swapped,
)
from tests.protocol.ikev2.test_nat import behind_nat


def with_children(*children: object, **changes: object) -> Pair:
    """Two ends that mirror each other."""
    return Pair(connection(children=children, **changes))


def test_transport_mode_is_asked_for_and_given() -> None:
    """(RFC 7296 section 1.3.1)"""
    host = child(
        mode=Mode.TRANSPORT,
        local_ts=selectors("192.0.2.1/32"),
        remote_ts=selectors("192.0.2.2/32"),
    )
    pair = with_children(host).establish()
    pair.assert_mirrored()
    assert pair.trace[3].endswith("TSi, TSr, N(USE_TRANSPORT_MODE)}")
    for end in pair.ends():
        assert {sa.mode for sa in end.sas.values()} == {Mode.TRANSPORT}
        assert all(sa.selectors is not None for sa in end.sas.values())
        assert {one.direction for one in end.policies} == {Direction.IN, Direction.OUT}


def ah(**changes: object) -> ChildSettings:
    """A child that AH protects."""
    proposals = templates(ProtocolId.AH, ah_proposals("sha256-x25519-noesn-esn"))
    return child(ah_proposals=proposals, **changes)


def test_ah_is_negotiated_rekeyed_and_deleted() -> None:
    """(RFC 7296 section 3.3.1)"""
    pair = with_children(ah(), dpd_delay=0.0).establish()
    pair.assert_mirrored()
    for end in pair.ends():
        assert {one.protocol for one in (*end.sas.values(), *end.policies)} == {ProtocolId.AH}
        assert all(len(one.integ_key) == 32 and not one.encr_key for one in end.sas.values())
    before = pair.west.spis()
    pair.give(pair.west, RekeyRequested("net", None, 7))
    pair.settle()
    pair.pass_time(5.1)
    pair.assert_one_pair()
    assert not pair.west.spis() & before
    (west, east) = (end.association.children for end in pair.ends())
    assert [str(one.agreement.suite) for one in (*west, *east)] == [
        "AH:HMAC_SHA2_256_128/CURVE_25519/NO_ESN"
    ] * 2


def test_ah_is_refused_where_a_nat_is_between() -> None:
    pair = behind_nat(children=(ah(),))
    assert not pair.west.sas
    assert not pair.east.sas
    assert "AH does not pass a NAT" in str(pair.east.said("child-sa-refused")[0].text)


def test_transport_mode_that_is_declined_is_deleted_again() -> None:
    """(RFC 7296 section 1.3.1)"""
    west = connection(children=(child(mode=Mode.TRANSPORT),))
    east = opposite(connection())
    pair = Pair(west, east).establish()
    assert not pair.west.answers[0].succeeded
    assert "tunnel mode" in pair.west.answers[0].text
    pair.pass_time(6)
    assert not pair.east.sas
    assert not pair.east.policies
    assert not pair.west.sas


def test_transport_mode_that_was_not_asked_for_is_refused() -> None:
    east = opposite(connection(children=(child(mode=Mode.TRANSPORT),)))
    pair = Pair(None, east).establish()
    assert "N(TS_UNACCEPTABLE)" in pair.trace[3]
    assert not pair.east.sas


@pytest.mark.parametrize("proposal", ["aes128gcm16-esn", "aes256-sha256-esn-noesn"])
def test_extended_sequence_numbers_are_negotiated(proposal: str) -> None:
    pair = with_children(child(esp_proposals=esp(proposal))).establish()
    pair.assert_mirrored()
    assert all(sa.suite.esn for sa in pair.west.sas.values())


def test_there_is_no_fresh_key_exchange_in_ike_auth() -> None:
    """C15"""
    pair = with_children(child(esp_proposals=esp("aes128gcm16-x25519"))).establish()
    pair.assert_mirrored()
    assert not any(sa.suite.ke for sa in pair.west.sas.values())


def test_an_offer_with_groups_in_ike_auth_is_taken_without_them() -> None:
    """C15"""
    pair = authenticating()
    group = Transform(TransformType.KE, KeyExchangeMethod.CURVE25519)

    def with_group(sa: SecurityAssociation) -> SecurityAssociation:
        return SecurityAssociation(
            tuple(replace(one, transforms=(*one.transforms, group)) for one in sa.proposals)
        )

    change_sealed(pair, pair.flights[0], swapped(SecurityAssociation, with_group))
    pair.settle()
    pair.assert_mirrored()
    assert pair.west.sas


def test_selectors_are_narrowed_by_the_responder() -> None:
    east = opposite(connection(children=(child(local_ts=selectors("10.1.7.0/24")),)))
    pair = Pair(None, east).establish()
    (ours,) = pair.west.association.children
    (theirs,) = pair.east.association.children
    assert list(map(str, ours.agreement.local_ts)) == ["10.1.7.0/24"]
    assert ours.agreement.local_ts == theirs.agreement.remote_ts
    assert {str(one.source) for one in pair.west.policies} == {"10.1.7.0/24", "10.2.0.0/16"}


def test_policies_are_made_for_every_pair_of_one_family() -> None:
    both = child(
        local_ts=selectors("10.1.0.0/16", "10.3.0.0/16", "2001:db8:1::/48"),
        remote_ts=selectors("10.2.0.0/16", "2001:db8:2::/48"),
    )
    pair = with_children(both).establish()
    pair.assert_mirrored()
    assert len(pair.west.policies) == len(pair.east.policies) == 3 * 3
    assert {one.source.start.version for one in pair.west.policies} == {4, 6}


def test_protocols_ports_and_icmp_are_negotiated() -> None:
    net = ip_network("10.1.0.0/16")
    kinds = (
        TrafficSelector.of_network(net, 6, (443, 443)),
        TrafficSelector.of_network(net, 17, (1000, 2000)),
        TrafficSelector.of_icmp(net, 8),
    )
    templates = tuple(replace(selectors("10.1.0.0/16")[0], selector=one) for one in kinds)
    pair = with_children(child(local_ts=templates)).establish()
    (ours,) = pair.west.association.children
    assert ours.agreement.local_ts == kinds
    pair.assert_mirrored()


@pytest.mark.parametrize("kind", [TrafficSelectorsInitiator, TrafficSelectorsResponder])
def test_selectors_that_the_responder_widened_cost_the_child_sa(kind: type) -> None:
    """I2"""
    pair = answered()
    wide = TrafficSelector.of_network(ip_network("0.0.0.0/0"))
    change_sealed(pair, pair.flights[0], swapped(kind, lambda _: kind((wide,))))
    pair.settle()
    assert pair.west.association.established
    assert "widened the traffic selectors" in pair.west.answers[0].text
    assert not pair.west.sas
    pair.pass_time(6)
    assert not pair.east.sas


def test_a_suite_that_was_not_offered_costs_the_child_sa() -> None:
    """C8"""
    pair = answered()
    other = SecurityAssociation((replace(esp("aes256gcm16")[0], spi=b"\1\2\3\4"),))
    change_sealed(pair, pair.flights[0], swapped(SecurityAssociation, lambda _: other))
    pair.settle()
    assert not pair.west.sas
    assert "not a part of" in pair.west.answers[0].text
    pair.pass_time(6)
    assert not pair.east.sas


def test_a_reqid_of_our_own_is_none_that_an_operator_would_write() -> None:
    pair = Pair().establish()
    (ours,) = {sa.reqid for sa in pair.west.sas.values()}
    assert ours >= 1 << 30


TWO_NETWORKS = selectors("10.1.0.0/16", "10.3.0.0/16")


def rekeying(pair: Pair) -> None:
    """The western end has asked for a rekeying."""
    pair.gapless = True
    pair.give(pair.west, RekeyRequested("net", None, 7))


def in_use(end: End) -> list[str]:
    """The western selectors of the Child SA that stands."""
    (one,) = end.association.children.named("net")
    ours = one.agreement.local_ts if end.name == "west" else one.agreement.remote_ts
    return [str(selector) for selector in ours]


def test_a_rekeying_may_widen_what_is_in_use() -> None:
    """(RFC 7296 section 2.9.2)"""
    pair = authenticating(with_children(child(local_ts=TWO_NETWORKS)))
    less = TrafficSelectorsInitiator((TWO_NETWORKS[0].selector,))
    change_sealed(pair, pair.flights[0], swapped(TrafficSelectorsInitiator, lambda _: less))
    pair.settle()
    assert in_use(pair.west) == in_use(pair.east) == ["10.1.0.0/16"]
    rekeying(pair)
    pair.settle()
    assert in_use(pair.west) == in_use(pair.east) == ["10.1.0.0/16", "10.3.0.0/16"]


def test_a_rekeying_in_which_the_peer_asks_for_less_than_is_in_use_is_refused() -> None:
    """(RFC 7296 section 2.9.2)"""
    pair = with_children(child(local_ts=TWO_NETWORKS)).establish()
    rekeying(pair)
    before = pair.east.spis()
    less = TrafficSelectorsInitiator((TWO_NETWORKS[0].selector,))
    change_sealed(pair, pair.flights[0], swapped(TrafficSelectorsInitiator, lambda _: less))
    pair.settle()
    assert pair.trace[-1] == "<-- HDR, SK {N(TS_UNACCEPTABLE)}"
    assert not pair.west.answers[-1].succeeded
    assert pair.west.spis() == pair.east.spis() == before
    assert in_use(pair.west) == in_use(pair.east) == ["10.1.0.0/16", "10.3.0.0/16"]


def test_a_rekeying_that_the_responder_narrows_below_what_is_in_use_is_given_up() -> None:
    """(RFC 7296 section 2.9.2)"""
    pair = with_children(child(local_ts=TWO_NETWORKS)).establish()
    before = pair.west.spis()
    rekeying(pair)
    pair.deliver(pair.flights[0])
    less = TrafficSelectorsInitiator((TWO_NETWORKS[1].selector,))
    change_sealed(pair, pair.flights[0], swapped(TrafficSelectorsInitiator, lambda _: less))
    pair.settle()
    assert pair.west.answers[-1].text.endswith(
        "a rekeying to 10.3.0.0/16 would leave out 10.1.0.0/16, which is in use"
    )
    assert before <= pair.west.spis()
    pair.pass_time(40)
    assert in_use(pair.west) == in_use(pair.east) == ["10.1.0.0/16", "10.3.0.0/16"]
    pair.assert_mirrored()


def test_what_the_configuration_has_given_up_may_be_left_out() -> None:
    """An address that moved, for instance: nothing of it is in use any more."""
    pair = with_children(child(local_ts=TWO_NETWORKS)).establish()
    for end, side in ((pair.west, "local_ts"), (pair.east, "remote_ts")):
        for one in end.association.children:
            one.settings = replace(one.settings, **{side: TWO_NETWORKS[1:]})
    rekeying(pair)
    pair.settle()
    assert in_use(pair.west) == in_use(pair.east) == ["10.3.0.0/16"]


def test_an_spi_in_use_is_not_chosen_again() -> None:
    """Nor one that is half closed (RFC 7296 section 1.4.1)."""
    pair = with_children(child()).establish()
    (ours,) = pair.west.association.children
    ours.state = ChildState.DELETING
    drawn = iter([ours.spi_in, ours.spi_in, 0xC0FFEE00])

    class Repeating(SeededEntropy):
        def octets(self, count: int) -> bytes:
            return next(drawn).to_bytes(count, "big")

    association = pair.west.association
    association.surroundings = replace(association.surroundings, entropy=Repeating("west"))
    assert _fresh_spi(association) == 0xC0FFEE00


@pytest.mark.parametrize("declining", ["west", "east"])
def test_padding_is_left_out_where_the_peer_declines_it(declining: str) -> None:
    """(RFC 7296 section 1.3.1)"""
    pair = authenticating(with_children(child(tfc_padding=1000)))
    if declining == "east":
        pair.deliver(pair.flights[0])
    declined = Notify(NotifyType.ESP_TFC_PADDING_NOT_SUPPORTED)
    change_sealed(pair, pair.flights[0], added(declined))
    pair.settle()
    padded = {
        end.name: sa.tfc_padding
        for end in pair.ends()
        for sa in end.sas.values()
        if sa.direction is Direction.OUT
    }
    assert padded == {"west": 1000, "east": 1000} | {"east" if declining == "west" else "west": 0}


OFFERS = {
    "IP compression": Notify(NotifyType.IPCOMP_SUPPORTED, b"\x12\x34\x02"),
    "IP-TFS (RFC 9347)": Notify(NotifyType.USE_AGGFRAG, b"\0"),
    "an SA for each processor (RFC 9611)": Notify(NotifyType.SA_RESOURCE_INFO, b"\0\1"),
    "wrapped ESP (RFC 5840)": Notify(NotifyType.USE_WESP_MODE),
}


@pytest.mark.parametrize("offer", OFFERS.values(), ids=OFFERS)
def test_an_offer_of_what_we_do_not_do_is_declined_by_silence(offer: Notify) -> None:
    pair = authenticating()
    change_sealed(pair, pair.flights[0], added(offer))
    pair.settle()
    pair.assert_mirrored()
    assert pair.trace[3] == "<-- HDR, SK {IDr, AUTH, SAr2, TSi, TSr}"


@pytest.mark.parametrize("offer", OFFERS.values(), ids=OFFERS)
def test_on_an_ike_sa_that_stands_too(offer: Notify) -> None:
    pair = Pair().establish()
    pair.trace.clear()
    pair.give(pair.west, RekeyRequested("net"))
    change_sealed(pair, pair.flights[0], added(offer))
    pair.settle()
    pair.pass_time(10)
    pair.assert_mirrored()
    assert pair.trace[1] == "<-- HDR, SK {SA, Nr, TSi, TSr}"
