"""Bundles of certificates, as one URL has them (RFC 7296 section 3.6).

CertificateOrCRL ::= CHOICE { cert [0] Certificate, crl [1] CertificateList }
CertificateBundle ::= SEQUENCE OF CertificateOrCRL
"""

from __future__ import annotations

from collections.abc import Iterable

from ikeactors.errors import InvalidSyntax
from ikeactors.wire.der import check_end, read_element, write_element
from ikeactors.wire.octets import Reader

_SEQUENCE, _CERTIFICATE, _LIST = 0x30, 0xA0, 0xA1

# Ours: a path has ten certificates, and each one has a list.
_MAX_MEMBERS = 20


def read_bundle(octets: bytes) -> tuple[bytes, ...]:
    """The certificates, in their order. Raises InvalidSyntax.

    Lists are passed over: who is judged does not choose by what.
    """
    outer = Reader(octets)
    members = read_element(outer, _SEQUENCE)
    check_end(outer)
    found: list[bytes] = []
    for _ in range(_MAX_MEMBERS):
        if not members.remaining:
            return tuple(found)
        tag = members.u8()
        body = read_element(members).rest()
        if tag == _CERTIFICATE:
            found.append(body)
        elif tag != _LIST:
            raise InvalidSyntax("neither a certificate nor a list")
    if members.remaining:
        raise InvalidSyntax(f"a bundle of more than {_MAX_MEMBERS}")
    return tuple(found)


def write_bundle(certificates: Iterable[bytes]) -> bytes:
    """The bundle of certificates in DER."""
    return write_element(_SEQUENCE, *(write_element(_CERTIFICATE, one) for one in certificates))
