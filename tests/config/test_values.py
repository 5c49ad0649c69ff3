import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikeactors.config import values
from ikeactors.config.mistakes import Refused
from ikeactors.kernel.requests import Mark

SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "": 1}

GOOD = [
    (values.tfc_padding, "mtu", 65535),
    (values.tfc_padding, 100, 100),
    (values.nft_set, "inet/filter/remote", "inet/filter/remote"),
    (values.nft_set, "", ""),
    (values.boolean, True, True),
    (values.text, "", ""),
    (values.integer(0, 10), 10, 10),
    (values.integer(0, 255), "0xff", 255),
    (values.real(1, 10), 1, 1.0),
    (values.word({"a": 1, "b": 2}), "b", 2),
    (values.duration, "30s", 30.0),
    (values.duration, "1.5h", 5400.0),
    (values.duration, "500ms", 0.5),
    (values.duration, " 2 d ", 172800.0),
    (values.duration, 90, 90.0),
    (values.duration, 0.25, 0.25),
    (values.at_least_a_second, 1, 1.0),
    (values.never_or_at_least_a_second, 0, 0.0),
    (values.never_or_at_least_a_second, "1s", 1.0),
    (values.routing_table, 1, 1),
    (values.routing_table, "0xfc", 252),
    (values.fragment_size, 0, 0),
    (values.fragment_size, 256, 256),
    (values.octets, 500, 500),
    (values.octets, "500", 500),
    (values.octets, "100k", 102400),
    (values.octets, "10M", 10 << 20),
    (values.octets, "1G", 1 << 30),
    (values.listed(values.text), "a, b,c", ("a", "b", "c")),
    (values.listed(values.text), ["a,b", "c"], ("a,b", "c")),
    (values.listed(values.text), [], ()),
    (values.listed(values.text, ""), "C=DE, O=x", ("C=DE, O=x",)),
    (values.mark, 42, Mark(42, 0xFFFFFFFF)),
    (values.mark, "0x10", Mark(16, 0xFFFFFFFF)),
    (values.mark, "0x10/0xff", Mark(16, 255)),
    (values.mark, "0/0x0", None),
    (values.if_id, "0x2a", 42),
    (values.attempts, "%forever", 0),
    (values.attempts, 3, 3),
]

DURATION = 'a duration expected: seconds, or "30s", "5m", "1h", "2d"'
MARK = 'a mark expected: 42, "0x10" or "0x10/0xff"'

_NFT = 'a set of nftables expected, FAMILY/TABLE/SET: "inet/filter/remote"'

