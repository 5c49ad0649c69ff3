"""Parsers of single values, as TOML has them, into what an option means. Each raises `Refused`."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import TypeVar

from ikeactors.config.mistakes import Refused, nearest
from ikeactors.kernel.requests import Mark

T = TypeVar("T")
Parse = Callable[[object], T]

MAX_U32 = 0xFFFFFFFF

# Ten years. Whoever means more means never, which is 0.
MAX_DURATION = 3650 * 86400.0
# The kernel counts in 64 bits; a sixteenth of that leaves room for the margins.
MAX_AMOUNT = 2**60

_DURATION = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)\s*(ms|s|m|h|d)?")
_AMOUNT = re.compile(r"(\d{1,20})\s*([kKmMgG]?)")
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]{1,16}|[0-9]{1,20}")

_NFT_NAME = "[A-Za-z_][A-Za-z0-9_.-]{0,63}"
_DSCP = re.compile("[01]{6}")
_NFT_SET = re.compile(f"(?:ip|ip6|inet)/{_NFT_NAME}/{_NFT_NAME}")

_SECONDS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_OCTETS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
# Below, headers, IV and ICV leave next to no room. Above there is no IP datagram.
_LONGEST_PACKET = 65535
_MIN_FRAGMENT_SIZE = 256
_MAX_FRAGMENT_SIZE = 65535

# linux/rtnetlink.h, rt_class_t.
_TABLES_OF_THE_HOST: Mapping[int | None, str] = {
    0: "no table (unspec)",
    253: 'the host\'s table "default"',
    254: 'the host\'s table "main"',
    255: 'the kernel\'s table "local"',
}
_MAX_TABLE = 252

_UNIQUE = ("%unique", "%unique-dir")
_TRUTH_WORDS = {"yes": "true", "no": "false", "true": "true", "false": "false"}


def boolean(value: object) -> bool:
    """`true` or `false`."""
    if isinstance(value, bool):
        return value
    word = _TRUTH_WORDS.get(value.lower(), "") if isinstance(value, str) else ""
    hint = f": write {word}, without quotes" if word else ""
    raise Refused((value, f"true or false expected{hint}"))


def text(value: object) -> str:
    """Any text."""
    if isinstance(value, str):
        return value
    raise Refused((value, "text expected, in quotes"))


def absolute_path(value: object) -> str:
    """A path from the root of the file system."""
    given = text(value)
    if not given.startswith("/"):
        raise Refused((value, "an absolute path expected"))
    return given


def integer(low: int, high: int) -> Parse[int]:
    """A whole number within bounds; as text it may be hexadecimal."""

    def parse(value: object) -> int:
        number = _number(value)
        if number is None:
            raise Refused((value, f"a whole number expected, {low} to {high}"))
        if not low <= number <= high:
            raise Refused((value, f"out of range: {low} to {high}"))
        return number

    return parse


def real(low: float, high: float) -> Parse[float]:
    """A number within bounds."""

    def parse(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Refused((value, f"a number expected, {low:g} to {high:g}"))
        if not low <= value <= high:
            raise Refused((value, f"out of range: {low:g} to {high:g}"))
        return float(value)

    return parse


def word(words: Mapping[str, T], later: Mapping[str, str] | None = None) -> Parse[T]:
    """One of some words; those of `later` are refused with their own reason."""

    def parse(value: object) -> T:
        given = text(value)
        if given in words:
            return words[given]
        if later and given in later:
            raise Refused((value, later[given]))
        known = ", ".join(one or '""' for one in words)
        raise Refused((value, f"one of these expected: {known}{nearest(given, words)}"))

    return parse


def duration(value: object) -> float:
    """Seconds, as a number or as text with a unit: "30s", "5m", "1h", "2d"."""
    seconds = _seconds(value)
    if seconds is None:
        raise Refused((value, 'a duration expected: seconds, or "30s", "5m", "1h", "2d"'))
    if not 0 <= seconds <= MAX_DURATION:
        raise Refused((value, "out of range: 0 to 3650d"))
    return float(seconds)


def at_least_a_second(value: object) -> float:
    """A duration that leaves time for an exchange."""
    seconds = duration(value)
    if seconds < 1:
        raise Refused((value, "at least 1s expected"))
    return seconds


def never_or_at_least_a_second(value: object) -> float:
    """The same, or 0: what is rekeyed more often than every second does nothing else."""
    if not duration(value):
        return 0.0
    try:
        return at_least_a_second(value)
    except Refused:
        raise Refused((value, "at least 1s expected, or 0 for never")) from None


def routing_table(value: object) -> int:
    """The number of a routing table that is nobody else's."""
    number = _number(value)
    if number in _TABLES_OF_THE_HOST:
        table = _TABLES_OF_THE_HOST[number]
        raise Refused((value, f"that is {table}: take one from 1 to {_MAX_TABLE}"))
    return integer(1, _MAX_TABLE)(value)


