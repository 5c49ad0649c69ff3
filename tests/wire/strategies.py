"""Hypothesis strategies for whatever the wire can carry."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from hypothesis import strategies as st

from ikeactors.iana import (
    AuthMethod,
    CertificateEncoding,
    ConfigurationAttribute,
    ConfigurationType,
    EapCode,
    ExchangeType,
    IdType,
    KeyExchangeMethod,
    NotifyType,
    PayloadType,
    ProtocolId,
    TransformAttribute,
    TransformType,
    TsType,
)
from ikeactors.wire.configuration import Configuration, ConfigurationAttributeValue
from ikeactors.wire.identities import Identity
from ikeactors.wire.message import Message
from ikeactors.wire.payload import (
    MAY_REPEAT,
    PAYLOAD_TYPES,
    Authentication,
    Certificate,
    CertificateRequest,
    Delete,
    Eap,
    Encrypted,
    EncryptedFragment,
    IdentificationInitiator,
    IdentificationResponder,
    KeyExchange,
    Nonce,
    Notify,
    Payload,
    PuzzleSolution,
    SecurityAssociation,
    TrafficSelectorsInitiator,
    TrafficSelectorsResponder,
    Unknown,
    VendorId,
    payload_type,
)
from ikeactors.wire.proposals import Attribute, Proposal, Transform
from ikeactors.wire.selectors import ANY_PORT, OPAQUE_PORT, TrafficSelector, UnknownSelector

u8 = st.integers(0, 0xFF)
u16 = st.integers(0, 0xFFFF)
u32 = st.integers(0, 0xFFFFFFFF)
blobs = st.binary(max_size=40)
spis = st.binary(min_size=8, max_size=8)

# A key length is a field of its own; a second one is left here.
_key_lengths = st.builds(Attribute, st.just(TransformAttribute.KEY_LENGTH), u16 | blobs)
_other_types = st.integers(0, 0x7FFF).filter(lambda number: number != 14).map(TransformAttribute)
_attributes = st.lists(st.builds(Attribute, _other_types, u16 | blobs), max_size=2).map(tuple)
transforms = st.builds(
    Transform, u8.map(TransformType), u16, st.none() | u16, _attributes
) | st.builds(
    Transform,
    u8.map(TransformType),
    u16,
    st.none(),
    st.lists(_key_lengths, min_size=2, max_size=3).map(tuple),
)

_protocol_and_spi = st.one_of(
    st.tuples(st.just(ProtocolId.IKE), st.just(b"") | spis),
    st.tuples(st.sampled_from((ProtocolId.AH, ProtocolId.ESP)), st.binary(min_size=4, max_size=4)),
    st.tuples(st.integers(4, 255).map(ProtocolId), blobs),
)


@st.composite
def proposal_lists(draw: st.DrawFn) -> tuple[Proposal, ...]:
    """Proposals numbered as they must be."""
    bodies = draw(
        st.lists(
            st.tuples(_protocol_and_spi, st.lists(transforms, min_size=1, max_size=4)),
            min_size=1,
            max_size=3,
        )
    )
    return tuple(
        Proposal(number, protocol, spi, tuple(chosen))
        for number, ((protocol, spi), chosen) in enumerate(bodies, 1)
    )


ports = st.one_of(
    st.just(ANY_PORT),
    st.just(OPAQUE_PORT),
    st.tuples(u16, u16).map(lambda pair: (min(pair), max(pair))),
)
_ip4 = st.integers(0, 2**32 - 1)
_ip6 = st.integers(0, 2**128 - 1)
_ranges = st.one_of(
    st.tuples(_ip4, _ip4).map(lambda pair: tuple(map(IPv4Address, sorted(pair)))),
    st.tuples(_ip6, _ip6).map(lambda pair: tuple(map(IPv6Address, sorted(pair)))),
)
traffic_selectors = st.builds(
    lambda protocol, pair, addresses: TrafficSelector(protocol, *pair, *addresses),
    st.sampled_from((0, 1, 6, 17, 58, 200)),
    ports,
    _ranges,
)
_unknown_selectors = st.builds(UnknownSelector, st.integers(9, 255).map(TsType), blobs)
selector_lists = st.lists(traffic_selectors | _unknown_selectors, min_size=1, max_size=4).map(tuple)

identities = st.one_of(
    st.builds(Identity, st.just(IdType.IPV4_ADDR), st.binary(min_size=4, max_size=4)),
    st.builds(Identity, st.just(IdType.IPV6_ADDR), st.binary(min_size=16, max_size=16)),
    st.builds(
        Identity,
        u8.map(IdType).filter(lambda kind: kind not in (IdType.IPV4_ADDR, IdType.IPV6_ADDR)),
        st.binary(min_size=1, max_size=300),
    ),
)

deletes = st.one_of(
    st.just(Delete(ProtocolId.IKE)),
    st.builds(
        Delete,
        st.sampled_from((ProtocolId.AH, ProtocolId.ESP)),
        st.lists(st.binary(min_size=4, max_size=4), max_size=4).map(tuple),
    ),
)

eaps = st.builds(Eap, st.sampled_from((EapCode.SUCCESS, EapCode.FAILURE)), u8) | st.builds(
    Eap, st.sampled_from((EapCode.REQUEST, EapCode.RESPONSE, EapCode(9))), u8, blobs
)

configurations = st.builds(
    Configuration,
    u8.map(ConfigurationType),
    st.lists(
        st.builds(
            ConfigurationAttributeValue,
            st.integers(0, 0x7FFF).map(ConfigurationAttribute),
            blobs,
        ),
        max_size=3,
    ).map(tuple),
)

puzzle_solutions = st.integers(1, 9).flatmap(
    lambda size: st.builds(
        PuzzleSolution, st.tuples(*[st.binary(min_size=size, max_size=size)] * 4)
    )
)

_unknown_types = st.sampled_from(
    sorted(set(range(1, 256)) - set(map(int, PAYLOAD_TYPES.values())))
).map(PayloadType)

open_payloads = st.one_of(
    st.builds(SecurityAssociation, proposal_lists()),
    st.builds(KeyExchange, u16.map(KeyExchangeMethod), blobs),
    st.builds(IdentificationInitiator, identities),
    st.builds(IdentificationResponder, identities),
    st.builds(Certificate, u8.map(CertificateEncoding), blobs),
    st.builds(CertificateRequest, u8.map(CertificateEncoding), blobs),
    st.builds(Authentication, u8.map(AuthMethod), blobs),
    st.builds(Nonce, st.binary(min_size=16, max_size=256)),
    st.builds(Notify, u16.map(NotifyType), blobs, u8.map(ProtocolId), blobs),
    deletes,
    st.builds(VendorId, blobs),
    st.builds(TrafficSelectorsInitiator, selector_lists),
    st.builds(TrafficSelectorsResponder, selector_lists),
    configurations,
    eaps,
    puzzle_solutions,
    st.builds(Unknown, _unknown_types, st.just(False), blobs),
)

_next_payloads = u8.map(PayloadType)
sealed_payloads = st.one_of(
    st.builds(Encrypted, _next_payloads, blobs),
    st.builds(EncryptedFragment, _next_payloads, st.just(1), st.integers(1, 0xFFFF), blobs),
    st.builds(
        EncryptedFragment,
        st.just(PayloadType.NONE),
        st.integers(2, 9),
        st.integers(9, 0xFFFF),
        blobs,
    ),
)


def _repeats(payload: Payload) -> object:
    kind = payload_type(payload)
    return object() if isinstance(payload, Unknown) or kind in MAY_REPEAT else kind


payload_lists = st.builds(
    lambda opened, sealed: (*opened, *sealed),
    st.lists(open_payloads, max_size=6, unique_by=_repeats),
    st.lists(sealed_payloads, max_size=1),
)

messages = st.builds(
    Message,
    spis,
    spis,
    u8.map(ExchangeType),
    u32,
    st.booleans(),
    st.booleans(),
    payload_lists,
    st.just(2),
    st.integers(0, 15),
)
