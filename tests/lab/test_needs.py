"""What is missing skips a test, and in CI fails it."""

from __future__ import annotations

import pytest

from tests.lab import needs


@pytest.fixture
def lacking(monkeypatch: pytest.MonkeyPatch) -> str:
    """A need that no machine meets."""
    monkeypatch.setitem(needs._CHECKS, "moon", lambda: "needs the moon")
    needs.missing.cache_clear()
    return "moon"


def test_what_is_missing_skips_a_test(lacking: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "")
    with pytest.raises(pytest.skip.Exception, match="needs the moon"):
        needs.require(lacking)


def test_what_is_missing_fails_a_test_in_ci(lacking: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="needs the moon"):
        needs.require(lacking)
