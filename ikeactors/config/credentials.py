"""The keyring of a configuration: from the directories of certificates and keys."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from ikeactors.actors.tokens import TokenReference
from ikeactors.config.certificates import LoadedFiles, load_files, spki_of
from ikeactors.config.mistakes import Mistakes
from ikeactors.config.tokens import LoadedTokens, load_tokens
from ikeactors.crypto.pki.certificates import EXPIRES_SOON, describe, public_key_of
from ikeactors.crypto.token_keys import OwnKey
from ikeactors.errors import CertificateRefused
from ikeactors.protocol.credentials import Credentials, NoCredentials
from ikeactors.protocol.settings import ConnectionSettings, Secret


def read_credentials(
    directory: Path,
    secrets: Iterable[Secret],
    tokens: Sequence[TokenReference],
    connections: Sequence[ConnectionSettings],
    mistakes: Mistakes,
) -> tuple[Credentials, tuple[x509.CertificateRevocationList, ...], LoadedTokens]:
    """Our keys, whom we believe, and the CRLs; nothing is read where no connection needs it."""
    ends = (end for one in connections for end in (*one.local_rounds, *one.remote_rounds))
    if not any(end.by_public_key for end in ends):
        return NoCredentials(), (), LoadedTokens()
    passphrases = {secret.file: secret.secret for secret in secrets if secret.file}
    loaded = load_files(directory, passphrases, mistakes)
    on_tokens = load_tokens(tokens, mistakes)
    keyring = _keyring(directory, loaded, on_tokens, mistakes)
    return keyring, tuple(loaded.lists), on_tokens


def _keyring(
    directory: Path, loaded: LoadedFiles, on_tokens: LoadedTokens, mistakes: Mistakes
) -> Credentials:
    try:
        import h11  # noqa: F401 - for revocation, which the same extra brings

        from ikeactors.protocol.keyring import Keyring, OwnCertificate
    except ImportError:
        mistakes.add_file(
            directory,
            'auth = "pubkey" needs pyOpenSSL and h11: the extra "certificates" of ikeactors',
        )
        return NoCredentials()
    own = []
    keys: dict[bytes, OwnKey] = {spki_of(one.public): one for one in on_tokens.keys}
    keys |= loaded.keys
    certificates = list(dict.fromkeys((*loaded.certificates, *on_tokens.certificates)))
    for certificate in certificates:
        try:
            key = keys.get(spki_of(public_key_of(certificate)))
        except CertificateRefused:
            continue
        if key is not None:
            own.append(OwnCertificate(certificate, key))
            _warn_of_expiry(directory, certificate, mistakes)
    raw_keys = tuple(keys.values())
    return Keyring(own, loaded.authorities, certificates, raw_keys, on_tokens.missing)


def _warn_of_expiry(directory: Path, certificate: x509.Certificate, mistakes: Mistakes) -> None:
    until = certificate.not_valid_after_utc
    left = (until - datetime.now(UTC)).total_seconds()
    if left < EXPIRES_SOON:
        verb = "expires" if left > 0 else "has expired: it expired"
        text = f"our certificate {describe(certificate)} {verb} on {until:%Y-%m-%d %H:%M} UTC"
        mistakes.warn_file(directory, text)
