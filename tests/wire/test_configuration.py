"""Configuration payloads."""

from __future__ import annotations

import pytest
from hypothesis import given

from ikeactors.errors import InvalidSyntax
from ikeactors.iana import ConfigurationAttribute, ConfigurationType
from ikeactors.wire.configuration import (
    MAX_ATTRIBUTES,
    Configuration,
    ConfigurationAttributeValue,
    read_configuration,
    write_configuration,
)
from tests.wire.strategies import configurations

ADDRESS = ConfigurationAttributeValue(ConfigurationAttribute.INTERNAL_IP4_ADDRESS, b"\x0a\0\0\1")
DNS = ConfigurationAttributeValue(ConfigurationAttribute.INTERNAL_IP4_DNS)

TABLE = [
    ("a request", Configuration(ConfigurationType.CFG_REQUEST, (DNS,)), "01000000 00030000"),
    (
        "a reply",
        Configuration(ConfigurationType.CFG_REPLY, (ADDRESS,)),
        "02000000 00010004 0a000001",
    ),
    ("nothing", Configuration(ConfigurationType.CFG_ACK), "04000000"),
]


@pytest.mark.parametrize(("description", "value", "octets"), TABLE, ids=[row[0] for row in TABLE])
def test_configurations_are_read_and_written(
    description: str, value: Configuration, octets: str
) -> None:
    assert read_configuration(bytes.fromhex(octets)) == value
    assert write_configuration(value) == bytes.fromhex(octets)


def test_reserved_bits_are_ignored() -> None:
    assert read_configuration(bytes.fromhex("01ffffff 80030000")).attributes == (DNS,)


@pytest.mark.parametrize("octets", ["", "010000", "01000000 0003", "01000000 00030001"])
def test_a_malformed_configuration_is_invalid(octets: str) -> None:
    with pytest.raises(InvalidSyntax):
        read_configuration(bytes.fromhex(octets))


def test_too_many_attributes_are_invalid() -> None:
    most = Configuration(ConfigurationType.CFG_REQUEST, (DNS,) * MAX_ATTRIBUTES)
    assert read_configuration(write_configuration(most)) == most
    with pytest.raises(InvalidSyntax):
        read_configuration(write_configuration(most) + bytes(4))


@given(configurations)
def test_configurations_survive_writing_and_reading(configuration: Configuration) -> None:
    assert read_configuration(write_configuration(configuration)) == configuration
