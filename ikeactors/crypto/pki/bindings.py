"""Which identities a certificate binds to its key (RFC 4945 section 3.1).

A name is compared with dNSName without regard to case, an address with iPAddress octet for octet,
an e-mail address with rfc822Name, a distinguished name with the subject. Names stand for one host
each: an asterisk in a certificate is no wildcard in IKE.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from cryptography import x509

from ikeactors.crypto.pki.certificates import describe, printable
from ikeactors.crypto.pki.profile import extension
from ikeactors.errors import CertificateRefused, InvalidSyntax
from ikeactors.iana import IdType
from ikeactors.wire.identities import Identity
from ikeactors.wire.names import NameAttribute, read_name

ComparableName = tuple[frozenset[tuple[bytes, int | None, str | bytes]], ...]

# Ours: more names than that are not looked at; what a sentence lists is fewer.
_MAX_NAMES = 256
_MAX_LISTED = 6


def check_binding(certificate: x509.Certificate, identity: Identity) -> None:
    """Refuse a certificate that does not hold the identity. Raises CertificateRefused."""
    if not binds(certificate, identity):
        raise CertificateRefused(
            f"{describe(certificate)} does not hold the identity {identity}; "
            f"it holds {names_held(certificate)}"
        )


def binds(certificate: x509.Certificate, identity: Identity) -> bool:
    """Whether the certificate holds the identity."""
    if identity.type is IdType.DER_ASN1_DN:
        return same_name(certificate.subject.public_bytes(), identity.data)
    if identity.type is IdType.KEY_ID:
        return identity.data in _key_ids(certificate)
    folded = _folded(identity)
    return any(_folded(one) == folded for one in alternative_names(certificate))


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
    """Whether two distinguished names are the same (RFC 5280 section 7.1).

    The relative names in their order, each with the same attributes; text is compared without
    regard to case, to the kind of string and to how many spaces there are.
    """
    if one == other:
        return True
    try:
        return comparable_name(one) == comparable_name(other)
    except InvalidSyntax:
        return False


def comparable_name(name: bytes) -> ComparableName:
    """What is equal for two distinguished names that are the same. Raises InvalidSyntax."""
    return tuple(frozenset(map(_comparable_attribute, relative)) for relative in read_name(name))


def names_held(certificate: x509.Certificate) -> str:
    """The names of a certificate as a sentence lists them."""
    names: list[Identity | str] = []
    if certificate.subject.rdns:
        names.append(identity_from(certificate))
    names += alternative_names(certificate)
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


def _key_ids(certificate: x509.Certificate) -> set[bytes]:
    identifier = extension(certificate, x509.SubjectKeyIdentifier)
    return {identifier.digest} if identifier is not None else set()


def _comparable_attribute(attribute: NameAttribute) -> tuple[bytes, int | None, str | bytes]:
    text = attribute.text
    if text is None:
        return attribute.oid, attribute.tag, attribute.value
    return attribute.oid, None, " ".join(text.casefold().split())
