"""No secret is told: S11 of the invariants. The simulation knows all keys, and looks for them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ikeactors.protocol.ikev2.ike_sa import IkeSa
from tests.simulation.verdict import Record

# As much of a key as is looked for: what is shorter may be an SPI or chance.
_OCTETS = 12
_DIGITS = 2 * _OCTETS
_HEXADECIMAL = re.compile(f"[0-9a-fA-F]{{{_DIGITS},}}")


class SecretsAudit:
    """All keys there have been, and all that has been told that looks like one.

    A key may be told before it is in use, and after.
    """

    def __init__(self, record: Record, phrases: Iterable[bytes]) -> None:
        self._record = record
        self._phrases = tuple(phrases)
        self._keys: set[str] = set()
        self._told: dict[str, str] = {}

    def keyed(self, keys: Iterable[bytes]) -> None:
        """These are in use somewhere."""
        for key in keys:
            digits = key[:_OCTETS].hex()
            if len(digits) < _DIGITS or digits in self._keys:
                continue
            self._keys.add(digits)
            if digits in self._told:
                self._record.breaks("S11", f"a key is told in {self._told[digits]}")

    def told(self, where: str, text: str) -> None:
        """Somebody can read this."""
        for phrase in self._phrases:
            if phrase.decode() in text or phrase.hex() in text:
                self._record.breaks("S11", f"a pre-shared key is told in {where}")
        if "\\x" in text and any(repr(bytes.fromhex(one))[2:-1] in text for one in self._keys):
            self._record.breaks("S11", f"a key is told in {where}")
        for run in _HEXADECIMAL.findall(text):
            for at in range(len(run) - _DIGITS + 1):
                digits = run[at : at + _DIGITS].lower()
                self._told.setdefault(digits, where)
                if digits in self._keys:
                    self._record.breaks("S11", f"a key is told in {where}")


def keys_of(ike_sa: IkeSa) -> tuple[bytes, ...]:
    """All keys of an IKE SA."""
    keys = ike_sa.keys
    return (keys.sk_d, keys.sk_ai, keys.sk_ar, keys.sk_ei, keys.sk_er, keys.sk_pi, keys.sk_pr)
