"""XFRM messages, read back by pyroute2 and by a second reading of linux/xfrm.h."""

from __future__ import annotations

import ctypes
from dataclasses import replace
from ipaddress import ip_address

import pytest

from ikeactors.crypto.suite import ChildSuite
from ikeactors.iana import Encr, Integ, KeyExchangeMethod, ProtocolId
from ikeactors.kernel import xfrm
from ikeactors.kernel.compression import with_compression
from ikeactors.kernel.netlink import Message, write_message
from ikeactors.kernel.requests import (
    CopyDscp,
    Direction,
    Encapsulation,
    HeaderCopying,
    KernelRefusal,
    Lifetime,
    Mark,
    Mode,
    PolicyAction,
    PolicyRequest,
    SaRequest,
)
from ikeactors.kernel.xfrm_modes import MODES
from ikeactors.wire.selectors import OPAQUE_PORT
from tests.fakes.sas import CBC, GCM, SUITES, WEST, policy, sa, selector
from tests.kernel import structures

NO_LIMIT = 2**64 - 1


def parts(message: Message, fixed: type[ctypes.Structure]) -> tuple[object, dict[str, object]]:
    """The fixed part and the attributes of a message."""
    whole = fixed.from_buffer_copy(message.body)
    return whole, structures.attributes(write_message(message, 1), fixed)


def algorithm(octets: object, with_icv: bool) -> tuple[bytes, int, int, bytes]:
    """Name, key bits, ICV bits and key of an algorithm's attribute."""
    assert isinstance(octets, bytes)
    shape = structures.AlgorithmHeadWithIcv if with_icv else structures.AlgorithmHead
    head = shape.from_buffer_copy(octets)
    icv = head.alg_icv_len if with_icv else 0
    return head.alg_name, head.alg_key_len, icv, octets[ctypes.sizeof(shape) :]


def test_an_sa_says_who_what_and_how_long() -> None:
    request = replace(
        sa(0xC0FFEE, Direction.IN),
        lifetime=Lifetime(soft_seconds=10, hard_seconds=20, soft_bytes=30, hard_packets=40),
        mark=Mark(5, 0xFF),
        if_id=9,
        output_mark=Mark(0x1CE),
    )
    info, found = parts(xfrm.new_sa(request), structures.SaInfo)
    assert (info.id.spi.value, info.id.proto, info.reqid, info.mode) == (0xC0FFEE, 50, 7, 1)
    assert structures.address(info.saddr) == request.source
    assert structures.address(info.id.daddr) == request.destination
    assert (info.family, info.sel.family, info.flags, info.replay_window) == (2, 0, 32, 32)
    limits = info.lft
    assert (limits.soft_byte_limit, limits.hard_byte_limit) == (30, NO_LIMIT)
    assert (limits.soft_packet_limit, limits.hard_packet_limit) == (NO_LIMIT, 40)
    assert (limits.soft_add_expires_seconds, limits.hard_add_expires_seconds) == (10, 20)
    assert (limits.soft_use_expires_seconds, limits.hard_use_expires_seconds) == (0, 0)
    mark = structures.MarkValue.from_buffer_copy(found["MARK"])
    assert (mark.v, mark.m, found["IF_ID"]) == (5, 0xFF, 9)
    assert (found["SET_MARK"], found["SET_MARK_MASK"]) == (0x1CE, 0xFFFFFFFF)


@pytest.mark.parametrize(
    ("copying", "flags", "extra"),
    [
        (HeaderCopying(), 0, None),
        (HeaderCopying(df=False), 4, None),
        (HeaderCopying(ecn=False), 1, None),
        (HeaderCopying(dscp=CopyDscp.YES), 2, None),
        (HeaderCopying(dscp=CopyDscp.IN), 2, 1),
        (HeaderCopying(dscp=CopyDscp.NO), 0, 1),
    ],
)
def test_what_headers_copy_are_flags(copying: HeaderCopying, flags: int, extra: int | None) -> None:
    """(RFC 4301 section 5.1.2)"""
    info, found = parts(xfrm.new_sa(replace(sa(), copying=copying)), structures.SaInfo)
    assert info.flags == 32 | flags
    assert found.get("SA_EXTRA_FLAGS") == extra
    transport = replace(sa(), mode=Mode.TRANSPORT, copying=copying)
    info, found = parts(xfrm.new_sa(transport), structures.SaInfo)
    assert (info.flags, "SA_EXTRA_FLAGS" in found) == (0, False), "there is one header only"


def test_udp_encapsulation_names_both_ports() -> None:
    request = replace(sa(), encapsulation=Encapsulation(4500, 61000))
    _, found = parts(xfrm.new_sa(request), structures.SaInfo)
    encapsulation = structures.Encapsulation.from_buffer_copy(found["ENCAP"])
    assert len(found["ENCAP"]) == ctypes.sizeof(structures.Encapsulation)
    assert encapsulation.encap_type == 2
    assert encapsulation.encap_sport.value == 4500
    assert encapsulation.encap_dport.value == 61000
    plain = xfrm.new_sa(replace(sa(), encapsulation=None))
    assert "ENCAP" not in parts(plain, structures.SaInfo)[1]


