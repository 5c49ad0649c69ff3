"""Certificates of a load: an authority, the gateway's, and one for each peer, all on one key.

Made once for each kind of key: what is measured is the gateway, and a key of its own for each of
thousands of peers would take minutes.
"""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from cryptography import x509

from ikeactors.protocol.keyring import Keyring, OwnCertificate
from tests.lab.certifying import KEYS, Holder, distinguished, key_usage, signed
from tests.lab.pki import ROOT, Pki, Wanted


class LoadCredentials:
    """The gateway's folder, and a keyring for each peer."""

    def __init__(self, key: str, gateway: str) -> None:
        self._kept = tempfile.TemporaryDirectory(prefix="ikb-")
        pki = Pki(Path(self._kept.name)).init(key=key)
        self.folder = pki.issue("gateway", Wanted([gateway], key, ROOT))
        self._root = pki.authority(ROOT)
        self._key = KEYS[key]()

    def of(self, name: str) -> Keyring:
        """The keyring of the peer of this name."""
        holder = self._certify(name)
        own = OwnCertificate(holder.certificate, holder.key)
        return Keyring([own], [self._root.certificate])

    def _certify(self, name: str) -> Holder:
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder(
            self._root.certificate.subject,
            distinguished("load", name),
            self._key.public_key(),
            x509.random_serial_number(),
            now - timedelta(days=1),
            now + timedelta(days=90),
        )
        names = x509.SubjectAlternativeName([x509.DNSName(name)])
        builder = builder.add_extension(names, critical=False)
        builder = builder.add_extension(self._root.identifier, critical=False)
        builder = builder.add_extension(key_usage(authority=False), critical=True)
        return signed(builder, self._key, self._root)


@cache
def credentials(key: str, gateway: str) -> LoadCredentials:
    """Those for a kind of key."""
    return LoadCredentials(key, gateway)
