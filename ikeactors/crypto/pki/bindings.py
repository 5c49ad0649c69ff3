"""Which identities a certificate binds to its key (RFC 4945 section 3.1).

A name is compared with dNSName without regard to case, an address with iPAddress octet for octet,
an e-mail address with rfc822Name, a distinguished name with the subject and with directoryName.
Names stand for one host each: an asterisk in a certificate is no wildcard in IKE.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from cryptography import x509

from ikeactors.crypto.pki.address_blocks import own_ranges
from ikeactors.crypto.pki.certificates import describe, printable
from ikeactors.crypto.pki.profile import extension
from ikeactors.errors import CertificateRefused, InvalidSyntax
from ikeactors.iana import IdType
from ikeactors.wire.identities import Identity
from ikeactors.wire.names import comparable_name

# Ours: more names than that are not looked at; what a sentence lists is fewer.
_MAX_NAMES = 256
_MAX_LISTED = 6


class AddressBinding(enum.Enum):
    """What an identity that is an address has to be to a certificate: an iPAddress of it, or also
    within a network or the address blocks that it has."""

    EXACT = "exact"
    WITHIN = "within"


def check_binding(
    certificate: x509.Certificate,
    identity: Identity,
    addresses: AddressBinding = AddressBinding.EXACT,
) -> None:
    """Refuse a certificate that does not hold the identity. Raises CertificateRefused."""
    if binds(certificate, identity):
        return
    if addresses is AddressBinding.WITHIN and lies_within(certificate, identity):
        return
    raise CertificateRefused(
        f"{describe(certificate)} does not hold the identity {identity}; "
        f"it holds {names_held(certificate)}"
    )


def binds(certificate: x509.Certificate, identity: Identity) -> bool:
    """Whether the certificate holds the identity.

    A distinguished name is the subject or, as in ID_DER_ASN1_GN, a directoryName.
    """
    identity = identity.named
    if identity.type is IdType.KEY_ID:
        return identity.data == _key_id(certificate)
    names = alternative_names(certificate)
    if identity.type is IdType.DER_ASN1_DN:
        held = (identity_from(certificate), *names)
        return any(one.type is identity.type and same_name(one.data, identity.data) for one in held)
    folded = _folded(identity)
    return any(_folded(one) == folded for one in names)


def lies_within(certificate: x509.Certificate, identity: Identity) -> bool:
    """Whether it is an address of a network, as iPAddress has them with a mask, or of a block.

    Deviation: a subjectAltName has no networks otherwise (RFC 5280 section 4.2.1.6).
    """
    identity = identity.named
    if not identity.is_address:
        return False
    address = ip_address(identity.data)
    if any(address in network for network in _networks(certificate)):
        return True
    ranges = own_ranges(certificate)
    return any(
        first.version == address.version and int(first) <= int(address) <= int(last)
        for first, last in ranges
    )


def alternative_names(certificate: x509.Certificate) -> tuple[Identity, ...]:
    """The identities in the subjectAltName extension, in its order."""
    names = extension(certificate, x509.SubjectAlternativeName)
    if names is None:
        return ()
    found = (_identity_of(name) for name in list(names)[:_MAX_NAMES])
    return tuple(one for one in found if one is not None)


def identity_from(certificate: x509.Certificate) -> Identity:
    """Who the holder is when nobody has said which of the names to use: the subject's name."""
    return Identity(IdType.DER_ASN1_DN, certificate.subject.public_bytes())


def same_name(one: bytes, other: bytes) -> bool:
    """Whether two distinguished names are the same."""
    if one == other:
        return True
    try:
        return comparable_name(one) == comparable_name(other)
    except InvalidSyntax:
        return False


def names_held(certificate: x509.Certificate) -> str:
    """The names of a certificate as a sentence lists them."""
    names: list[Identity | str] = []
    if certificate.subject.rdns:
        names.append(identity_from(certificate))
    names += alternative_names(certificate)
    names += map(str, _networks(certificate))
    if len(names) > _MAX_LISTED:
        names[_MAX_LISTED:] = [f"{len(names) - _MAX_LISTED} more"]
    return ", ".join(map(str, names)) or "none"


def _identity_of(name: x509.GeneralName) -> Identity | None:
    match name:
        case x509.DNSName(value=text):
            return _text_identity(IdType.FQDN, text)
        case x509.RFC822Name(value=text):
            return _text_identity(IdType.RFC822_ADDR, text)
        case x509.IPAddress(value=IPv4Address() as address):
            return Identity(IdType.IPV4_ADDR, address.packed)
        case x509.IPAddress(value=IPv6Address() as address):
            return Identity(IdType.IPV6_ADDR, address.packed)
        case x509.DirectoryName(value=subject):
            return Identity(IdType.DER_ASN1_DN, subject.public_bytes())
        case _:
            return None


def _text_identity(kind: IdType, text: str) -> Identity | None:
    """A NUL, a control character or another script cannot pass for a name that has none."""
    if text and text.isascii() and printable(text[:64]) == text[:64] and text.isprintable():
        return Identity(kind, text.encode("ascii"))
    return None


def _folded(identity: Identity) -> tuple[IdType, bytes]:
    if identity.type is IdType.FQDN:
        return identity.type, identity.data.lower()
    if identity.type is IdType.RFC822_ADDR:
        # The part before the @ belongs to the mail host; only the host's name is without case.
        local, at, host = identity.data.rpartition(b"@")
        return identity.type, local + at + host.lower()
    return identity.type, identity.data


def _networks(certificate: x509.Certificate) -> Iterator[IPv4Network | IPv6Network]:
    names = extension(certificate, x509.SubjectAlternativeName) or ()
    for name in list(names)[:_MAX_NAMES]:
        if isinstance(name, x509.IPAddress) and isinstance(name.value, IPv4Network | IPv6Network):
            yield name.value


def _key_id(certificate: x509.Certificate) -> bytes:
    """Without the extension the SHA-1 hash that it mostly is (RFC 5280 section 4.2.1.2)."""
    identifier = extension(certificate, x509.SubjectKeyIdentifier)
    if identifier is not None:
        return identifier.digest
    return x509.SubjectKeyIdentifier.from_public_key(certificate.public_key()).digest
