"""Tokens of software, by SoftHSM: a folder with its own configuration, keys and certificates."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from ikeactors.crypto.signatures import PrivateKey
from tests.lab.commands import run
from tests.lab.needs import SOFTHSM
from tests.lab.peer import Section

PIN = "135790"
VARIABLE = "SOFTHSM2_CONF"


class SoftToken:
    """A token below a folder. Whoever uses it has `file` in `VARIABLE`."""

    def __init__(self, folder: Path, label: str) -> None:
        self.folder = folder
        self.label = label
        self.file = folder / "softhsm2.conf"
        (folder / "tokens").mkdir(parents=True)
        self.file.write_text(f"directories.tokendir = {folder}/tokens\nlog.level = ERROR\n")
        os.environ[VARIABLE] = str(self.file)
        run("softhsm2-util", "--init-token", "--free", "--label", label, *_PINS, "--so-pin", "2468")

    def hold(self, handle: str, key: PrivateKey, certificate: x509.Certificate | None) -> None:
        """Put a key on it, and a certificate."""
        os.environ[VARIABLE] = str(self.file)
        file = self.folder / "key.pem"
        file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        which = ("--token", self.label, "--label", f"key-{handle}", "--id", handle)
        run("softhsm2-util", "--import", str(file), *which, *_PINS)
        file.unlink()
        if certificate is not None:
            self._keep(handle, certificate)

    def _keep(self, handle: str, certificate: x509.Certificate) -> None:
        import pkcs11

        library = pkcs11.lib(str(SOFTHSM))
        library.reinitialize()
        with library.get_token(token_label=self.label).open(rw=True, user_pin=PIN) as session:
            session.create_object(
                {
                    pkcs11.Attribute.CLASS: pkcs11.ObjectClass.CERTIFICATE,
                    pkcs11.Attribute.CERTIFICATE_TYPE: pkcs11.CertificateType.X_509,
                    pkcs11.Attribute.TOKEN: True,
                    pkcs11.Attribute.ID: bytes.fromhex(handle),
                    pkcs11.Attribute.SUBJECT: certificate.subject.public_bytes(),
                    pkcs11.Attribute.VALUE: certificate.public_bytes(Encoding.DER),
                }
            )
        library.finalize()


_PINS = ("--pin", PIN)


def moved_to_token(folder: Path, name: str, token: SoftToken, handle: str) -> None:
    """What the folder of a holder has of its key and its certificate goes onto a token."""
    private, public = folder / f"private/{name}.pem", folder / f"x509/{name}.pem"
    key = load_pem_private_key(private.read_bytes(), None)
    token.hold(handle, key, x509.load_pem_x509_certificate(public.read_bytes()))  # type: ignore[arg-type]
    private.unlink()
    public.unlink()


def token_section(label: str, handle: str, pin: str = PIN) -> Section:
    """The section of the configuration that names a key of it."""
    return {
        "type": "token",
        "module": str(SOFTHSM),
        "handle": handle,
        "token_label": label,
        "pin": pin,
    }