@pytest.mark.parametrize("suite", SUITES, ids=str)
def test_every_suite_has_the_names_and_lengths_of_the_kernel(suite: ChildSuite) -> None:
    request = sa(suite=suite)
    info, found = parts(xfrm.new_sa(request), structures.SaInfo)
    assert bool(info.flags & 128) is suite.esn
    if suite.cipher.is_aead:
        name, key_bits, icv_bits, key = algorithm(found["ALG_AEAD"], with_icv=True)
        assert (key_bits, icv_bits) == (len(request.encr_key) * 8, suite.icv_octets * 8)
        assert key == request.encr_key
        assert name.startswith(b"rfc")
        return
    name, key_bits, _, key = algorithm(found["ALG_CRYPT"], with_icv=False)
    assert (key_bits, key) == (len(request.encr_key) * 8, request.encr_key)
    name, key_bits, icv_bits, key = algorithm(found["ALG_AUTH_TRUNC"], with_icv=True)
    assert (key_bits, key) == (len(request.integ_key) * 8, request.integ_key)
    assert icv_bits == suite.icv_octets * 8


def test_ah_has_integrity_only() -> None:
    """(RFC 4302 section 3.3.3.2.1)"""
    suite = ChildSuite(
        ProtocolId.AH, Encr.NULL, None, Integ.HMAC_SHA2_256_128, KeyExchangeMethod.NONE, esn=False
    )
    request = replace(sa(suite=suite), encapsulation=None)
    info, found = parts(xfrm.new_sa(request), structures.SaInfo)
    assert info.id.proto == 51
    assert info.flags & 64, "the header is a multiple of 32 bits"
    v6 = replace(request, source=ip_address("fd77::1"), destination=ip_address("fd77::2"))
    assert not parts(xfrm.new_sa(v6), structures.SaInfo)[0].flags & 64
    assert algorithm(found["ALG_AUTH_TRUNC"], with_icv=True)[0] == b"hmac(sha256)"
    assert "ALG_CRYPT" not in found
    with pytest.raises(KernelRefusal, match="AH does not go in UDP"):
        xfrm.new_sa(sa(suite=suite))


@pytest.mark.parametrize(
    ("description", "request_", "window", "words"),
    [
        ("narrow", sa(direction=Direction.IN), 32, None),
        ("wide", replace(sa(direction=Direction.IN), replay_window=100), 0, (4, 100)),
        ("ESN", replace(sa(direction=Direction.IN, suite=SUITES[1]), replay_window=64), 0, (2, 64)),
        ("outbound", replace(sa(), replay_window=100), 0, None),
        ("outbound ESN", sa(suite=SUITES[1]), 0, (1, 32)),
        ("off", replace(sa(direction=Direction.IN), replay_window=0), 0, None),
    ],
)
def test_the_replay_window_is_where_the_kernel_looks_for_it(
    description: str, request_: SaRequest, window: int, words: tuple[int, int] | None
) -> None:
    info, found = parts(xfrm.new_sa(request_), structures.SaInfo)
    assert info.replay_window == window
    if words is None:
        assert "REPLAY_ESN_VAL" not in found
        return
    octets = found["REPLAY_ESN_VAL"]
    state = structures.ReplayEsn.from_buffer_copy(octets)
    assert (state.bmp_len, state.replay_window) == words
    assert len(octets) == ctypes.sizeof(structures.ReplayEsn) + 4 * state.bmp_len


def test_transport_mode_has_its_selector_in_the_state() -> None:
    request = replace(
        sa(),
        mode=Mode.TRANSPORT,
        selectors=(selector("10.77.0.1/32", 6), selector("10.77.0.2/32", 6, (80, 80))),
    )
    info, _ = parts(xfrm.new_sa(request), structures.SaInfo)
    assert (info.mode, info.flags, info.sel.family, info.sel.proto) == (0, 0, 2, 6)
    assert (info.sel.dport.value, info.sel.dport_mask.value) == (80, 0xFFFF)
    assert (info.sel.prefixlen_s, info.sel.prefixlen_d) == (32, 32)


def test_an_sa_is_named_by_destination_spi_and_protocol() -> None:
    sa_id = replace(sa(0x77), destination=ip_address("fd77::2"), mark=Mark(3)).sa_id
    for message in (xfrm.delete_sa(sa_id), xfrm.look_up_sa(sa_id)):
        name, found = parts(message, structures.SaName)
        assert (name.spi.value, name.proto, name.family) == (0x77, 50, 10)
        assert structures.address(name.daddr, 10) == ip_address("fd77::2")
        assert bytes(found["SRCADDR"])[:4] == WEST.packed
        assert structures.MarkValue.from_buffer_copy(found["MARK"]).v == 3


def placed(request: PolicyRequest, index: int = 1) -> Message:
    """The message about a policy that takes one XFRM policy."""
    (only,) = xfrm.selectors_of(request)
    return xfrm.update_policy(request, only, index)


