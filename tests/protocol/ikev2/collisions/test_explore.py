"""Every pair of wishes, in every order of their messages that fits the budget."""

from __future__ import annotations

import itertools

import pytest

from tests.protocol.ikev2.collisions.explore import DEPTH, SCENES, TWO, WISHES, begun, explore

# Of the four nonces only it matters whose exchange has the lowest one, and it only where both ends
# make something.
MAKES = ("rekey child", "rekey ike", "up", "expire")
LONGER = (
    ("rekey child, delete child", "rekey child"),
    ("rekey child", "rekey child, delete child"),
    ("rekey ike, rekey child", "rekey ike"),
    ("rekey ike, rekey ike", "rekey child, rekey ike"),
    ("rekey child, rekey child", "rekey child, rekey child"),
)


# With two children and windows of more than one.
BESIDE = (
    ("rekey child, rekey lan", "rekey lan, rekey child"),
    ("rekey child, rekey lan", "rekey child, rekey lan"),
    ("rekey child, rekey lan", "rekey ike"),
    ("rekey child, delete lan", "rekey lan, delete child"),
    ("rekey child, rekey ike", "rekey lan, rekey ike"),
    ("delete child, delete lan", "rekey child, rekey lan"),
    ("delete lan, up", "delete child, rekey lan"),
    ("rekey child, rekey lan", "delete ike"),
    ("rekey ike, rekey lan, rekey child", "rekey child, rekey lan"),
)


def pairs() -> list[tuple[str, str, str]]:
    found = []
    wishes = [one for one in WISHES if not one.endswith(" lan")]
    for west, east in (*itertools.product(wishes, wishes), *LONGER):
        both_make = all(one.split(", ")[0] in MAKES for one in (west, east))
        found += [(west, east, lowest) for lowest in (("west i", "east i")[: 1 + both_make])]
    return found


@pytest.mark.parametrize(("west", "east", "lowest"), pairs())
def test_two_wishes_in_any_order_come_to_rest(west: str, east: str, lowest: str) -> None:
    """(RFC 7296 section 2.25)"""
    followed = explore(begun(west, east, (lowest,)))
    assert 0 < followed <= SCENES


@pytest.mark.parametrize(
    ("west", "east"), [*itertools.product(("rekey child", "delete child", "expire"), repeat=2)]
)
def test_data_planes_may_take_their_time(west: str, east: str) -> None:
    followed = explore(begun(west, east, ("west i",), slow=True))
    assert 0 < followed <= SCENES


@pytest.mark.parametrize("lowest", ["west i", "east i"][:DEPTH])
@pytest.mark.parametrize(("west", "east"), BESIDE)
def test_exchanges_side_by_side_come_to_rest(west: str, east: str, lowest: str) -> None:
    """(RFC 7296 section 2.3)"""
    followed = explore(begun(west, east, (lowest,), settings=TWO))
    assert 0 < followed <= SCENES


@pytest.mark.parametrize(("west", "east"), BESIDE[:2])
def test_data_planes_may_take_their_time_for_exchanges_side_by_side(west: str, east: str) -> None:
    followed = explore(begun(west, east, ("west i",), slow=True, settings=TWO))
    assert 0 < followed <= SCENES