BAD = [
    (values.nft_set, "inet filter remote", _NFT),
    (values.nft_set, "inet/a/b; flush ruleset", _NFT),
    (values.boolean, "yes", "true or false expected: write true, without quotes"),
    (values.boolean, 1, "true or false expected"),
    (values.boolean, "maybe", "true or false expected"),
    (values.text, 5, "text expected, in quotes"),
    (values.integer(0, 10), 11, "out of range: 0 to 10"),
    (values.integer(0, 10), -1, "out of range: 0 to 10"),
    (values.integer(0, 10), True, "a whole number expected, 0 to 10"),
    (values.integer(0, 10), 1.5, "a whole number expected, 0 to 10"),
    (values.integer(0, 10), "ten", "a whole number expected, 0 to 10"),
    (values.real(1, 10), "2", "a number expected, 1 to 10"),
    (values.real(1, 10), math.nan, "out of range: 1 to 10"),
    (values.word({"no": 1, "keep": 2}), "kept", "one of these expected: no, keep; nearest: keep"),
    (values.word({"no": 1}), "zzz", "one of these expected: no"),
    (values.word({"no": 1}, {"trap": "later"}), "trap", "later"),
    (values.word({"no": 1}), 1, "text expected, in quotes"),
    (values.duration, "1 hour", DURATION),
    (values.duration, "-5s", DURATION),
    (values.duration, True, DURATION),
    (values.duration, math.inf, DURATION),
    (values.duration, "", DURATION),
    (values.at_least_a_second, "500ms", "at least 1s expected"),
    (values.at_least_a_second, 0, "at least 1s expected"),
    (values.never_or_at_least_a_second, 0.999, "at least 1s expected, or 0 for never"),
    (values.routing_table, 0, "that is no table (unspec): take one from 1 to 252"),
    (values.routing_table, 253, 'that is the host\'s table "default": take one from 1 to 252'),
    (values.routing_table, 254, 'that is the host\'s table "main": take one from 1 to 252'),
    (values.routing_table, 255, 'that is the kernel\'s table "local": take one from 1 to 252'),
    (values.routing_table, 256, "out of range: 1 to 252"),
    (values.routing_table, "main", "a whole number expected, 1 to 252"),
    (values.word({"no": 1, "": 2}), "zzz", 'one of these expected: no, ""'),
    (values.duration, -1, "out of range: 0 to 3650d"),
    (values.duration, "4000d", "out of range: 0 to 3650d"),
    (values.fragment_size, 255, "0, or at least 256 expected"),
    (values.fragment_size, 65536, "out of range: 0 to 65535"),
    (values.octets, "10T", 'a number of octets expected: 500000, "100k", "10M", "1G"'),
    (values.octets, 1.5, 'a number of octets expected: 500000, "100k", "10M", "1G"'),
    (values.octets, "99999999999G", f"out of range: 0 to {2**60}"),
    (values.listed(values.text), 5, "a list of texts expected, or one text with commas"),
    (values.listed(values.text, ""), 5, "a list of texts expected, or one text"),
    (values.listed(values.text), ["a", "a"], "given twice"),
    (values.some(values.listed(values.text)), [], "at least one expected"),
    (values.mark, "0x100/0xff", "the mark has bits outside of its mask"),
    (values.mark, "0x1ffffffff", "mark and mask have 32 bits"),
    (values.mark, -1, "mark and mask have 32 bits"),
    (values.mark, "ten", MARK),
    (values.mark, "1/", MARK),
    (values.mark, "1/x", MARK),
    (values.mark, "%unique", "unique marks are not available yet: write a number"),
    (values.if_id, "%unique", "unique interface IDs are not available yet: write a number"),
    (values.if_id, 2**32, "out of range: 0 to 4294967295"),
    (values.attempts, "forever", "a whole number expected, 0 to 1000000"),
]


@pytest.mark.parametrize(("parse", "value", "expected"), GOOD)
def test_a_value_means_what_the_table_says(parse, value, expected):
    assert parse(value) == expected


@pytest.mark.parametrize(("parse", "value", "message"), BAD)
def test_a_wrong_value_is_told_what_would_be_right(parse, value, message):
    with pytest.raises(Refused) as caught:
        parse(value)
    assert [said for _, said in caught.value.complaints] == [message]


def test_every_bad_element_of_a_list_is_told():
    with pytest.raises(Refused) as caught:
        values.listed(values.mark)(["a", 1, "b"])
    assert [value for value, _ in caught.value.complaints] == ["a", "b"]


@given(st.integers(0, 3000), st.sampled_from(sorted(SECONDS)))
def test_a_duration_is_its_number_times_its_unit(number, unit):
    assert values.duration(f"{number}{unit}") == number * SECONDS[unit]


@given(st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.lists(st.text())))
def test_whatever_is_written_is_parsed_or_refused(value):
    for parse, _, _ in GOOD:
        try:
            parse(value)
        except Refused as refused:
            assert refused.complaints


def test_a_dscp_is_six_binary_digits() -> None:
    assert values.dscp("101110") == 46
    for wrong in ("46", "1011101", "0x2e", "", 46):
        with pytest.raises(Refused, match=r"binary digits|string|text"):
            values.dscp(wrong)