def test_a_policy_has_a_template() -> None:
    request = replace(policy(), mark=Mark(1, 3), if_id=4, priority=1234)
    message = placed(request, xfrm.index_of(5, Direction.OUT))
    info, found = parts(message, structures.PolicyInfo)
    assert message.type == 0x19
    assert (info.priority, info.index, info.dir, info.action) == (1234, 41, 1, 0)
    assert info.lft.hard_byte_limit == NO_LIMIT
    assert structures.address(info.sel.saddr) == ip_address("10.1.0.0")
    assert (info.sel.prefixlen_s, info.sel.prefixlen_d) == (24, 24)
    template = structures.Template.from_buffer_copy(found["TMPL"])
    assert len(found["TMPL"]) == ctypes.sizeof(structures.Template)
    assert structures.address(template.saddr) == request.tunnel_source
    assert structures.address(template.id.daddr) == request.tunnel_destination
    assert (template.id.spi.value, template.id.proto, template.family) == (0, 50, 2)
    assert (template.reqid, template.mode, template.optional) == (7, 1, 0)
    assert (template.aalgos, template.ealgos, template.calgos) == (0xFFFFFFFF,) * 3
    assert found["IF_ID"] == 4


def test_a_template_of_transport_mode_names_no_addresses() -> None:
    request = replace(policy(), mode=Mode.TRANSPORT)
    _, found = parts(placed(request), structures.PolicyInfo)
    template = structures.Template.from_buffer_copy(found["TMPL"])
    assert not any(template.saddr)
    assert not any(template.id.daddr)
    assert template.mode == 0


@pytest.mark.parametrize(
    ("action", "code"), [(PolicyAction.PASS, 0), (PolicyAction.DROP, 1)], ids=str
)
def test_policies_that_do_not_protect_have_no_template(action: PolicyAction, code: int) -> None:
    message = placed(replace(policy(), action=action))
    info, found = parts(message, structures.PolicyInfo)
    assert info.action == code
    assert "TMPL" not in found


@pytest.mark.parametrize("mode", Mode)
def test_what_is_compressed_is_in_the_tunnel_of_the_compression(mode: Mode) -> None:
    request = replace(sa(), suite=replace(GCM, esn=True), cpi=0x1234, tfc_padding=1000, mode=mode)
    association, protecting = with_compression(request)
    info, found = parts(xfrm.new_sa(association), structures.SaInfo)
    assert (info.id.spi.value, info.id.proto, info.mode) == (0x1234, 108, MODES[mode])
    assert algorithm(found["ALG_COMP"], with_icv=False)[0] == b"deflate"
    assert found.keys() & {"ENCAP", "REPLAY_ESN_VAL", "ALG_AEAD"} == set()
    info, found = parts(xfrm.new_sa(protecting), structures.SaInfo)
    assert (info.id.spi.value, info.id.proto, info.mode) == (request.spi, 50, 0)
    assert "TFCPAD" not in found
    assert with_compression(sa()) == (sa(),)


def test_only_what_leaves_has_to_be_compressed() -> None:
    for direction in Direction:
        compressed = replace(policy(direction=direction), compressed=True)
        (one,) = xfrm.selectors_of(compressed)
        message = xfrm.update_policy(compressed, one, 9)
        _, found = parts(message, structures.PolicyInfo)
        octets = found["TMPL"]
        assert isinstance(octets, bytes)
        size = ctypes.sizeof(structures.Template)
        outer, inner = (
            structures.Template.from_buffer_copy(octets[at : at + size]) for at in (0, size)
        )
        assert (outer.id.proto, outer.mode, outer.optional) == (108, 1, direction != Direction.OUT)
        assert (inner.id.proto, inner.mode, inner.optional) == (50, 0, 0)
        assert structures.address(inner.id.daddr) == ip_address("0.0.0.0")


def test_a_policy_is_removed_by_index_or_by_selector() -> None:
    request = replace(policy(), mark=Mark(1))
    name, found = parts(xfrm.delete_policy(request, 41), structures.PolicyName)
    assert (name.index, name.dir, name.sel.family) == (41, 1, 0)
    assert "MARK" in found
    named = xfrm.delete_policy_by_selector(request, xfrm.selectors_of(request)[0])
    name, _ = parts(named, structures.PolicyName)
    assert (name.index, name.dir, name.sel.family, name.sel.prefixlen_d) == (0, 1, 2, 24)


def test_what_cannot_be_said_is_refused() -> None:
    opaque = replace(policy(), source=selector("10.1.0.0/24", 6, OPAQUE_PORT))
    with pytest.raises(KernelRefusal, match="OPAQUE"):
        xfrm.selectors_of(opaque)
    with pytest.raises(KernelRefusal, match="no protocol of XFRM"):
        xfrm.delete_sa(replace(sa(), protocol=ProtocolId.IKE).sa_id)


def test_an_update_says_the_same_as_an_addition() -> None:
    assert xfrm.update_sa(sa(suite=CBC)).body == xfrm.new_sa(sa(suite=CBC)).body
    assert xfrm.update_sa(sa(suite=GCM)).type == 0x1A
