"""What is known of whether certificates are revoked, and what a connection makes of that."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass


class Revocation(enum.Enum):
    """What is known of a certificate."""

    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class RevocationFinding:
    """What is known of a certificate, and from where, or why not more.

    `is_named` tells whether the certificate names a place where it could be asked.
    """

    status: Revocation
    text: str
    is_named: bool = False


class RevocationPolicy(enum.Enum):
    """What has to be known of a peer's certificates, in the words of swanctl.conf.

    RELAXED refuses what is known to be revoked, STRICT also what is not known to be good. IFURI is
    strict with certificates that name a place to ask, and relaxed with others.
    """

    STRICT = "strict"
    IFURI = "ifuri"
    RELAXED = "relaxed"

    def refusal(self, findings: Sequence[RevocationFinding]) -> str:
        """Why a path is refused, or nothing; what is revoked is told before what is unknown."""
        for one in findings:
            if one.status is Revocation.REVOKED:
                return one.text
        for one in findings:
            if one.status is Revocation.UNKNOWN and self._insists(one):
                return f'{one.text} (revocation = "{self.value}")'
        return ""

    def _insists(self, finding: RevocationFinding) -> bool:
        if self is RevocationPolicy.IFURI:
            return finding.is_named
        return self is RevocationPolicy.STRICT
