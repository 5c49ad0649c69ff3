"""Certificates and keys from files."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    pkcs12,
)

from ikeactors.config import ConfigurationFaults, load
from ikeactors.crypto.pki.revocation import RevocationPolicy
from ikeactors.iana import IdType, SignatureHash
from ikeactors.protocol.credentials import Credentials, NoCredentials, OwnProof
from ikeactors.protocol.settings import AuthSettings
from tests.crypto.pki.making import Holder, authority, certify
from tests.crypto.pki.revoking import crl_of, der_of

ROOT = authority("CN=root")
WEST = certify(
    "CN=west", ROOT, [(x509.SubjectAlternativeName([x509.DNSName("west.example")]), False)]
)

CONNECTION = """
[connections.gw]
remote_addrs = "192.0.2.2"
[connections.gw.local]
auth = "pubkey"
id = "west.example"
[connections.gw.remote]
auth = "pubkey"
id = "east.example"
[connections.gw.children.net]
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a file below the directory of the configuration."""

    def write(name: str, octets: bytes | str, mode: int = 0o600) -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(octets if isinstance(octets, bytes) else octets.encode())
        os.chmod(path, mode)
        return path

    return write


def pem(holder: Holder) -> bytes:
    return holder.certificate.public_bytes(Encoding.PEM)


def private(
    holder: Holder,
    encryption: KeySerializationEncryption | None = None,
    form: Encoding = Encoding.PEM,
) -> bytes:
    return holder.key.private_bytes(form, PrivateFormat.PKCS8, encryption or NoEncryption())


def proves(credentials: Credentials, auth: AuthSettings) -> bool:
    """Whether the keyring can sign as this end."""
    assert auth.id.identity is not None
    hashes = (SignatureHash.SHA2_256, SignatureHash.IDENTITY)
    proof = credentials.prove(auth, auth.id.identity, (), hashes, b"octets")
    return isinstance(proof, OwnProof)


def mistakes(path: Path) -> str:
    with pytest.raises(ConfigurationFaults) as raised:
        load(path)
    return str(raised.value)


@pytest.mark.parametrize("form", [Encoding.PEM, Encoding.DER])
def test_a_certificate_and_its_key_are_found_in_the_directories(
    write: Callable[..., Path], form: Encoding
) -> None:
    write("x509/west.crt", WEST.certificate.public_bytes(form), 0o644)
    write("x509ca/root.crt", ROOT.certificate.public_bytes(form), 0o644)
    write("private/west.key", private(WEST, form=form))
    configuration = load(write("ike.toml", CONNECTION))
    (connection,) = configuration.connections
    assert proves(configuration.credentials, connection.local)
    assert len(configuration.credentials.authorities([connection.remote])) == 1


def test_a_certificate_of_ours_that_expires_soon_is_warned_of(write: Callable[..., Path]) -> None:
    now = datetime.now(UTC)
    for days, text in ((3, "CN=soon expires on"), (-1, "CN=soon has expired: it expired on")):
        end = now + timedelta(days=days)
        soon = certify("CN=soon", ROOT, not_before=now - timedelta(days=9), not_after=end)
        write("x509/soon.crt", pem(soon), 0o644)
        write("private/soon.key", private(soon))
        warnings = load(write("ike.toml", CONNECTION)).warnings
        assert [one for one in warnings if text in one.message]


def test_without_public_keys_no_directory_is_read(write: Callable[..., Path]) -> None:
    write("private/broken.key", b"no key")
    psk = CONNECTION.replace('"pubkey"', '"psk"')
    configuration = load(
        write("ike.toml", psk + '[secrets.a]\nsecret = "a secret of 24 octets ok"')
    )
    assert isinstance(configuration.credentials, NoCredentials)


def test_the_subject_is_the_identity_where_none_is_given(write: Callable[..., Path]) -> None:
    write("x509/west.crt", pem(WEST), 0o644)
    write("private/west.key", private(WEST))
    text = CONNECTION.replace('id = "west.example"', 'certs = "west.crt"')
    (connection,) = load(write("ike.toml", text)).connections
    identity = connection.local.id.identity
    assert identity is not None
    assert identity.type is IdType.DER_ASN1_DN
    assert str(identity) == "CN=west"


def test_a_private_key_others_can_read_is_refused(write: Callable[..., Path]) -> None:
    path = write("private/west.key", private(WEST), 0o644)
    told = mistakes(write("ike.toml", CONNECTION))
    assert f"{path}: its mode 0644 lets others at it: chmod 600" in told


def test_an_encrypted_key_needs_its_passphrase(write: Callable[..., Path]) -> None:
    write("x509/west.crt", pem(WEST), 0o644)
    write("private/west.key", private(WEST, BestAvailableEncryption(b"open sesame")))
    without = mistakes(write("ike.toml", CONNECTION))
    assert 'give its passphrase in [secrets.NAME], file = "west.key"' in without
    secret = '[secrets.key]\nfile = "west.key"\nsecret = "{}"'
    wrong = mistakes(write("ike.toml", CONNECTION + secret.format("open")))
    assert "or another passphrase" in wrong
    configuration = load(write("ike.toml", CONNECTION + secret.format("open sesame")))
    assert proves(configuration.credentials, configuration.connections[0].local)
    assert configuration.secrets == ()


def test_a_bundle_holds_the_key_and_the_certificate(write: Callable[..., Path]) -> None:
    encryption = BestAvailableEncryption(b"open sesame")
    bundle = pkcs12.serialize_key_and_certificates(
        b"west",
        WEST.key,  # type: ignore[arg-type]
        WEST.certificate,
        [ROOT.certificate],
        encryption,
    )
    write("pkcs12/west.p12", bundle)
    secret = '[secrets.key]\nfile = "west.p12"\nsecret = "open sesame"'
    configuration = load(write("ike.toml", CONNECTION + secret))
    (connection,) = configuration.connections
    assert proves(configuration.credentials, connection.local)
    # What comes with a key is not trusted for that.
    assert configuration.credentials.authorities([connection.remote]) == ()


def test_raw_public_keys_are_named_by_their_files(write: Callable[..., Path]) -> None:
    key = WEST.key.public_key()
    write("pubkey/west.pub", key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    write("private/west.key", private(WEST))
    text = CONNECTION.replace('id = "west.example"', 'id = "west.example"\npubkeys = "west.pub"')
    configuration = load(write("ike.toml", text))
    assert proves(configuration.credentials, configuration.connections[0].local)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('auth = "pubkey"\ncerts = "none.crt"', "No such file"),
        ('auth = "pubkey"\ncerts = "broken.crt"', "no certificate"),
        ('auth = "pubkey"\npubkeys = "broken.pub"', "no public key"),
        ('auth = "psk"\ncerts = "west.crt"', 'it needs auth = "pubkey"'),
        ('auth = "rsa-2048-md5"', "'md5' is none of pubkey, rsa"),
        ('auth = "3072"', "the strength 3072 stands behind rsa or ecdsa only"),
    ],
)
def test_what_cannot_be_used_is_a_mistake_of_its_place(
    write: Callable[..., Path], text: str, told: str
) -> None:
    write("x509/west.crt", pem(WEST), 0o644)
    write("x509/broken.crt", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", 0o644)
    write("pubkey/broken.pub", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", 0o644)
    found = mistakes(write("ike.toml", CONNECTION.replace('auth = "pubkey"', text, 1)))
    assert told in found
    assert "connections.gw.local" in found


@pytest.mark.parametrize(
    ("text", "policy", "recheck"),
    [
        ("", RevocationPolicy.RELAXED, 0.0),
        ('revocation = "strict"', RevocationPolicy.STRICT, 0.0),
        ('revocation = "ifuri"\nrevocation_recheck = "1h"', RevocationPolicy.IFURI, 3600.0),
    ],
)
def test_what_is_asked_of_revocation(
    write: Callable[..., Path], text: str, policy: RevocationPolicy, recheck: float
) -> None:
    write("x509crl/root.crl", der_of(crl_of(ROOT)), 0o644)
    place = 'id = "east.example"'
    configuration = load(write("ike.toml", CONNECTION.replace(place, f"{place}\n{text}")))
    remote = configuration.connections[0].remote
    assert (remote.revocation, remote.revocation_recheck) == (policy, recheck)
    assert [one.issuer for one in configuration.crls] == [ROOT.certificate.subject]


@pytest.mark.parametrize("timeout", ["0", "500ms", "2m"])
def test_patience_with_servers_has_bounds(write: Callable[..., Path], timeout: str) -> None:
    text = f'[daemon]\nrevocation_timeout = "{timeout}"\n{CONNECTION}'
    assert "from 1 to 50 seconds expected" in mistakes(write("ike.toml", text))


def test_where_certificates_may_come_from_is_said_with_a_path(write: Callable[..., Path]) -> None:
    write("x509/west.crt", pem(WEST), 0o644)
    for text, message in (
        ('cert_urls = "ftp://certs.example/"', "an http URL with a path expected"),
        ('cert_urls = "http://certs.example"', "an http URL with a path expected"),
    ):
        changed = CONNECTION.replace('id = "east.example"', f'id = "east.example"\n{text}')
        with pytest.raises(ConfigurationFaults, match=message):
            load(write("ike.toml", changed))
