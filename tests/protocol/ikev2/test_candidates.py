"""Which connection a peer may use, by its offer and by its identity."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography import x509

from ikeactors.errors import AuthenticationFailed, NoProposalChosen
from ikeactors.iana import IdType, KeyExchangeMethod
from ikeactors.kernel.requests import Mode
from ikeactors.protocol.ikev2.candidates import choose_by_identity, choose_by_offer
from ikeactors.protocol.settings import AuthSettings, IdentityPattern, Settings
from ikeactors.wire.identities import Identity
from tests.pair import WEST, Pair, child, connection, esp, ike, opposite, selectors
from tests.protocol.forging import initiated

X25519 = KeyExchangeMethod.CURVE25519
GCM = ike("aes128gcm16-prfsha256-x25519")
CBC = ike("aes128-sha256-x25519")
EAST_ID = Identity.from_text("east.example")


def known_as(text: str) -> AuthSettings:
    return AuthSettings("psk", IdentityPattern(Identity.from_text(text)))


def test_all_connections_that_take_the_choice_stay_candidates() -> None:
    first, other, third = (
        connection(name="first", proposals=GCM),
        connection(name="other", proposals=CBC),
        connection(name="third", proposals=CBC + GCM),
    )
    chosen, choice = choose_by_offer((first, other, third), GCM, X25519)
    assert [one.name for one in chosen] == ["first", "third"]
    assert choice.transforms == GCM[0].transforms


def test_an_offer_that_none_takes_is_explained_with_what_all_would_take() -> None:
    both = (connection(proposals=GCM), connection(proposals=CBC))
    with pytest.raises(NoProposalChosen, match=r"we accept IKE:AES_GCM_16-128.*IKE:AES_CBC-128"):
        choose_by_offer(both, ike("aes256-sha512-ecp256"), X25519)


def test_the_identity_that_fits_best_decides() -> None:
    anybody = connection(name="any", remote=AuthSettings())
    pattern = IdentityPattern(None, Identity.from_text("fqdn:.example"))
    some = connection(name="some", remote=AuthSettings("psk", pattern))
    exact = connection(name="exact", remote=known_as("east.example"))
    found = choose_by_identity((anybody, some, exact), EAST_ID, None, WEST.address)
    assert found is exact
    assert choose_by_identity((anybody, some), EAST_ID, None, WEST.address) is some
    first = connection(name="one")
    assert choose_by_identity((first, connection(name="two")), EAST_ID, None, WEST.address) is first


def test_the_identity_the_peer_asks_for_must_be_ours() -> None:
    one = connection(name="one", local=known_as("one.example"))
    two = connection(name="two", local=known_as("two.example"))
    wanted = Identity.from_text("Two.example")
    assert choose_by_identity((one, two), EAST_ID, wanted, WEST.address) is two
    with pytest.raises(AuthenticationFailed, match=r"asks for three.example.*compared: one, two"):
        choose_by_identity((one, two), EAST_ID, Identity.from_text("three.example"), WEST.address)


def test_our_name_is_ours_whatever_its_kinds_of_strings() -> None:
    """(RFC 5280 section 7.1)"""
    name = x509.Name.from_rfc4514_string("CN=west,O=lab").public_bytes()
    ours = replace(connection().local, id=IdentityPattern(Identity(IdType.DER_ASN1_DN, name)))
    wanted = Identity.from_text("O=lab, CN=west")
    assert wanted.data != name
    one = connection(local=ours)
    assert choose_by_identity((one,), EAST_ID, wanted, WEST.address) is one


def test_a_peer_gets_the_children_of_its_own_connection_only() -> None:
    """E4: two connections for one address, told apart by the identity."""
    west = connection(local=known_as("second.example"))
    mine = opposite(connection(name="second", local=known_as("second.example")))
    other = opposite(
        connection(
            name="first",
            local=known_as("first.example"),
            children=(child(local_ts=selectors("10.7.0.0/16")),),
        )
    )
    pair = Pair(west, mine)
    pair.east_settings = replace(pair.east_settings, connections=(other, mine))
    pair.east.association = pair.responder()
    initiated(pair)
    pair.deliver(pair.flights[0])
    assert pair.east.association.connection_name == ""
    pair.settle()
    assert pair.east.association.connection_name == "second"
    pair.assert_mirrored()
    assert pair.east.sas


def twice(*networks: str, **changes: object) -> tuple:
    """Connections between the same two identities, each with a child of its own on our side."""
    return tuple(
        opposite(
            connection(
                name=f"to-{network}",
                children=(child(remote_ts=selectors(network), **changes),),
            )
        )
        for network in networks
    )


def asked_for(network: str, *connections: object, **changes: object) -> Pair:
    """West asks for this network; east has these connections."""
    west = connection(name="west", children=(child(remote_ts=selectors(network), **changes),))
    pair = Pair(west)
    pair.east_settings = Settings(connections, pair.east_settings.secrets)
    pair.east.association = pair.responder()
    return pair.establish()


@pytest.mark.parametrize("network", ["10.2.0.0/16", "10.3.0.0/16", "10.4.0.0/16"])
def test_between_equals_the_traffic_selectors_decide(network: str) -> None:
    """(RFC 7296 section 2.9)"""
    pair = asked_for(network, *twice("10.2.0.0/16", "10.3.0.0/16", "10.4.0.0/16"))
    assert pair.east.association.connection.name == f"to-{network}"
    pair.assert_mirrored()


def test_between_equals_the_whole_counts_more_than_a_part() -> None:
    pair = asked_for("10.3.0.0/16", *twice("10.3.7.0/24", "10.3.0.0/16"))
    assert pair.east.association.connection.name == "to-10.3.0.0/16"


def test_between_equals_the_esp_proposals_decide() -> None:
    weak = twice("10.2.0.0/16", esp_proposals=esp("aes256-sha512"))
    good = twice("10.2.0.0/16", esp_proposals=esp("aes128gcm16"))
    pair = asked_for("10.2.0.0/16", *weak, *good)
    assert pair.east.association.connection is good[0]


def test_between_equals_the_mode_decides() -> None:
    tunnel = twice("192.0.2.2/32", local_ts=selectors("192.0.2.1/32"))
    transport = twice("192.0.2.2/32", mode=Mode.TRANSPORT, local_ts=selectors("192.0.2.1/32"))
    for mode, wanted in ((Mode.TUNNEL, tunnel), (Mode.TRANSPORT, transport)):
        for order in ((*tunnel, *transport), (*transport, *tunnel)):
            pair = asked_for("192.0.2.2/32", *order, mode=mode, local_ts=selectors("192.0.2.1/32"))
            assert pair.east.association.connection is wanted[0]


def test_between_equals_that_all_fit_or_none_does_the_first_is_taken() -> None:
    pair = asked_for("10.9.0.0/16", *twice("10.2.0.0/16", "10.3.0.0/16"))
    assert pair.east.association.connection.name == "to-10.2.0.0/16"
    assert "N(TS_UNACCEPTABLE)" in pair.trace[3]
