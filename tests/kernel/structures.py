"""A second reading of linux/xfrm.h: the header's structures as ctypes, laid out by the C rules."""

from __future__ import annotations

import ctypes
from ctypes import c_char, c_int, c_uint8, c_uint16, c_uint32, c_uint64
from ipaddress import IPv4Address, IPv6Address

from pyroute2.netlink import nlmsg

# A union with 32-bit numbers in it, which is what aligns it.
Address = c_uint32 * 4


class BigPort(ctypes.BigEndianStructure):
    _fields_ = [("value", c_uint16)]


class BigSpi(ctypes.BigEndianStructure):
    _fields_ = [("value", c_uint32)]


class Selector(ctypes.Structure):
    _fields_ = [
        ("daddr", Address), ("saddr", Address),
        ("dport", BigPort), ("dport_mask", BigPort), ("sport", BigPort), ("sport_mask", BigPort),
        ("family", c_uint16), ("prefixlen_d", c_uint8), ("prefixlen_s", c_uint8),
        ("proto", c_uint8), ("ifindex", c_int), ("user", c_uint32),
    ]  # fmt: skip


class LifetimeConfiguration(ctypes.Structure):
    _fields_ = [
        (name, c_uint64)
        for name in (
            "soft_byte_limit", "hard_byte_limit", "soft_packet_limit", "hard_packet_limit",
            "soft_add_expires_seconds", "hard_add_expires_seconds",
            "soft_use_expires_seconds", "hard_use_expires_seconds",
        )
    ]  # fmt: skip


class LifetimeCurrent(ctypes.Structure):
    _fields_ = [(name, c_uint64) for name in ("bytes", "packets", "add_time", "use_time")]


class Id(ctypes.Structure):
    _fields_ = [("daddr", Address), ("spi", BigSpi), ("proto", c_uint8)]


class Stats(ctypes.Structure):
    _fields_ = [(name, c_uint32) for name in ("replay_window", "replay", "integrity_failed")]


class SaInfo(ctypes.Structure):
    _fields_ = [
        ("sel", Selector), ("id", Id), ("saddr", Address),
        ("lft", LifetimeConfiguration), ("curlft", LifetimeCurrent), ("stats", Stats),
        ("seq", c_uint32), ("reqid", c_uint32), ("family", c_uint16),
        ("mode", c_uint8), ("replay_window", c_uint8), ("flags", c_uint8),
    ]  # fmt: skip


class SaName(ctypes.Structure):
    _fields_ = [("daddr", Address), ("spi", BigSpi), ("family", c_uint16), ("proto", c_uint8)]


class PolicyInfo(ctypes.Structure):
    _fields_ = [
        ("sel", Selector), ("lft", LifetimeConfiguration), ("curlft", LifetimeCurrent),
        ("priority", c_uint32), ("index", c_uint32),
        ("dir", c_uint8), ("action", c_uint8), ("flags", c_uint8), ("share", c_uint8),
    ]  # fmt: skip


class PolicyName(ctypes.Structure):
    _fields_ = [("sel", Selector), ("index", c_uint32), ("dir", c_uint8)]


class Template(ctypes.Structure):
    _fields_ = [
        ("id", Id), ("family", c_uint16), ("saddr", Address), ("reqid", c_uint32),
        ("mode", c_uint8), ("share", c_uint8), ("optional", c_uint8),
        ("aalgos", c_uint32), ("ealgos", c_uint32), ("calgos", c_uint32),
    ]  # fmt: skip


class Encapsulation(ctypes.Structure):
    _fields_ = [
        ("encap_type", c_uint16), ("encap_sport", BigPort), ("encap_dport", BigPort),
        ("encap_oa", Address),
    ]  # fmt: skip


class AlgorithmHead(ctypes.Structure):
    _fields_ = [("alg_name", c_char * 64), ("alg_key_len", c_uint32)]


class AlgorithmHeadWithIcv(ctypes.Structure):
    _fields_ = [*AlgorithmHead._fields_, ("alg_icv_len", c_uint32)]


class ReplayEsn(ctypes.Structure):
    _fields_ = [
        (name, c_uint32)
        for name in ("bmp_len", "oseq", "seq", "oseq_hi", "seq_hi", "replay_window")
    ]


class Replay(ctypes.Structure):
    _fields_ = [(name, c_uint32) for name in ("oseq", "seq", "bitmap")]


class MarkValue(ctypes.Structure):
    _fields_ = [("v", c_uint32), ("m", c_uint32)]


class Expire(ctypes.Structure):
    _fields_ = [("state", SaInfo), ("hard", c_uint8)]


class Mapping(ctypes.Structure):
    _fields_ = [
        ("id", SaName), ("reqid", c_uint32), ("old_saddr", Address), ("new_saddr", Address),
        ("old_sport", BigPort), ("new_sport", BigPort),
    ]  # fmt: skip


class Acquire(ctypes.Structure):
    _fields_ = [
        ("id", Id), ("saddr", Address), ("sel", Selector), ("policy", PolicyInfo),
        ("aalgos", c_uint32), ("ealgos", c_uint32), ("calgos", c_uint32), ("seq", c_uint32),
    ]  # fmt: skip


class SaAttributes(nlmsg):
    """pyroute2 takes the attributes apart; what is in front of them is ours to name."""

    prefix = "XFRMA_"
    nla_map = (
        (2, "XFRMA_ALG_CRYPT", "cdata"),
        (3, "XFRMA_ALG_COMP", "cdata"),
        (4, "XFRMA_ENCAP", "cdata"),
        (5, "XFRMA_TMPL", "cdata"),
        (9, "XFRMA_LTIME_VAL", "cdata"),
        (10, "XFRMA_REPLAY_VAL", "cdata"),
        (13, "XFRMA_SRCADDR", "cdata"),
        (18, "XFRMA_ALG_AEAD", "cdata"),
        (20, "XFRMA_ALG_AUTH_TRUNC", "cdata"),
        (21, "XFRMA_MARK", "cdata"),
        (22, "XFRMA_TFCPAD", "uint32"),
        (23, "XFRMA_REPLAY_ESN_VAL", "cdata"),
        (24, "XFRMA_SA_EXTRA_FLAGS", "uint32"),
        (29, "XFRMA_SET_MARK", "uint32"),
        (30, "XFRMA_SET_MARK_MASK", "uint32"),
        (31, "XFRMA_IF_ID", "uint32"),
    )


def attributes(octets: bytes, fixed: type[ctypes.Structure]) -> dict[str, object]:
    """The attributes of a whole message, as pyroute2 decodes them."""
    size = ctypes.sizeof(fixed)
    reader = type("Reader", (SaAttributes,), {"fields": (("fixed", f"{size}s"),)})
    message = reader(octets)
    message.decode()
    assert message["header"]["length"] == len(octets)
    return {name.removeprefix("XFRMA_"): value for name, value in message["attrs"]}


def address(octets: Address, family: int = 2) -> IPv4Address | IPv6Address:
    """An xfrm_address_t."""
    raw = bytes(octets)
    return IPv4Address(raw[:4]) if family == 2 else IPv6Address(raw)


def filled(text: str) -> Address:
    """An xfrm_address_t with this address."""
    version = IPv6Address if ":" in text else IPv4Address
    return Address.from_buffer_copy(version(text).packed.ljust(16, b"\0"))
