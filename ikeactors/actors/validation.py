"""What DNSSEC proves of a name: from a trust anchor down, or as a resolver of ours says.

Signatures are dnspython's to check; here is which key has to have signed what. Only what is there
is proven: that something is not there changes nothing for us, and wildcards are not believed, which
would need that proof. Needs the extra `dnssec`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

import dns.dnssec
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.node
import dns.rcode
import dns.rdataclass
import dns.rdataset
import dns.rdatatype
import dns.rrset
import dns.zonefile

from ikeactors.crypto.pki.ipseckey import read_ipseckey
from ikeactors.errors import AuthenticationFailed, Fault
from ikeactors.protocol.events import Address

# Ours: a name five zones below the root takes twelve.
MAX_QUERIES = 32
# Ours: zones have two to five keys, and two signatures while one replaces the other. What a zone
# can make us verify is the product.
MAX_KEYS = 12
MAX_SIGNATURES = 4
# Ours: a name for a name for a name is a mistake.
MAX_ALIASES = 4
# Ours: a gateway has a few.
MAX_RECORDS = 16

_A, _AAAA = dns.rdatatype.A, dns.rdatatype.AAAA
_DS, _DNSKEY, _RRSIG = dns.rdatatype.DS, dns.rdatatype.DNSKEY, dns.rdatatype.RRSIG
_CNAME, _IPSECKEY = dns.rdatatype.CNAME, dns.rdatatype.IPSECKEY
_ZONE_KEY, _REVOKED = 0x100, 0x80
_DIGESTS = {2: "SHA256", 4: "SHA384"}

Ask = Callable[[dns.message.Message], Awaitable[dns.message.Message]]
# What is in a record depends on its kind; dnspython's types do not say it.
Record = Any
# By zone: the DS or DNSKEY records that are believed.
ZoneKeys = dict[dns.name.Name, dns.node.Node | dns.rdataset.Rdataset]
Anchors = Mapping[dns.name.Name, dns.rdataset.Rdataset]


class Unproven(Fault):
    """DNSSEC proves nothing of a name; the text says why."""


@dataclass(frozen=True, slots=True)
class Proven:
    """Addresses or keys (SubjectPublicKeyInfo) of a name, and how long that holds."""

    addresses: tuple[Address, ...] = ()
    keys: tuple[bytes, ...] = ()
    until: float = 0.0


def read_anchors(text: str) -> Anchors:
    """DS or DNSKEY records as in a zone file, such as Debian's root.key. Raises ValueError."""
    try:
        found = dns.zonefile.read_rrsets(text, rdclass=None, default_ttl=0)
    except dns.exception.DNSException as error:
        raise ValueError(f"no records of a zone: {error}") from None
    anchors = {one.name: one.to_rdataset() for one in found if one.rdtype in (_DS, _DNSKEY)}
    if not anchors:
        raise ValueError("there is no DS or DNSKEY record in it")
    return anchors


@dataclass(slots=True)
class Validator:
    """Asks a resolver. Without anchors it is one that validates, and is believed (RFC 4035
    section 4.9.3)."""

    ask: Ask
    anchors: Anchors | None
    wall_clock: Callable[[], float]

    async def addresses(self, name: str) -> Proven:
        """The addresses of a host. Raises `Unproven`."""
        walk = self._walk()
        found: list[dns.rrset.RRset] = []
        problem = ""
        for kind in (_A, _AAAA):
            try:
                found += await walk.proven(_absolute(name), kind)
            except Unproven as fault:
                problem = problem or str(fault)
        if not found:
            raise Unproven(problem or f"{name} has no address")
        octets = [ip_address(one.address) for records in found for one in records]
        return Proven(addresses=tuple(octets[:MAX_RECORDS]), until=walk.until)

    async def keys(self, name: str) -> Proven:
        """The keys that the IPSECKEY records of a name have (RFC 4025 section 2). Raises
        `Unproven`."""
        walk = self._walk()
        found = await walk.proven(_absolute(name), _IPSECKEY)
        records = [one for several in found for one in several][:MAX_RECORDS]
        keys: dict[bytes, None] = {}
        problem = f"{name} has no IPSECKEY record"
        for record in sorted(records, key=lambda one: one.precedence):
            try:
                keys[read_ipseckey(record.algorithm, record.key)] = None
            except AuthenticationFailed as fault:
                problem = f"{name}: {fault}"
        if not keys:
            raise Unproven(problem)
        return Proven(keys=tuple(keys), until=walk.until)

    def _walk(self) -> _Walk:
        return _Walk(self.ask, self.anchors, self.wall_clock())


