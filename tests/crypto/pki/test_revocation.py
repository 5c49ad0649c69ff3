"""What a connection makes of what is known."""

from __future__ import annotations

import pytest

from ikeactors.crypto.pki.revocation import Revocation, RevocationFinding, RevocationPolicy

GOOD = RevocationFinding(Revocation.GOOD, "CN=a is on no CRL")
REVOKED = RevocationFinding(Revocation.REVOKED, "CN=a is revoked")
UNKNOWN = RevocationFinding(Revocation.UNKNOWN, "CN=a: there is no CRL")
UNREACHED = RevocationFinding(Revocation.UNKNOWN, "CN=a: no answer", is_named=True)

STRICT, IFURI, RELAXED = RevocationPolicy


@pytest.mark.parametrize(
    ("findings", "refusing"),
    [
        ((), ()),
        ((GOOD, GOOD), ()),
        ((GOOD, REVOKED), (STRICT, IFURI, RELAXED)),
        ((UNKNOWN, GOOD), (STRICT,)),
        ((GOOD, UNREACHED), (STRICT, IFURI)),
    ],
)
def test_each_policy_refuses_what_it_says(
    findings: tuple[RevocationFinding, ...], refusing: tuple[RevocationPolicy, ...]
) -> None:
    """Case E22."""
    assert tuple(one for one in RevocationPolicy if one.refusal(findings)) == refusing


def test_what_is_revoked_is_told_before_what_is_unknown() -> None:
    assert STRICT.refusal((UNKNOWN, REVOKED)) == "CN=a is revoked"


def test_a_refusal_for_want_of_knowledge_names_the_option() -> None:
    assert IFURI.refusal((UNREACHED,)) == 'CN=a: no answer (revocation = "ifuri")'
