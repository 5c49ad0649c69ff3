"""What the kernel lists over XFRM netlink: SAs and policies, whoever has made them.

There may be tens of thousands, so little of each is read.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from ikeactors.errors import InvalidSyntax
from ikeactors.kernel.inventory import StrayPolicy
from ikeactors.kernel.netlink import (
    NLM_F_DUMP,
    NLM_F_REQUEST,
    Message,
    read_attributes,
    write_attribute,
)
from ikeactors.kernel.requests import Direction, SaId
from ikeactors.kernel.xfrm import (
    POLICY_ID,
    SA_NAME,
    XFRM_MSG_DELPOLICY,
    XFRM_MSG_GETPOLICY,
    XFRM_MSG_GETSA,
    XFRMA_IF_ID,
    XFRMA_MARK,
    XFRMA_POLICY,
    XFRMA_TMPL,
)
from ikeactors.kernel.xfrm_events import read_sa_id
from ikeactors.kernel.xfrm_policies import SCOPE
from ikeactors.kernel.xfrm_selectors import AF_INET, SELECTOR_OCTETS
from ikeactors.quick import quick

# Where fields lie in struct xfrm_usersa_info and struct xfrm_userpolicy_info.
_SA_MARK_AT = 204
_POLICY_OCTETS = 168
_POLICY_NAME_OCTETS = 64
_POLICY_MARK_AT = 72
_DIRECTION_AT = 160
_REQID_AT = 44
_FAMILY_AT = 40
_PREFIXES_AT = 42

_NUMBER = struct.Struct("=I")
_LIMIT = struct.Struct("=Q")
_MARK = struct.Struct("=II")
_FAMILY = struct.Struct("=H")


@quick
class HeldSa:
    """An SA and the mark of whoever has made it."""

    sa_id: SaId
    own_mark: int


@dataclass(frozen=True, slots=True)
class HeldPolicy:
    """A policy and the mark of whoever has made it; the name is as in `XfrmPolicies`."""

    name: bytes
    own_mark: int
    reqid: int

    def as_stray(self) -> StrayPolicy:
        """As one that nobody asks for."""
        direction = Direction(SCOPE.unpack_from(self.name, SELECTOR_OCTETS)[0])
        text = f"{direction.name.lower()} {_described(self.name)}"
        return StrayPolicy(self.name, direction, self.reqid, text)


def list_sas() -> Message:
    """Ask for all SAs; there is one answer for each, then NLMSG_DONE."""
    return Message(XFRM_MSG_GETSA, bytes(SA_NAME.size), flags=NLM_F_REQUEST | NLM_F_DUMP)


def list_policies() -> Message:
    """Ask for all policies; there is one answer for each, then NLMSG_DONE."""
    return Message(XFRM_MSG_GETPOLICY, bytes(POLICY_ID.size), flags=NLM_F_REQUEST | NLM_F_DUMP)


def read_held_sa(body: bytes) -> HeldSa:
    """An SA, from the body of XFRM_MSG_NEWSA."""
    return HeldSa(read_sa_id(body), _NUMBER.unpack_from(body, _SA_MARK_AT)[0])


def read_held_policy(body: bytes) -> HeldPolicy | None:
    """A policy, from the body of XFRM_MSG_NEWPOLICY; None for that of a socket."""
    if len(body) < _POLICY_OCTETS:
        raise InvalidSyntax("an XFRM policy is too short")
    direction = body[_DIRECTION_AT]
    if direction > Direction.FWD:
        return None
    attributes = read_attributes(body, _POLICY_OCTETS)
    template = attributes.get(XFRMA_TMPL, b"")
    has_template = len(template) >= _REQID_AT + _NUMBER.size
    return HeldPolicy(
        body[:SELECTOR_OCTETS] + SCOPE.pack(direction, *_scope(attributes)),
        _LIMIT.unpack_from(body, _POLICY_MARK_AT)[0],
        _NUMBER.unpack_from(template, _REQID_AT)[0] if has_template else 0,
    )


def read_removed_policy(body: bytes) -> HeldPolicy | None:
    """The policy that a notice of XFRM_MSG_DELPOLICY is about, which is an attribute of it."""
    attributes = read_attributes(body, _POLICY_NAME_OCTETS)
    policy = attributes.get(XFRMA_POLICY, b"")
    return read_held_policy(policy + body[_POLICY_NAME_OCTETS:])


def delete_stray(name: bytes) -> Message:
    """Remove a policy by its name."""
    direction, value, mask, if_id = SCOPE.unpack_from(name, SELECTOR_OCTETS)
    body = POLICY_ID.pack(name[:SELECTOR_OCTETS], 0, direction)
    if value or mask:
        body += write_attribute(XFRMA_MARK, _MARK.pack(value, mask))
    if if_id:
        body += write_attribute(XFRMA_IF_ID, _NUMBER.pack(if_id))
    return Message(XFRM_MSG_DELPOLICY, body)


def _scope(attributes: dict[int, bytes]) -> tuple[int, int, int]:
    """Mark, its mask and if_id."""
    mark, if_id = attributes.get(XFRMA_MARK, b""), attributes.get(XFRMA_IF_ID, b"")
    value, mask = _MARK.unpack_from(mark) if len(mark) >= _MARK.size else (0, 0)
    number = _NUMBER.unpack_from(if_id)[0] if len(if_id) >= _NUMBER.size else 0
    return value & mask, mask, number


def _described(selector: bytes) -> str:
    is_v4 = _FAMILY.unpack_from(selector, _FAMILY_AT)[0] == AF_INET
    to, from_ = selector[:16], selector[16:32]
    to_bits, from_bits = selector[_PREFIXES_AT : _PREFIXES_AT + 2]
    source, destination = (
        IPv4Address(one[:4]) if is_v4 else IPv6Address(one) for one in (from_, to)
    )
    return f"{source}/{from_bits} === {destination}/{to_bits}"
