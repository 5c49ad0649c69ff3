"""Certificate policies along a path (RFC 5280 section 6.1), which OpenSSL's default leaves out.

The valid policies are kept as the graph of RFC 9618, which does not grow with the path: of each
level only the last matters, and of a node only which of the first authority's policies lead to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.x509.oid import ExtensionOID

from ikeactors.crypto.pki.bindings import same_name
from ikeactors.crypto.pki.certificates import describe
from ikeactors.crypto.pki.profile import extension
from ikeactors.errors import CertificateRefused

Oid = x509.ObjectIdentifier

ANY_POLICY = Oid("2.5.29.32.0")

# Ours: a certificate with more policies than that is nobody's.
_MAX_POLICIES = 64


@dataclass(frozen=True, slots=True)
class PolicyDemand:
    """What is asked of a path: object identifiers, or any policy where none is wanted."""

    wanted: tuple[str, ...] = ()
    explicit: bool = False
    inhibit_mapping: bool = False
    inhibit_any: bool = False


ANY_OR_NO_POLICY = PolicyDemand()


@dataclass(frozen=True, slots=True)
class _Node:
    """A policy that is valid so far: what the next certificate may call it, and its roots."""

    expected: frozenset[Oid]
    roots: frozenset[Oid]


_Level = dict[Oid, _Node]


@dataclass(slots=True)
class _State:
    """The variables of the algorithm (RFC 5280 section 6.1.2)."""

    explicit: int
    mapping: int
    inhibit_any: int
    level: _Level = field(
        default_factory=lambda: {
            ANY_POLICY: _Node(frozenset({ANY_POLICY}), frozenset({ANY_POLICY}))
        }
    )


def check_policies(path: Sequence[x509.Certificate], demand: PolicyDemand) -> frozenset[Oid]:
    """The policies a path is valid for; `path` begins with the end entity, ends with the anchor.

    Raises CertificateRefused.
    """
    count = len(path) - 1
    state = _State(
        0 if demand.explicit else count + 1,
        0 if demand.inhibit_mapping else count + 1,
        0 if demand.inhibit_any else count + 1,
    )
    for certificate in reversed(path[1:-1]):
        _certify(state, certificate, is_last=False)
        _prepare(state, certificate)
    for certificate in path[:1] if count else ():
        _certify(state, certificate, is_last=True)
        state.explicit = max(state.explicit - 1, 0)
        constraints = extension(certificate, x509.PolicyConstraints)
        if constraints is not None and constraints.require_explicit_policy == 0:
            state.explicit = 0
    valid = _wanted_of(state.level, frozenset(map(Oid, demand.wanted)))
    if not valid and not state.explicit:
        asked = ", ".join(sorted(demand.wanted)) or "any policy"
        raise CertificateRefused(
            f"{describe(path[0])}: no certificate policy is valid along its path; "
            f"a policy is required, and asked for is {asked}"
        )
    return valid


def _certify(state: _State, certificate: x509.Certificate, *, is_last: bool) -> None:
    """Steps d, e and f (RFC 5280 section 6.1.3)."""
    policies = extension(certificate, x509.CertificatePolicies)
    if policies is None:
        state.level = {}
    elif state.level:
        named = [one.policy_identifier for one in list(policies)[:_MAX_POLICIES]]
        may_be_any = state.inhibit_any > 0 or (not is_last and _is_self_issued(certificate))
        state.level = _next_level(state.level, named, may_be_any=may_be_any)
    if not state.explicit and not state.level:
        raise CertificateRefused(
            f"{describe(certificate)}: a certificate policy is required, and none is valid"
        )


def _next_level(above: _Level, named: Iterable[Oid], *, may_be_any: bool) -> _Level:
    level: _Level = {}
    named = tuple(named)
    for policy in named:
        roots = _roots_of(above, policy)
        if policy != ANY_POLICY and roots:
            level[policy] = _Node(frozenset({policy}), roots)
    if ANY_POLICY in named and may_be_any:
        expected = {policy for node in above.values() for policy in node.expected}
        for policy in expected - level.keys():
            roots = frozenset().union(*(n.roots for n in above.values() if policy in n.expected))
            level[policy] = _Node(frozenset({policy}), roots)
    return level


def _roots_of(above: _Level, policy: Oid) -> frozenset[Oid]:
    parents = [node for node in above.values() if policy in node.expected]
    if parents:
        return frozenset().union(*(_led_by(node, policy) for node in parents))
    return _led_by(above[ANY_POLICY], policy) if ANY_POLICY in above else frozenset()


def _led_by(node: _Node, policy: Oid) -> frozenset[Oid]:
    """What leads to a child of this node: below any policy, the child is its own root."""
    return frozenset({policy}) if ANY_POLICY in node.roots else node.roots


def _prepare(state: _State, certificate: x509.Certificate) -> None:
    """What an authority's certificate says of those below it (RFC 5280 section 6.1.4)."""
    _map(state, certificate)
    if not _is_self_issued(certificate):
        state.explicit = max(state.explicit - 1, 0)
        state.mapping = max(state.mapping - 1, 0)
        state.inhibit_any = max(state.inhibit_any - 1, 0)
    constraints = extension(certificate, x509.PolicyConstraints)
    if constraints is not None:
        if constraints.require_explicit_policy is not None:
            state.explicit = min(state.explicit, constraints.require_explicit_policy)
        if constraints.inhibit_policy_mapping is not None:
            state.mapping = min(state.mapping, constraints.inhibit_policy_mapping)
    inhibited = extension(certificate, x509.InhibitAnyPolicy)
    if inhibited is not None:
        state.inhibit_any = min(state.inhibit_any, inhibited.skip_certs)


