"""The data plane against what should be there, as maps of plain values."""

from __future__ import annotations

from collections.abc import Iterator

from ikeactors.actors.reconciling import Comparison
from ikeactors.admin.facts import Facts
from ikeactors.kernel.inventory import Difference
from ikeactors.kernel.requests import PolicyRequest, SaId


def comparison_facts(comparison: Comparison) -> Facts:
    """How much should be there, is there, and differs."""
    found, inventory = comparison.difference, comparison.inventory
    return {
        "sas": {
            "wanted": comparison.wanted_sas,
            "missing": len(found.missing_sas),
            "orphans": len(found.orphan_sas),
            "foreign": comparison.foreign_sas,
        },
        "policies": {
            "wanted": comparison.wanted_policies,
            "missing": len(found.missing_policies),
            "orphans": len(found.orphan_policies),
            "replaced": len(found.replaced_policies),
            "foreign": inventory.foreign_policies,
        },
    }


def difference_facts(found: Difference) -> Iterator[Facts]:
    """Each entry that differs."""
    for sa_id in found.missing_sas:
        yield _fact("sa", "missing", _sa(sa_id))
    for sa_id in found.orphan_sas:
        yield _fact("sa", "orphan", _sa(sa_id))
    for policy in found.missing_policies:
        yield _fact("policy", "missing", _policy(policy))
    for policy in found.replaced_policies:
        yield _fact("policy", "replaced", _policy(policy))
    for stray in found.orphan_policies:
        yield _fact("policy", "orphan", stray.text)


def _fact(what: str, state: str, text: str) -> Facts:
    return {"what": what, "state": state, "text": text}


def _sa(sa_id: SaId) -> str:
    return f"{sa_id.protocol.name} {sa_id.spi:08x} {sa_id.source} > {sa_id.destination}"


def _policy(policy: PolicyRequest) -> str:
    return f"{policy.direction.name.lower()} {policy.source} === {policy.destination}"