@dataclass(slots=True)
class _Walk:
    """One question, and all that are asked to answer it."""

    ask: Ask
    anchors: Anchors | None
    now: float
    until: float = float("inf")
    queries: int = 0
    zones: dict[dns.name.Name, dns.rrset.RRset] = field(default_factory=dict)

    async def proven(
        self, name: dns.name.Name, kind: dns.rdatatype.RdataType
    ) -> list[dns.rrset.RRset]:
        """The records of a name, or of what it is an alias of; at most one set of them."""
        for _ in range(MAX_ALIASES):
            response = await self._put(name, kind)
            found = await self._believed(response, name, kind)
            if found is not None:
                return [found]
            alias = await self._believed(response, name, _CNAME)
            if alias is None:
                return []
            name = next(iter(alias)).target
        raise Unproven(f"{name}: more than {MAX_ALIASES} aliases")

    async def _believed(
        self, response: dns.message.Message, name: dns.name.Name, kind: dns.rdatatype.RdataType
    ) -> dns.rrset.RRset | None:
        """What a response has of a kind, if it is proven."""
        found = response.get_rrset(response.answer, name, dns.rdataclass.IN, kind)
        if found is None:
            return None
        self.until = min(self.until, self.now + found.ttl)
        if self.anchors is None:
            return found
        signatures = response.get_rrset(
            response.answer, name, dns.rdataclass.IN, _RRSIG, covers=kind
        )
        if signatures is None:
            raise Unproven(f"{_of(name, kind)} is not signed")
        problems: dict[str, None] = {}
        for signature in list(signatures)[:MAX_SIGNATURES]:
            try:
                await self._check(found, signature)
                self.until = min(self.until, float(signature.expiration))
                return found
            except Unproven as fault:
                problems[str(fault)] = None
        raise Unproven("; ".join(problems))

    async def _check(self, found: dns.rrset.RRset, signature: Record) -> None:
        """Whether a signature is right, and its signer's to make."""
        name, kind, zone = found.name, found.rdtype, signature.signer
        may_sign = name.is_subdomain(zone) and (kind != _DS or name != zone)
        if not may_sign:
            raise Unproven(f"{_of(name, kind)} is signed by {zone}, whose it is not")
        if signature.labels != len(name.labels) - 1:
            raise Unproven(f"{_of(name, kind)} is made by a wildcard, which is not believed")
        keys = await self._keys_of(zone)
        self._validate(found, signature, {zone: keys.to_rdataset()})

    def _validate(
        self,
        found: dns.rrset.RRset,
        signature: Record,
        keys: ZoneKeys,
    ) -> None:
        try:
            dns.dnssec.validate_rrsig(found, signature, keys, now=self.now)
        except dns.exception.DNSException as error:
            what = _of(found.name, found.rdtype)
            raise Unproven(f"the signature of {what} does not hold: {error}") from None

    async def _keys_of(self, zone: dns.name.Name) -> dns.rrset.RRset:
        """The keys of a zone, by what is above it or by an anchor."""
        known = self.zones.get(zone)
        if known is not None:
            return known
        believed = await self._believed_of(zone)
        response = await self._put(zone, _DNSKEY)
        keys = response.get_rrset(response.answer, zone, dns.rdataclass.IN, _DNSKEY)
        signatures = response.get_rrset(
            response.answer, zone, dns.rdataclass.IN, _RRSIG, covers=_DNSKEY
        )
        if keys is None or signatures is None or len(keys) > MAX_KEYS:
            raise Unproven(f"{zone} has no keys that are signed, or more than {MAX_KEYS}")
        entries = [one for one in keys if _is_zone_key(one) and _matches(zone, one, believed)]
        if not entries:
            raise Unproven(f"no key of {zone} is the one that is believed")
        trusted = dns.rdataset.from_rdata_list(keys.ttl, entries)
        self._check_own(keys, list(signatures)[:MAX_SIGNATURES], {zone: trusted})
        self.until = min(self.until, self.now + keys.ttl)
        self.zones[zone] = keys
        return keys

    def _check_own(
        self,
        keys: dns.rrset.RRset,
        signatures: Iterable[Record],
        trusted: ZoneKeys,
    ) -> None:
        """A zone signs its own keys."""
        problem = ""
        for signature in signatures:
            try:
                self._validate(keys, signature, trusted)
            except Unproven as fault:
                problem = str(fault)
            else:
                return
        raise Unproven(problem)

    async def _believed_of(self, zone: dns.name.Name) -> Iterable[Record]:
        """The records by which its keys are known."""
        assert self.anchors is not None
        anchor = self.anchors.get(zone)
        if anchor is not None:
            return anchor
        if not any(zone.is_subdomain(one) for one in self.anchors):
            raise Unproven(f"{zone} is below no trust anchor")
        response = await self._put(zone, _DS)
        found = await self._believed(response, zone, _DS)
        if found is None:
            raise Unproven(f"the zone above {zone} says nothing of its keys (no DS)")
        return found

    async def _put(self, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> dns.message.Message:
        self.queries += 1
        if self.queries > MAX_QUERIES:
            raise Unproven(f"{name}: it takes more than {MAX_QUERIES} questions")
        query = dns.message.make_query(name, kind, want_dnssec=True, payload=1232)
        query.flags |= dns.flags.AD if self.anchors is None else dns.flags.CD
        response = await self.ask(query)
        code = response.rcode()
        if code == dns.rcode.NXDOMAIN:
            raise Unproven(f"{name}: there is no such name (NXDOMAIN)")
        if code != dns.rcode.NOERROR:
            wrong = ", as it does where signatures are wrong" if code == dns.rcode.SERVFAIL else ""
            raise Unproven(f"{name}: the resolver answers {dns.rcode.to_text(code)}{wrong}")
        if self.anchors is None and not response.flags & dns.flags.AD:
            raise Unproven(f"{_of(name, kind)} is not signed, as far as the resolver says (no AD)")
        return response


def _absolute(name: str) -> dns.name.Name:
    try:
        return dns.name.from_text(name)
    except dns.exception.DNSException as error:
        raise Unproven(f"{name!r} is no name of DNS: {error}") from None


def _is_zone_key(key: Record) -> bool:
    return bool(key.flags & _ZONE_KEY) and not key.flags & _REVOKED and key.protocol == 3


def _matches(zone: dns.name.Name, key: Record, believed: Iterable[Record]) -> bool:
    """Whether one of the records is this key, or its digest."""
    for one in believed:
        if one == key:
            return True
        digest = _DIGESTS.get(one.digest_type) if one.rdtype == _DS else None
        if digest and dns.dnssec.make_ds(zone, key, digest) == one:
            return True
    return False


def _of(name: dns.name.Name, kind: dns.rdatatype.RdataType) -> str:
    return f"{dns.rdatatype.to_text(kind)} of {name}"
