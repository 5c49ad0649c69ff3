"""A dataclass made quick does what it did before."""

from __future__ import annotations

import copy
import pickle
from dataclasses import field, replace

import pytest

from ikeactors.quick import quick


@quick
class Point:
    x: int
    y: int = 2
    names: dict[str, int] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if self.x < 0:
            raise ValueError("left of everything")


def test_fields_are_set_from_arguments_and_defaults() -> None:
    assert (Point(1).x, Point(1).y, Point(1).names) == (1, 2, {})
    assert Point(1, y=3, names={"a": 1}) == Point(1, 3, {"a": 1})
    assert repr(Point(1)) == "Point(x=1, y=2)"


def test_every_object_has_a_default_of_its_own() -> None:
    assert Point(1).names is not Point(1).names


def test_what_is_missing_or_too_much_is_a_mistake() -> None:
    for arguments in ((), (1, 2, {}, 4)):
        with pytest.raises(TypeError):
            Point(*arguments)


def test_what_is_checked_after_making_is_still_checked() -> None:
    with pytest.raises(ValueError, match="left"):
        Point(-1)


def test_objects_are_replaced_copied_and_pickled() -> None:
    point = Point(1)
    assert replace(point, y=5) == Point(1, 5)
    assert copy.copy(point) == point
    assert pickle.loads(pickle.dumps(point)) == point


def test_equal_objects_have_one_hash() -> None:
    @quick
    class Pair:
        one: int
        other: str

    assert hash(Pair(1, "a")) == hash(Pair(1, "a"))
    assert Pair(1, "a") != Pair(1, "b")


def test_there_is_no_dictionary_in_an_object() -> None:
    assert not hasattr(Point(1), "__dict__")
