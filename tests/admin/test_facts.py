"""Facts that are told: plain values, chosen by name."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from ipaddress import ip_address

import pytest

from ikeactors.admin.facts import connection_facts, plain
from ikeactors.protocol.settings import (
    AddressPattern,
    ChildSettings,
    ConnectionSettings,
    SelectorTemplate,
)


class Colour(enum.IntEnum):
    RED = 1


@dataclass(frozen=True, slots=True)
class Thing:
    count: int
    colour: Colour
    parts: tuple[int, ...]
    key: bytes = field(repr=False, default=b"secret")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (3, 3),
        (None, None),
        (True, True),
        (Colour.RED, "RED"),
        ({Colour.RED: 2.5}, {"RED": 2.5}),
        (Thing(1, Colour.RED, (1, 2)), {"count": 1, "colour": "RED", "parts": [1, 2]}),
        (b"secret", "(bytes)"),
        ([b"secret"], ["(bytes)"]),
    ],
)
def test_statistics_become_plain_and_octets_stay_unsaid(value: object, told: object) -> None:
    assert plain(value) == told


def test_a_connection_is_told_in_the_words_of_the_configuration() -> None:
    any4 = AddressPattern(ip_address("0.0.0.0"), ip_address("255.255.255.255"))
    one = AddressPattern(ip_address("10.77.0.1"), ip_address("10.77.0.1"))
    some = AddressPattern(ip_address("10.0.0.5"), ip_address("10.0.0.9"))
    child = ChildSettings(
        "net",
        local_ts=(SelectorTemplate(), SelectorTemplate(protocol=17, start_port=1, end_port=2)),
    )

    facts = connection_facts(
        ConnectionSettings("a", local_addrs=(one,), remote_addrs=(any4, some), children=(child,))
    )

    assert facts["local_addrs"] == ["10.77.0.1"]
    assert facts["remote_addrs"] == ["%any", "10.0.0.5-10.0.0.9"]
    assert facts["remote"] == {"auth": "psk", "id": "%any"}
    assert facts["children"][0]["local_ts"] == ["dynamic", "dynamic[17/1-2]"]  # type: ignore[index]
