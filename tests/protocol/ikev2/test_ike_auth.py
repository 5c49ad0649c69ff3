"""IKE_AUTH in both roles: the first Child SA, refusals of it, INITIAL_CONTACT, uniqueness."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ikeactors.iana import (
    ConfigurationAttribute,
    ConfigurationType,
    ExchangeType,
    IdType,
    NotifyType,
    PayloadType,
)
from ikeactors.protocol.actions import ClaimIdentity, SuspectAddress
from ikeactors.protocol.events import Address
from ikeactors.protocol.settings import Unique
from ikeactors.wire.configuration import ConfigurationAttributeValue
from ikeactors.wire.identities import Identity
from ikeactors.wire.payload import (
    Authentication,
    Configuration,
    IdentificationInitiator,
    IdentificationResponder,
    Notify,
    Payload,
    SecurityAssociation,
    TrafficSelectorsInitiator,
    TrafficSelectorsResponder,
    Unknown,
)
from tests.pair import WEST, Pair, child, connection, esp, mirrored, opposite, selectors
from tests.protocol.forging import (
    added,
    answered,
    authenticating,
    change_clear,
    change_sealed,
    initiated,
    sealed,
    sent_by,
    standing,
    without,
)

REQUEST = "HDR, SK {IDi, IDr, AUTH, N(INITIAL_CONTACT), SAi2, TSi, TSr}"


def with_children(*children: object, **changes: object) -> Pair:
    """Two ends that mirror each other."""
    return Pair(connection(children=children, **changes))


def test_two_more_messages_establish_an_ike_sa_and_its_first_child_sa() -> None:
    pair = Pair().establish()
    assert pair.trace[2:] == [f"--> {REQUEST}", "<-- HDR, SK {IDr, AUTH, SAr2, TSi, TSr}"]
    pair.assert_mirrored()
    for end in pair.ends():
        assert len(end.sas) == 2
        assert len(end.policies) == 3
        assert [one.name for one in end.association.children] == ["net"]
        assert end.said("ike-sa-established")
        assert end.said("child-sa-up")
    assert pair.west.answers[0].succeeded


def test_the_responder_installs_before_it_answers() -> None:
    pair = Pair().establish()
    names = [type(one).__name__ for one in pair.east.actions]
    sent = len(names) - 1 - names[::-1].index("SendDatagram")
    assert names.index("InstallChildSa") < sent


@pytest.mark.parametrize(
    ("east_child", "notify", "explained"),
    [
        (
            child(remote_ts=selectors("10.9.0.0/16")),
            "TS_UNACCEPTABLE",
            "10.1.0.0/16 === 10.2.0.0/16",
        ),
        (child(esp_proposals=esp("aes256gcm16")), "NO_PROPOSAL_CHOSEN", "ESP:AES_GCM_16-128"),
    ],
)
def test_an_ike_sa_stands_without_its_first_child_sa(
    east_child: object, notify: str, explained: str
) -> None:
    """(RFC 7296 section 1.2)"""
    pair = Pair(None, opposite(connection(children=(east_child,)))).establish()
    assert pair.trace[3] == f"<-- HDR, SK {{IDr, AUTH, N({notify})}}"
    text = pair.west.answers[0].text
    assert notify in text
    assert explained in text
    assert pair.east.said("child-sa-refused")
    assert not pair.west.sas
    assert not pair.east.sas


@pytest.mark.parametrize("end", ["west", "east"])
def test_a_data_plane_that_refuses_costs_the_child_sa(end: str) -> None:
    """H13"""
    pair = Pair()
    getattr(pair, end).refuse = lambda action: "no such algorithm"
    pair.establish()
    assert not pair.west.answers[0].succeeded
    (report,) = getattr(pair, end).said("kernel-refused")
    assert "no such algorithm" in report.text
    pair.pass_time(6)
    for one in pair.ends():
        assert not one.sas
        assert not one.policies
        assert not len(one.association.children)


def test_all_children_of_a_connection_come_up() -> None:
    nets = {"one": "10.2.1.0/24", "two": "10.2.2.0/24", "three": "10.2.3.0/24"}
    pair = with_children(
        *(child(name, remote_ts=selectors(net)) for name, net in nets.items())
    ).establish()
    assert sorted(one.name for one in pair.west.association.children) == ["one", "three", "two"]
    assert len(pair.west.sas) == 6
    assert [(one.request_id, one.succeeded) for one in pair.west.answers] == [(1, True)]
    pair.assert_mirrored()


@pytest.mark.parametrize(
    ("changes", "announced"),
    [({}, True), ({"send_initial_contact": False}, False), ({"unique": Unique.NEVER}, False)],
)
def test_initial_contact_is_announced(changes: dict[str, object], announced: bool) -> None:
    """(RFC 7296 section 2.4)"""
    pair = Pair(connection(**changes)).establish()
    assert ("N(INITIAL_CONTACT)" in pair.trace[2]) is announced
    (claim,) = [one for one in pair.east.actions if isinstance(one, ClaimIdentity)]
    assert claim.initial_contact is announced
    assert str(claim.remote) == "west.example"


def test_initial_contact_is_not_announced_where_there_is_another_ike_sa() -> None:
    pair = Pair()
    west = pair.west.association
    west.surroundings = replace(west.surroundings, stands=lambda *_: True)
    pair.establish()
    assert "N(INITIAL_CONTACT)" not in pair.trace[2]


def test_initial_contact_in_clear_says_nothing() -> None:
    """G12"""
    pair = initiated()

    change_clear(pair.flights[0], added(Notify(NotifyType.INITIAL_CONTACT)))
    pair.settle()
    assert not [one for one in pair.east.actions if isinstance(one, ClaimIdentity)]


def test_a_responder_whose_claim_is_not_granted_refuses() -> None:
    pair = Pair(connection(unique=Unique.KEEP))
    pair.east.grant = lambda action: False
    initiated(pair).settle()
    assert pair.trace[-1] == "<-- HDR, SK {N(AUTHENTICATION_FAILED)}"
    assert pair.west.association.closed
    assert pair.east.association.closed
    assert not pair.east.sas


def test_an_initiator_whose_claim_is_not_granted_deletes() -> None:
    pair = Pair(connection(unique=Unique.KEEP))
    pair.west.grant = lambda action: False
    initiated(pair).settle()
    assert pair.trace[-2:] == ["--> HDR, SK {D}", "<-- HDR, SK {}"]
    for end in pair.ends():
        assert end.association.closed
        assert not end.sas


@pytest.mark.parametrize(
    "kind",
    [
        IdentificationInitiator,
        Authentication,
        TrafficSelectorsInitiator,
        TrafficSelectorsResponder,
    ],
)
def test_a_request_without_a_payload_it_needs_comes_to_nothing(kind: type) -> None:
    """A24"""
    pair = authenticating()
    change_sealed(pair, pair.flights[0], without(kind))
    pair.settle()
    assert not pair.east.sas
    if kind in (IdentificationInitiator, Authentication):
        assert pair.trace[-1] == "<-- HDR, SK {N(INVALID_SYNTAX)}"
        assert pair.east.association.closed
        assert pair.west.association.closed


@pytest.mark.parametrize("kind", [IdentificationInitiator, Authentication, SecurityAssociation])
def test_a_request_with_a_payload_twice_is_refused(kind: type) -> None:
    """A23"""
    pair = authenticating()

    def twice(payloads: tuple[Payload, ...]) -> tuple[Payload, ...]:
        return (*payloads, *(one for one in payloads if isinstance(one, kind)))

    change_sealed(pair, pair.flights[0], twice)
    pair.settle()
    assert pair.trace[-1] == "<-- HDR, SK {N(INVALID_SYNTAX)}"
    assert pair.east.association.closed


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (without(IdentificationResponder), ["--> HDR, SK {N(INVALID_SYNTAX)}", "<-- HDR, SK {}"]),
        (without(Authentication), []),
        (added(Unknown(PayloadType(254), True, b"")), []),
        (
            added(IdentificationResponder(Identity(IdType.FQDN, b"twice.example"))),
            ["--> HDR, SK {N(INVALID_SYNTAX)}", "<-- HDR, SK {}"],
        ),
    ],
)
def test_a_malformed_response_fails_cleanly(change: object, told: list[str]) -> None:
    """A19, A23, A24: nothing is installed; a peer that believes the IKE SA stands is told."""
    pair = answered()
    change_sealed(pair, pair.flights[0], change)  # type: ignore[arg-type]
    before = len(pair.trace)
    pair.settle()
    assert pair.west.association.closed
    assert pair.west.association.failure
    assert not pair.west.sas
    assert pair.trace[before:] == told
    assert pair.east.association.closed == bool(told)
    assert not pair.west.answers[0].succeeded


def test_an_unknown_payload_that_is_not_critical_is_skipped() -> None:
    """A20"""
    pair = authenticating()
    change_sealed(pair, pair.flights[0], added(Unknown(PayloadType(254), False, b"x")))
    pair.settle()
    pair.assert_mirrored()
    assert pair.west.sas


def test_an_unknown_critical_payload_is_named() -> None:
    """A18 (RFC 7296 section 2.5)"""
    pair = authenticating()
    change_sealed(pair, pair.flights[0], added(Unknown(PayloadType(254), True, b"x")))
    pair.settle()
    assert pair.trace[-1] == "<-- HDR, SK {N(UNSUPPORTED_CRITICAL_PAYLOAD)}"
    assert not pair.east.sas


def test_the_original_initiator_is_not_asked_to_authenticate() -> None:
    """G7: the responder sends an IKE_AUTH request of its own, which only looks like a proof."""
    pair = answered()
    good = pair.flights.pop()

    before = standing(pair.west)
    identity = IdentificationInitiator(Identity.from_text("east.example"))
    octets = sealed(pair.east, ExchangeType.IKE_AUTH, (identity,), message_id=0)
    pair.give(pair.west, sent_by(pair, pair.east, octets))
    assert standing(pair.west) == before
    pair.flights.append(good)
    pair.settle()
    pair.assert_mirrored()
    assert pair.west.sas


def test_the_first_fitting_child_is_taken() -> None:
    other = child("other", local_ts=selectors("10.8.0.0/16"))
    east = opposite(connection(children=(other, child())))
    pair = Pair(None, east).establish()
    assert [one.name for one in pair.east.association.children] == ["net"]
    assert mirrored(child()).name == "net"


def test_a_configuration_payload_is_not_answered() -> None:
    """(RFC 7296 sections 2.19 and 2.20)"""
    version = ConfigurationAttributeValue(ConfigurationAttribute.APPLICATION_VERSION, b"")
    pair = authenticating()
    asked = Configuration(ConfigurationType.CFG_REQUEST, (version,))
    change_sealed(pair, pair.flights[0], added(asked))
    pair.deliver(pair.flights[0])
    assert "CP" not in pair.trace[-1]
    pair.settle()
    pair.assert_mirrored()
    assert "CP" not in " ".join(pair.trace)


def suspected(pair: Pair) -> list[Address]:
    return [one.address for one in pair.east.actions if isinstance(one, SuspectAddress)]


def test_an_address_whose_proof_is_wrong_is_named() -> None:
    """(RFC 8019 section 4.2)"""
    pair = Pair(west_secret=b"a wrong secret of 32 octets, too")
    pair.initiate()
    pair.settle()
    assert suspected(pair) == [WEST.address]


def test_an_address_whose_ike_auth_is_never_whole_is_named() -> None:
    """(RFC 8019 section 4.2)"""
    pair = authenticating()
    garbled = pair.flights[0].datagram.octets
    octets = garbled[:-1] + bytes((garbled[-1] ^ 1,))
    pair.flights[0].datagram = replace(pair.flights[0].datagram, octets=octets)
    pair.deliver(pair.flights[0])
    pair.pass_time(40, deliver=False)
    assert pair.east.association.closed
    assert suspected(pair) == [WEST.address]


def test_an_address_that_only_began_is_not_named_for_anybody_can_write_it() -> None:
    pair = Pair()
    pair.initiate()
    pair.deliver(pair.flights[0])
    pair.pass_time(40, deliver=False)
    assert pair.east.association.closed
    assert suspected(pair) == []