def octets(value: object) -> int:
    """A number of octets, as a number or as text with a unit of 1024: "100k", "10M", "1G"."""
    if isinstance(value, int) and not isinstance(value, bool):
        return amount(value)
    matched = _AMOUNT.fullmatch(value.strip()) if isinstance(value, str) else None
    if matched is None:
        raise Refused((value, 'a number of octets expected: 500000, "100k", "10M", "1G"'))
    return amount(int(matched[1]) * _OCTETS[matched[2].lower()])


def listed(item: Parse[T], separator: str = ",") -> Parse[tuple[T, ...]]:
    """A list, or one text with commas (or a single element, with no separator); each once."""

    def parse(value: object) -> tuple[T, ...]:
        parsed: dict[T, None] = {}
        complaints: list[tuple[object, str]] = []
        for part in _parts(value, separator):
            try:
                one = item(part)
            except Refused as refused:
                complaints.extend(refused.complaints)
                continue
            if one in parsed:
                complaints.append((part, "given twice"))
            parsed[one] = None
        if complaints:
            raise Refused(*complaints)
        return tuple(parsed)

    return parse


def some(parse_list: Parse[tuple[T, ...]]) -> Parse[tuple[T, ...]]:
    """A list with at least one element."""

    def parse(value: object) -> tuple[T, ...]:
        parsed = parse_list(value)
        if not parsed:
            raise Refused((value, "at least one expected"))
        return parsed

    return parse


def mark(value: object) -> Mark | None:
    """A packet mark, "0x10/0xff" or 42; with the mask 0 there is none."""
    given, slash, mask_text = value.partition("/") if isinstance(value, str) else (value, "", "")
    number = _number(given)
    mask = _number(mask_text) if slash else MAX_U32
    if given in _UNIQUE:
        raise Refused((value, "unique marks are not available yet: write a number"))
    if number is None or mask is None:
        raise Refused((value, 'a mark expected: 42, "0x10" or "0x10/0xff"'))
    if number > MAX_U32 or mask > MAX_U32 or number < 0:
        raise Refused((value, "mark and mask have 32 bits"))
    if number & ~mask:
        raise Refused((value, "the mark has bits outside of its mask"))
    return Mark(number, mask) if mask else None


def tfc_padding(value: object) -> int:
    """The length packets are padded to, or "mtu", beyond which none is padded anyway."""
    return _LONGEST_PACKET if value == "mtu" else integer(0, _LONGEST_PACKET)(value)


def dscp(value: object) -> int:
    """A DSCP as swanctl.conf has it: six binary digits."""
    given = text(value)
    if not _DSCP.fullmatch(given):
        raise Refused((value, 'a DSCP of six binary digits expected: "101110"'))
    return int(given, 2)


def nft_set(value: object) -> str:
    """A set of nftables: FAMILY/TABLE/SET, or nothing."""
    given = text(value)
    if given and not _NFT_SET.fullmatch(given):
        expected = 'a set of nftables expected, FAMILY/TABLE/SET: "inet/filter/remote"'
        raise Refused((value, expected))
    return given


def if_id(value: object) -> int:
    """The ID of an XFRM interface, 0 being none."""
    if value in _UNIQUE:
        raise Refused((value, "unique interface IDs are not available yet: write a number"))
    return integer(0, MAX_U32)(value)


def attempts(value: object) -> int:
    """How often to try, 0 or "%forever" being without end."""
    return 0 if value == "%forever" else integer(0, 1_000_000)(value)


amount = integer(0, MAX_AMOUNT)
unsigned = integer(0, MAX_U32)
port = integer(1, 65535)


def fragment_size(value: object) -> int:
    """The size of an IP datagram with an IKE message; 0 is left to the IP version."""
    size = integer(0, _MAX_FRAGMENT_SIZE)(value)
    if 0 < size < _MIN_FRAGMENT_SIZE:
        raise Refused((value, f"0, or at least {_MIN_FRAGMENT_SIZE} expected"))
    return size


def _parts(value: object, separator: str) -> list[object]:
    if isinstance(value, list):
        return list(value)
    if isinstance(value, str):
        parts = value.split(separator) if separator else [value]
        return [part.strip() for part in parts if part.strip()]
    commas = " with commas" if separator else ""
    raise Refused((value, f"a list of texts expected, or one text{commas}"))


def _number(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        digits = value.strip()
        return int(digits, 16 if digits[:2] in ("0x", "0X") else 10)
    return None


def _seconds(value: object) -> float | None:
    if isinstance(value, str):
        matched = _DURATION.fullmatch(value.strip())
        return float(matched[1]) * _SECONDS[matched[2] or ""] if matched else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if isinstance(value, int) or math.isfinite(value) else None
