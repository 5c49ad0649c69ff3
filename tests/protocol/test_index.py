"""What an index finds is what a look at everything would find, in the same order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ikeactors.protocol.index import Index

KEYS = st.one_of(st.none(), st.integers(0, 3))


@given(
    st.lists(st.lists(KEYS, max_size=3), max_size=12),
    st.lists(st.integers(0, 3), min_size=1, max_size=3, unique=True),
)
def test_things_are_found_once_and_in_order(
    named: list[list[int | None]], wanted: list[int]
) -> None:
    index: Index[int, int] = Index()
    for thing, keys in enumerate(named):
        index.add(keys, thing)
    expected = [
        thing
        for thing, keys in enumerate(named)
        if not keys or None in keys or not set(wanted).isdisjoint(keys)
    ]
    assert list(index.find(*wanted)) == expected
