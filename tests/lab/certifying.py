"""What certificates of the lab are made of: keys, names, extensions. NOT for production."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from ikeactors.crypto.signatures import PrivateKey

KEYS: dict[str, Callable[[], PrivateKey]] = {
    "rsa-2048": lambda: rsa.generate_private_key(65537, 2048),
    "rsa-3072": lambda: rsa.generate_private_key(65537, 3072),
    "rsa-4096": lambda: rsa.generate_private_key(65537, 4096),
    "ecdsa-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ecdsa-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ecdsa-521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "brainpool-256": lambda: ec.generate_private_key(ec.BrainpoolP256R1()),
    "brainpool-384": lambda: ec.generate_private_key(ec.BrainpoolP384R1()),
    "brainpool-512": lambda: ec.generate_private_key(ec.BrainpoolP512R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "ed448": ed448.Ed448PrivateKey.generate,
    "mldsa44": mldsa.MLDSA44PrivateKey.generate,
    "mldsa65": mldsa.MLDSA65PrivateKey.generate,
    "mldsa87": mldsa.MLDSA87PrivateKey.generate,
}
USAGES = {
    "ipsecIKE": ExtendedKeyUsageOID.IPSEC_IKE,
    "serverAuth": ExtendedKeyUsageOID.SERVER_AUTH,
    "clientAuth": ExtendedKeyUsageOID.CLIENT_AUTH,
    "any": ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
    "OCSPSigning": ExtendedKeyUsageOID.OCSP_SIGNING,
}
Prefix = IPv4Network | IPv6Network

_ADDRESS_BLOCKS = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.7")
_FAMILIES = {4: b"\x00\x01", 6: b"\x00\x02"}


@dataclass(frozen=True, slots=True)
class Holder:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: PrivateKey = field(repr=False)

    @property
    def identifier(self) -> x509.AuthorityKeyIdentifier:
        """How those below it name it."""
        own = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own.value)


def digest_of(key: PrivateKey) -> Any:
    """What a key signs with; None where its kind says it."""
    if isinstance(key, rsa.RSAPrivateKey):
        return hashes.SHA256()
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return hashes.SHA384() if key.key_size > 256 else hashes.SHA256()
    return None


def signed(builder: x509.CertificateBuilder, key: PrivateKey, issuer: Holder | None) -> Holder:
    """A certificate by its issuer; by itself where there is none."""
    signing: Any = issuer.key if issuer else key
    return Holder(builder.sign(signing, digest_of(signing)), key)


def distinguished(organization: str, common: str) -> x509.Name:
    """The subjects of the lab."""
    return x509.Name(
        [
            x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(x509.NameOID.COMMON_NAME, common),
        ]
    )


def key_usage(*, authority: bool) -> x509.KeyUsage:
    """An authority signs certificates and lists, any other holder what it says."""
    signs, certifies = not authority, authority
    return x509.KeyUsage(signs, False, False, False, False, certifies, certifies, False, False)


def general_name(text: str) -> x509.GeneralName:
    """An address, a network, an e-mail address, a distinguished name ("CN=x,O=y"), or a host's
    name."""
    try:
        return x509.IPAddress(ip_network(text) if "/" in text else ip_address(text))
    except ValueError:
        pass
    if "=" in text:
        return x509.DirectoryName(x509.Name.from_rfc4514_string(text))
    return x509.RFC822Name(text) if "@" in text else x509.DNSName(text)


def address_blocks(prefixes: Sequence[Prefix]) -> x509.UnrecognizedExtension:
    """Prefixes as the extension has them (RFC 3779 section 2.2.3), in ascending order."""
    families = []
    for version, number in _FAMILIES.items():
        members = [one for one in prefixes if one.version == version]
        members.sort(key=lambda one: (int(one.network_address), one.prefixlen))
        if members:
            choice = _der(0x30, *(_der(0x03, _bits(one)) for one in members))
            families.append(_der(0x30, _der(0x04, number), choice))
    return x509.UnrecognizedExtension(_ADDRESS_BLOCKS, _der(0x30, *families))


def _bits(prefix: Prefix) -> bytes:
    """A BIT STRING: the octets it takes, behind the count of bits that are not its own."""
    octets = (prefix.prefixlen + 7) // 8
    return bytes((octets * 8 - prefix.prefixlen,)) + prefix.network_address.packed[:octets]


def _der(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    if len(body) < 0x80:
        return bytes((tag, len(body))) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + body
