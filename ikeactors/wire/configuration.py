"""Configuration payloads and their attributes (RFC 7296 section 3.15)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ikeactors.errors import InvalidSyntax
from ikeactors.iana import ConfigurationAttribute, ConfigurationType

# A gateway that lists every subnet of a split tunnel sends some dozens.
MAX_ATTRIBUTES = 256

_HEAD = struct.Struct("!B3x")
_ATTRIBUTE = struct.Struct("!HH")
_ATTRIBUTE_TYPE = 0x7FFF


@dataclass(frozen=True, slots=True)
class ConfigurationAttributeValue:
    """An attribute and its value, which is empty where it is asked for."""

    type: ConfigurationAttribute
    value: bytes = b""


@dataclass(frozen=True, slots=True)
class Configuration:
    """CP: addresses and the like, asked for or given."""

    type: ConfigurationType
    attributes: tuple[ConfigurationAttributeValue, ...] = ()


def read_configuration(body: bytes) -> Configuration:
    """The body of a CP payload."""
    if len(body) < _HEAD.size:
        raise InvalidSyntax("a configuration is cut off")
    return Configuration(ConfigurationType(body[0]), _read_attributes(body, _HEAD.size))


def write_configuration(configuration: Configuration) -> bytes:
    """The body of a CP payload."""
    written = [
        _ATTRIBUTE.pack(attribute.type, len(attribute.value)) + attribute.value
        for attribute in configuration.attributes
    ]
    return _HEAD.pack(configuration.type) + b"".join(written)


def _read_attributes(octets: bytes, at: int) -> tuple[ConfigurationAttributeValue, ...]:
    attributes: list[ConfigurationAttributeValue] = []
    end = len(octets)
    while at < end:
        if end - at < _ATTRIBUTE.size:
            raise InvalidSyntax("a configuration attribute is cut off")
        kind, length = _ATTRIBUTE.unpack_from(octets, at)
        at += _ATTRIBUTE.size
        if length > end - at:
            raise InvalidSyntax("a configuration attribute runs past the end")
        if len(attributes) == MAX_ATTRIBUTES:
            raise InvalidSyntax("too many configuration attributes")
        name = ConfigurationAttribute(kind & _ATTRIBUTE_TYPE)
        attributes.append(ConfigurationAttributeValue(name, octets[at : at + length]))
        at += length
    return tuple(attributes)
