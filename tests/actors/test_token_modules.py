"""Keys on tokens: what is found of them, what they sign, and what is said where they do not."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from pkcs11 import Mechanism

from ikeactors.actors.token_modules import Modules
from ikeactors.actors.tokens import TokenReference, TokenRefused
from ikeactors.crypto.signature_schemes import SCHEMES, SignatureScheme
from ikeactors.crypto.signatures import PrivateKey, is_right
from tests.crypto.pki.making import certify
from tests.fakes.tokens import HANDLE, PIN, FakeLibrary, FakeToken
from tests.lab import tokens
from tests.lab.needs import SOFTHSM, require

OCTETS = b"what IKE_AUTH signs" * 40
KEY = TokenReference("gw", "/lib/module.so", HANDLE, label="gw", pin=PIN)
WHO = "key 01 of secrets.gw (token 'gw', module /lib/module.so): "


def scheme(name: str) -> SignatureScheme:
    return next(one for one in SCHEMES if str(one) == name)


ECDSA = scheme("ecdsa-sha256")


def modules_of(*tokens: FakeToken) -> Modules:
    library = FakeLibrary(list(tokens))
    return Modules(lambda path: library)


def refusal_of(work: Callable[[], object]) -> str:
    with pytest.raises(TokenRefused) as caught:
        work()
    return str(caught.value)


def test_a_key_on_a_token_signs() -> None:
    token = FakeToken()
    modules = modules_of(token)
    found = modules.look(KEY)
    assert (found.label, ECDSA in found.schemes) == ("gw", True)
    assert is_right(found.public, ECDSA, modules.sign(KEY, ECDSA, OCTETS), OCTETS)
    assert token.logins == 1


def test_a_token_that_was_away_is_opened_again() -> None:
    token = FakeToken()
    modules = modules_of(token)
    modules.sign(KEY, ECDSA, OCTETS)
    token.plugged = False
    assert refusal_of(lambda: modules.sign(KEY, ECDSA, OCTETS)) == WHO + "there is no such token"
    assert not modules.is_there(KEY)
    token.plugged = True
    assert modules.is_there(KEY)
    modules.sign(KEY, ECDSA, OCTETS)
    assert token.logins == 2


def test_a_wrong_pin_is_not_shown_again_until_the_configuration_is_read_again() -> None:
    token, wrong = FakeToken(), replace(KEY, pin="8642")
    modules = modules_of(token)
    assert refusal_of(lambda: modules.look(wrong)) == WHO + "the PIN is wrong"
    assert "not tried again before reload-creds" in refusal_of(
        lambda: modules.sign(wrong, ECDSA, OCTETS)
    )
    assert token.wrong_pins == 1
    modules.try_pins_again()
    refusal_of(lambda: modules.look(wrong))
    assert token.wrong_pins == 2


@pytest.mark.parametrize(
    ("flags", "text"),
    [(0x40000, "the token is locked"), (0x20000, "one more wrong PIN would lock the token")],
)
def test_a_token_is_not_locked_by_us(flags: int, text: str) -> None:
    token = FakeToken(extra_flags=flags)
    assert text in refusal_of(lambda: modules_of(token).look(KEY))
    assert token.logins == token.wrong_pins == 0


@pytest.mark.parametrize(
    ("reference", "token", "text"),
    [
        (replace(KEY, label="other"), FakeToken(), "there is no such token"),
        (replace(KEY, slot=6), FakeToken(), "there is no such token"),
        (replace(KEY, handle=b"\x02"), FakeToken(), "no private key has this handle"),
        (replace(KEY, pin=""), FakeToken(), "or it shows only with a pin"),
        (KEY, FakeToken(mechanisms={Mechanism.RSA_PKCS}), "has no mechanism for ecdsa-sha256"),
        (KEY, FakeToken(lies=True), "does not fit its public key"),
    ],
)
def test_a_refusal_says_why_no_signature_is_there(
    reference: TokenReference, token: FakeToken, text: str
) -> None:
    refusal = refusal_of(lambda: modules_of(token).sign(reference, ECDSA, OCTETS))
    assert text in refusal
    assert refusal.startswith(f"key {reference.handle.hex()} of secrets.gw (")


def test_a_module_that_cannot_be_loaded_is_named() -> None:
    reference = replace(KEY, module="/nowhere/module.so")
    assert "/nowhere/module.so" in refusal_of(lambda: Modules().look(reference))


KEYS: dict[str, Callable[[], PrivateKey]] = {
    "rsa/pss-sha256": lambda: rsa.generate_private_key(65537, 2048),
    "rsa-sha512": lambda: rsa.generate_private_key(65537, 2048),
    "ecdsa-sha256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ecdsa-sha384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
}


@pytest.mark.parametrize("name", KEYS)
@pytest.mark.parametrize("certified", [True, False])
def test_a_token_of_software_signs_by(
    name: str, certified: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require("tokens")
    monkeypatch.setenv(tokens.VARIABLE, os.environ.get(tokens.VARIABLE, ""))
    key = KEYS[name]()
    token = tokens.SoftToken(tmp_path / "hsm", "lab")
    # What it is not signed by does not matter here.
    certificate = certify("CN=gw", None, key=key).certificate if certified else None
    token.hold("01a2", key, certificate)
    modules = Modules()
    wrong = TokenReference("gw", str(SOFTHSM), b"\x01\xa2", label="lab", pin="999999")
    assert "the PIN is wrong" in refusal_of(lambda: modules.look(wrong))
    reference = TokenReference("gw", str(SOFTHSM), b"\x01\xa2", label="lab", pin=tokens.PIN)
    found = modules.look(reference)
    assert found.certificates == ((certificate,) if certificate else ())
    assert scheme(name) in found.schemes
    signature = modules.sign(reference, scheme(name), OCTETS)
    assert is_right(key.public_key(), scheme(name), signature, OCTETS)
