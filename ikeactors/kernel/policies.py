"""Policies: which is the more specific, and a database of them for a data plane of our own."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import NamedTuple

from ikeactors.kernel.flows import Flow, Matcher
from ikeactors.kernel.requests import Direction, Mark, PolicyAction, PolicyRequest
from ikeactors.wire.selectors import TrafficSelector

# Ours: flows whose policy is remembered. A router with more flows than this at once looks again.
MAX_REMEMBERED_FLOWS = 4096

# Ours: above what the formula below takes away (at most 256 address bits), so that it stays
# positive, and below half of what 32 bits hold, so that operators can set lower ones and higher.
_LEAST_SPECIFIC = 1 << 19
_PER_ADDRESS_BIT = 1 << 10
_PER_PROTOCOL = 1 << 9
_PER_PORT_BIT = 1 << 3
_PORT_BITS = 16


# Ours: of what is dropped only because nothing else takes it; behind all that is computed.
BEHIND_ALL = 1 << 20


class PolicyKey(NamedTuple):
    """What tells one policy from another, in the kernel as here."""

    direction: Direction
    source: TrafficSelector
    destination: TrafficSelector
    mark: Mark | None
    if_id: int


def key_of(policy: PolicyRequest) -> PolicyKey:
    """The key of a policy."""
    return PolicyKey(policy.direction, policy.source, policy.destination, policy.mark, policy.if_id)


def priority_of(policy: PolicyRequest) -> int:
    """The priority of a policy, the lowest is looked at first (RFC 4301 section 4.4.1).

    More fixed bits in both addresses come first, then a protocol before any, then narrower ports;
    between equals a PASS goes before PROTECT and that before DROP.
    """
    if policy.priority:
        return policy.priority
    ends = (policy.source, policy.destination)
    return (
        _LEAST_SPECIFIC
        - _PER_ADDRESS_BIT * sum(map(_address_bits, ends))
        - _PER_PROTOCOL * any(end.protocol for end in ends)
        - _PER_PORT_BIT * sum(map(_port_bits, ends))
        + _ACTION_ORDER[policy.action]
    )


class Spd:
    """The policies in force, and which of them a flow falls under (RFC 4301 section 4.4.1)."""

    def __init__(self) -> None:
        self._policies: dict[PolicyKey, PolicyRequest] = {}
        self._inbound: dict[int, dict[PolicyKey, Matcher]] = {}
        self._outbound: list[tuple[Matcher, PolicyRequest]] | None = []
        self._remembered: OrderedDict[Flow, PolicyRequest | None] = OrderedDict()

    def install(self, policies: Iterable[PolicyRequest]) -> None:
        """Put policies in force, in place of those with the same key."""
        for policy in policies:
            key = key_of(policy)
            self._forget(key)
            self._policies[key] = policy
            if policy.direction == Direction.IN:
                matchers = self._inbound.setdefault(policy.reqid, {})
                matchers[key] = Matcher.of(policy.source, policy.destination)
        self._changed()

    def remove(self, policies: Iterable[PolicyRequest]) -> None:
        """Take policies out of force; what is gone already is no error."""
        for policy in policies:
            self._forget(key_of(policy))
        self._changed()

    def outbound(self, flow: Flow) -> PolicyRequest | None:
        """The policy for what leaves in this flow."""
        if flow in self._remembered:
            self._remembered.move_to_end(flow)
            return self._remembered[flow]
        found = next((policy for matcher, policy in self._sorted() if matcher.takes(flow)), None)
        self._remembered[flow] = found
        if len(self._remembered) > MAX_REMEMBERED_FLOWS:
            self._remembered.popitem(last=False)
        return found

    def inbound(self, reqid: int) -> tuple[Matcher, ...]:
        """What may come in under this reqid."""
        return tuple(self._inbound.get(reqid, {}).values())

    def __contains__(self, policy: PolicyRequest) -> bool:
        return key_of(policy) in self._policies

    def __len__(self) -> int:
        return len(self._policies)

    def _forget(self, key: PolicyKey) -> None:
        policy = self._policies.pop(key, None)
        if policy is None or policy.direction != Direction.IN:
            return
        matchers = self._inbound[policy.reqid]
        del matchers[key]
        if not matchers:
            del self._inbound[policy.reqid]

    def _sorted(self) -> list[tuple[Matcher, PolicyRequest]]:
        # Sorted when it is needed: thousands of policies may come between two packets.
        if self._outbound is None:
            outbound = [one for one in self._policies.values() if one.direction == Direction.OUT]
            outbound.sort(key=priority_of)
            self._outbound = [(Matcher.of(one.source, one.destination), one) for one in outbound]
        return self._outbound

    def _changed(self) -> None:
        self._outbound = None
        self._remembered.clear()


def _address_bits(selector: TrafficSelector) -> int:
    """How many bits of an address the selector fixes."""
    size = int(selector.end) - int(selector.start)
    return selector.start.max_prefixlen - size.bit_length()


def _port_bits(selector: TrafficSelector) -> int:
    return _PORT_BITS - max(selector.end_port - selector.start_port, 0).bit_length()


_ACTION_ORDER = {PolicyAction.PASS: 0, PolicyAction.PROTECT: 1, PolicyAction.DROP: 2}
