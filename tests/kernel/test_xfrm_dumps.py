"""Lists of the kernel's: what is read of each entry is what was asked for."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikeactors.errors import InvalidSyntax
from ikeactors.kernel.netlink import write_attribute
from ikeactors.kernel.requests import Direction, Mark, PolicyAction, PolicyRequest
from ikeactors.kernel.xfrm import new_sa, selectors_of, update_policy
from ikeactors.kernel.xfrm_dumps import (
    delete_stray,
    read_held_policy,
    read_held_sa,
    read_removed_policy,
)
from ikeactors.kernel.xfrm_policies import name_of
from tests.fakes.sas import policy, sa
from tests.kernel import structures

_XFRMA_POLICY = 7

POLICIES = (
    policy(),
    policy("10.2.0.0/24", "10.1.0.0/24", Direction.FWD),
    policy("fd01::/64", "fd02::/48", Direction.IN),
    replace(policy(), mark=Mark(0x25, 0xF), if_id=9),
    replace(policy(), action=PolicyAction.DROP),
)


@pytest.mark.parametrize("mark", [None, Mark(5, 0xFF)])
def test_an_sa_is_read_with_its_name_and_its_mark(mark: Mark | None) -> None:
    request = replace(sa(), mark=mark)
    held = read_held_sa(new_sa(request, own_mark=0xABCDEF01).body)
    assert held.sa_id == request.sa_id
    assert held.own_mark == 0xABCDEF01


@pytest.mark.parametrize("request_", POLICIES)
def test_a_policy_is_read_with_its_name_its_mark_and_its_reqid(request_: PolicyRequest) -> None:
    selector = selectors_of(request_)[0]
    held = read_held_policy(update_policy(request_, selector, 8, own_mark=2**64 - 7).body)
    assert held is not None
    assert held.name == name_of(request_, selector)
    assert held.own_mark == 2**64 - 7
    assert held.reqid == (request_.reqid if request_.action is PolicyAction.PROTECT else 0)
    assert held.as_stray().direction is request_.direction


def test_a_stray_is_described_by_direction_and_networks() -> None:
    held = read_held_policy(update_policy(policy(), selectors_of(policy())[0], 8).body)
    assert held is not None
    assert held.as_stray().text == "out 10.1.0.0/24 === 10.2.0.0/24"


def test_a_stray_is_removed_by_all_that_names_it() -> None:
    request = replace(policy(), mark=Mark(5, 0xFF), if_id=9)
    name = name_of(request, selectors_of(request)[0])
    body = delete_stray(name).body
    named = structures.PolicyName.from_buffer_copy(body)
    assert (named.index, named.dir) == (0, Direction.OUT)
    assert body[:56] == name[:56]
    # Mark with mask, and if_id.
    assert len(body) == ctypes.sizeof(named) + 12 + 8


def test_the_policy_of_a_socket_is_left_out() -> None:
    body = bytearray(update_policy(policy(), selectors_of(policy())[0], 8).body)
    body[160] = 4
    assert read_held_policy(bytes(body)) is None


def test_a_notice_of_a_removal_says_which_policy_it_was() -> None:
    request = replace(policy(), if_id=9)
    whole = update_policy(request, selectors_of(request)[0], 8).body
    notice = bytes(64) + write_attribute(_XFRMA_POLICY, whole[:168]) + whole[168:]
    removed = read_removed_policy(notice)
    assert removed is not None
    assert removed.name == name_of(request, selectors_of(request)[0])


@given(st.binary(max_size=400))
def test_any_octets_are_read_or_are_invalid(octets: bytes) -> None:
    for read in (read_held_sa, read_held_policy, read_removed_policy):
        with suppress(InvalidSyntax):
            read(octets)
