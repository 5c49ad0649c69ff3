"""Who may use the admin socket."""

from __future__ import annotations

import grp
import os

import pytest

from ikeactors.actors.unix_socket import Caller
from ikeactors.admin.authority import Authority, UnknownGroup, authority_of


@pytest.mark.parametrize(
    ("caller", "permitted"),
    [
        (Caller(1, 0, 0), True),
        (Caller(1, 990, 990), True),
        (Caller(1, 1000, 27), True),
        (Caller(1, 1000, 1000, frozenset({1000, 27})), True),
        (Caller(1, 1000, 1000, frozenset({1000})), False),
        (Caller(1, 65534, 65534), False),
    ],
)
def test_root_the_daemons_user_and_the_group_may(caller: Caller, permitted: bool) -> None:
    caller = Caller(caller.pid, caller.uid, caller.gid, caller.groups | {caller.gid})

    assert Authority(990, 27).permits(caller) is permitted


def test_without_a_group_no_group_may() -> None:
    assert not Authority(990).permits(Caller(1, 1000, 27, frozenset({27})))


def test_the_group_is_found_by_its_name() -> None:
    assert authority_of("root") == Authority(os.geteuid(), grp.getgrnam("root").gr_gid)
    assert authority_of("") == Authority(os.geteuid())


def test_a_group_that_is_not_there_is_a_fault_that_names_it() -> None:
    with pytest.raises(UnknownGroup, match="no-such-group"):
        authority_of("no-such-group")