def _map(state: _State, certificate: x509.Certificate) -> None:
    for issuer, subjects in _mappings(certificate).items():
        if ANY_POLICY in (issuer, *subjects):
            raise CertificateRefused(f"{describe(certificate)}: it maps to or from any policy")
        node = state.level.get(issuer)
        anything = state.level.get(ANY_POLICY)
        if not state.mapping:
            state.level.pop(issuer, None)
        elif node is not None:
            state.level[issuer] = _Node(frozenset(subjects), node.roots)
        elif anything is not None:
            state.level[issuer] = _Node(frozenset(subjects), _led_by(anything, issuer))


@asn1.sequence
class _Mapping:
    issuer: Oid
    subject: Oid


@asn1.sequence
class _Mappings:
    pairs: list[_Mapping]


def _mappings(certificate: x509.Certificate) -> dict[Oid, list[Oid]]:
    """The subject's policies by the issuer's (RFC 5280 section 4.2.1.5)."""
    try:
        value = certificate.extensions.get_extension_for_oid(ExtensionOID.POLICY_MAPPINGS).value
    except x509.ExtensionNotFound:
        return {}
    try:
        pairs = asn1.decode_der(_Mappings, _inside_a_sequence(value.public_bytes())).pairs
    except ValueError:
        raise CertificateRefused(
            f"{describe(certificate)}: its policy mappings are malformed"
        ) from None
    if len(pairs) > _MAX_POLICIES:
        raise CertificateRefused(f"{describe(certificate)}: it has {len(pairs)} policy mappings")
    mapped: dict[Oid, list[Oid]] = {}
    for pair in pairs:
        mapped.setdefault(pair.issuer, []).append(pair.subject)
    return mapped


def _inside_a_sequence(der: bytes) -> bytes:
    """The decoder begins with a SEQUENCE of fields: give it one."""
    length = len(der)
    if length < 0x80:
        return bytes((0x30, length)) + der
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((0x30, 0x80 | len(octets))) + octets + der


def _wanted_of(level: _Level, wanted: frozenset[Oid]) -> frozenset[Oid]:
    roots = frozenset().union(*(node.roots for node in level.values()))
    if not wanted or ANY_POLICY in wanted:
        return roots
    return wanted if ANY_POLICY in roots else roots & wanted


def _is_self_issued(certificate: x509.Certificate) -> bool:
    return same_name(certificate.subject.public_bytes(), certificate.issuer.public_bytes())
