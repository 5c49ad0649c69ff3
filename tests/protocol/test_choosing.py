"""Choosing proposals and narrowing traffic selectors."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikeactors.errors import NoProposalChosen, TsUnacceptable
from ikeactors.iana import Encr, Integ, KeyExchangeMethod, TransformType, TsType
from ikeactors.protocol.choosing import (
    check_choice,
    check_narrowed,
    choose_proposal,
    narrow,
    numbered,
    without_key_exchange,
)
from ikeactors.wire.proposals import Proposal, Transform
from ikeactors.wire.selectors import OPAQUE_PORT, TrafficSelector, UnknownSelector
from tests.pair import esp, ike

SPI = b"\1\2\3\4"


def chosen(proposal: Proposal) -> str:
    return str(proposal).partition(":")[2]


def net(text: str, protocol: int = 0, ports: tuple[int, int] = (0, 65535)) -> TrafficSelector:
    return TrafficSelector.of_network(ip_network(text), protocol, ports)


@pytest.mark.parametrize(
    ("offered", "configured", "choice"),
    [
        (("aes128-sha256-x25519", "aes256-sha512-x25519"), ("aes256-sha512-x25519",), 2),
        (
            ("aes128gcm16-prfsha256-x25519",),
            ("aes128-sha256-x25519", "aes128gcm16-prfsha256-x25519"),
            1,
        ),
    ],
)
def test_a_common_proposal_is_found(
    offered: tuple[str, ...], configured: tuple[str, ...], choice: int
) -> None:
    """(RFC 7296 section 3.3)"""
    assert choose_proposal(ike(*offered), ike(*configured)).number == choice


def test_our_order_of_preference_decides() -> None:
    offered = ike("aes128-aes256-sha256-x25519-ecp256")
    ours = ike("aes256-aes128-sha256-ecp256-x25519")
    choice = choose_proposal(offered, ours)
    assert [str(one) for one in choice.transforms if one.type is TransformType.ENCR] == [
        str(ours[0].transforms[0])
    ]
    assert choice.of_type(TransformType.KE)[0].id == KeyExchangeMethod.ECP_256


def test_the_group_of_the_ke_payload_is_taken_where_it_is_acceptable() -> None:
    offered = ike("aes128-sha256-x25519-ecp256")
    ours = ike("aes128-sha256-ecp256-x25519")
    choice = choose_proposal(offered, ours, KeyExchangeMethod.CURVE25519)
    assert choice.of_type(TransformType.KE)[0].id == KeyExchangeMethod.CURVE25519


def test_the_choice_has_one_transform_of_each_type() -> None:
    offered = ike("aes128-aes256-sha256-sha512-x25519-ecp256")
    choice = choose_proposal(offered, offered)
    types = [one.type for one in choice.transforms]
    assert sorted(types) == sorted(set(types))


def test_nothing_in_common_is_explained() -> None:
    with pytest.raises(NoProposalChosen, match="no common ENCR: AES_CBC-128 against AES_CBC-256"):
        choose_proposal(ike("aes128-sha256-x25519"), ike("aes256-sha256-x25519"))
    with pytest.raises(NoProposalChosen, match="no common KE"):
        choose_proposal(ike("aes128-sha256-x25519"), ike("aes128-sha256-ecp256"))


@pytest.mark.parametrize("foreign", [TransformType.ADDKE1, TransformType(77)])
def test_a_proposal_with_an_unknown_type_of_transform_is_passed_over(
    foreign: TransformType,
) -> None:
    ours = ike("aes128-sha256-x25519")
    strange = replace(ours[0], transforms=(*ours[0].transforms, Transform(foreign, 1)))
    with pytest.raises(NoProposalChosen):
        choose_proposal((strange,), ours)
    assert choose_proposal((strange, replace(ours[0], number=2)), ours).number == 2


def test_a_cipher_without_integrity_is_not_chosen() -> None:
    """C7: no integrity algorithm for a cipher that needs one, one for a cipher that has it."""
    ours = esp("aes128-sha256", "aes128gcm16")
    bare = Proposal(1, ours[0].protocol, SPI, (Transform(TransformType.ENCR, Encr.AES_CBC, 128),))
    none = Transform(TransformType.INTEG, Integ.NONE)
    sha = Transform(TransformType.INTEG, Integ.HMAC_SHA2_256_128)
    gcm = Transform(TransformType.ENCR, Encr.AES_GCM_16, 128)
    for offered in (
        bare,
        replace(bare, transforms=(*bare.transforms, none)),
        replace(bare, transforms=(gcm, sha)),
    ):
        with pytest.raises(NoProposalChosen):
            choose_proposal((offered,), ours)


def test_a_cipher_with_integrity_takes_none_that_is_offered_aloud() -> None:
    ours = esp("aes128gcm16")
    none = Transform(TransformType.INTEG, Integ.NONE)
    offered = replace(ours[0], spi=SPI, transforms=(*ours[0].transforms, none))
    choice = choose_proposal((offered,), ours)
    assert none in choice.transforms
    assert choice.spi == SPI


def test_pfs_that_only_one_end_wants_is_refused() -> None:
    with pytest.raises(NoProposalChosen, match="no common KE: KE_NONE against"):
        choose_proposal(esp("aes128gcm16"), esp("aes128gcm16-x25519"))
    plain = without_key_exchange(esp("aes128gcm16-x25519"))
    assert choose_proposal(plain, esp("aes128gcm16"))


def test_extended_sequence_numbers_are_chosen_where_both_want_them() -> None:
    choice = choose_proposal(esp("aes128gcm16-esn-noesn"), esp("aes128gcm16-esn"))
    assert choice.of_type(TransformType.ESN)[0].id == 1
    with pytest.raises(NoProposalChosen, match="no common ESN"):
        choose_proposal(esp("aes128gcm16-esn"), esp("aes128gcm16-noesn"))


def test_an_offer_is_numbered_from_1_with_our_spi() -> None:
    offer = numbered(esp("aes128gcm16", "aes256gcm16"), SPI)
    assert [(one.number, one.spi) for one in offer] == [(1, SPI), (2, SPI)]


OFFER = numbered(esp("aes128gcm16-aes256gcm16-esn-noesn", "aes128-sha256-noesn"), SPI)
GOOD = choose_proposal(OFFER, OFFER)


def test_a_choice_out_of_our_offer_is_taken() -> None:
    assert check_choice((GOOD,), OFFER) is GOOD


@pytest.mark.parametrize(
    "answer",
    [
        (),
        (GOOD, replace(GOOD, number=2)),
        (replace(GOOD, number=7),),
        (replace(GOOD, number=2),),
        (replace(GOOD, transforms=OFFER[0].transforms),),
        (replace(GOOD, transforms=(*GOOD.transforms, GOOD.transforms[0])),),
        (replace(GOOD, transforms=GOOD.transforms[1:]),),
        (replace(GOOD, transforms=(Transform(TransformType.ENCR, Encr.AES_GCM_16, 192),)),),
        (replace(GOOD, protocol=ike("aes128-sha256-x25519")[0].protocol),),
    ],
)
def test_a_choice_that_was_not_offered_is_refused(answer: tuple[Proposal, ...]) -> None:
    """C8: two proposals, another number, several of a type, one missing, another key length."""
    with pytest.raises(NoProposalChosen):
        check_choice(answer, OFFER)


def test_a_group_that_was_offered_without_none_must_be_chosen() -> None:
    offer = numbered(esp("aes128gcm16-x25519"), SPI)
    bare = replace(offer[0], transforms=without_key_exchange(offer)[0].transforms)
    with pytest.raises(NoProposalChosen, match="has no KE"):
        check_choice((bare,), offer)


@pytest.mark.parametrize(
    ("offered", "configured", "common"),
    [
        ([net("10.0.0.0/8")], [net("10.1.0.0/16")], [net("10.1.0.0/16")]),
        ([net("10.1.2.0/24")], [net("10.1.0.0/16")], [net("10.1.2.0/24")]),
        ([net("10.0.0.0/8")], [net("192.0.2.0/24")], []),
        ([net("0.0.0.0/0")], [net("2001:db8::/32")], []),
        (
            [net("0.0.0.0/0"), net("::/0")],
            [net("10.1.0.0/16"), net("2001:db8::/32")],
            [net("10.1.0.0/16"), net("2001:db8::/32")],
        ),
        ([net("10.0.0.0/8", 6)], [net("10.0.0.0/8")], [net("10.0.0.0/8", 6)]),
        ([net("10.0.0.0/8", 6)], [net("10.0.0.0/8", 17)], []),
        (
            [net("10.0.0.0/8", 6, (80, 443))],
            [net("10.0.0.0/8", 6, (100, 65535))],
            [net("10.0.0.0/8", 6, (100, 443))],
        ),
        (
            [TrafficSelector.of_icmp(ip_network("10.0.0.0/8"), 8)],
            [net("10.0.0.0/8", 1)],
            [TrafficSelector.of_icmp(ip_network("10.0.0.0/8"), 8)],
        ),
        ([net("10.0.0.0/8", 6, OPAQUE_PORT)], [net("10.0.0.0/8", 6, (1, 65535))], []),
        (
            [net("10.1.2.3/32"), net("10.1.0.0/16")],
            [net("10.0.0.0/8")],
            [net("10.1.0.0/16")],
        ),
        (
            [UnknownSelector(TsType(99), b"x"), net("10.1.0.0/16")],
            [net("10.0.0.0/8")],
            [net("10.1.0.0/16")],
        ),
        (
            [net("255.255.255.255/32"), net("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128")],
            [net("0.0.0.0/0"), net("::/0")],
            [net("255.255.255.255/32"), net("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128")],
        ),
    ],
)
def test_selectors_are_narrowed_to_what_both_want(
    offered: list[TrafficSelector | UnknownSelector],
    configured: list[TrafficSelector],
    common: list[TrafficSelector],
) -> None:
    """I3, I4: narrowed to nothing, to one, at the end of the address space, opaque ports."""
    assert list(narrow(offered, configured)) == common


ports = st.tuples(st.integers(0, 65535), st.integers(0, 65535)).map(
    lambda two: (min(two), max(two))
)
addresses = st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)).map(
    lambda two: (ip_address(min(two)), ip_address(max(two)))
)
any_selector = st.builds(
    lambda protocol, ports, ends: TrafficSelector(protocol, *ports, *ends),
    st.sampled_from([0, 6, 17]),
    st.one_of(st.just((0, 65535)), st.just(OPAQUE_PORT), ports),
    addresses,
)


@given(
    st.lists(any_selector, min_size=1, max_size=4), st.lists(any_selector, min_size=1, max_size=4)
)
def test_what_is_narrowed_lies_within_both(
    offered: list[TrafficSelector], configured: list[TrafficSelector]
) -> None:
    common = narrow(offered, configured)
    for one in common:
        assert any(theirs.contains(one) for theirs in offered)
        assert any(ours.contains(one) for ours in configured)
    if common:
        assert check_narrowed(common, offered) == common


def test_selectors_that_the_responder_widened_are_refused() -> None:
    """I2"""
    with pytest.raises(TsUnacceptable, match=r"widened the traffic selectors to 10\.0\.0\.0/8"):
        check_narrowed([net("10.1.0.0/16"), net("10.0.0.0/8")], [net("10.1.0.0/16")])
    with pytest.raises(TsUnacceptable, match="to nothing"):
        check_narrowed([UnknownSelector(TsType(99), b"")], [net("10.1.0.0/16")])


@given(
    st.lists(any_selector, min_size=1, max_size=4), st.lists(any_selector, min_size=1, max_size=4)
)
def test_the_first_choice_of_the_initiator_is_within_what_is_narrowed(
    offered: list[TrafficSelector], configured: list[TrafficSelector]
) -> None:
    """(RFC 7296 section 2.9)"""
    common = narrow(offered, [*configured, offered[0]])
    assert any(one.contains(offered[0]) for one in common)
