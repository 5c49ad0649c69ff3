"""Facts in words for people."""

from __future__ import annotations

import sys

import pytest

from ikeactors.cli.tables import aligned, print_table
from ikeactors.cli.words import expiry_lines, size, span, statistics_lines


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "0s"),
        (0, "0s"),
        (40.9, "40s"),
        (60, "1m"),
        (90, "1m30s"),
        (3120, "52m"),
        (13860, "3h51m"),
        (86400, "1d"),
        (187200, "2d4h"),
    ],
)
def test_a_span_has_its_two_largest_units(seconds: float, words: str) -> None:
    assert span(seconds) == words


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1500, "1.5 kB"),
        (2_000_000, "2.0 MB"),
        (7 * 10**12, "7000.0 GB"),
    ],
)
def test_a_size_has_a_unit(octets: int, words: str) -> None:
    assert size(octets) == words


def test_statistics_are_lines_whatever_they_are_made_of() -> None:
    counted = {
        "supervisor": {"children": [{"name": "router", "restarts": 2}]},
        "sockets": {"bound": ["a:1", "b:2"], "dropped": [["too short", 3]], "none": []},
    }

    assert list(statistics_lines(counted)) == [
        "supervisor.children.router.restarts  2",
        "sockets.bound.0                      a:1",
        "sockets.bound.1                      b:2",
        "sockets.dropped.too short            3",
    ]


def test_when_certificates_expire_is_told_the_first_of_them_first() -> None:
    def one(kind: str, holder: str, days: int) -> dict[str, object]:
        expires = "2027-01-01 00:00 UTC"
        return {"kind": kind, "holder": holder, "expires": expires, "days_left": days}

    known = [
        one("own", "CN=west", 364),
        one("authority", "CN=root", 3000),
        one("authority", "CN=branch", 7),
        one("own", "CN=o\x1bld", -1),
    ]
    assert list(expiry_lines({"statistics": {"certificates": known}})) == [
        "our certificate CN=o\\x1bld has expired on 2027-01-01 00:00 UTC",
        "the authority CN=branch expires in 7 days, on 2027-01-01 00:00 UTC",
        "our certificate CN=west expires in 364 days, on 2027-01-01 00:00 UTC",
    ]
    assert len(list(expiry_lines({"statistics": {"certificates": known * 9}}))) == 8
    assert list(expiry_lines({})) == []


def test_columns_begin_at_the_same_place_and_lines_end_without_blanks() -> None:
    assert aligned([["a", "long", "x"], ["longer", "b"], []]) == [
        "a       long  x",
        "longer  b",
        "",
    ]


def test_a_table_on_a_terminal_says_the_same_with_rich(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("rich")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "dumb")
    print_table(("connection", "level"), [("[red]evil[/red]", "info\x1b[2J")])

    printed = capsys.readouterr().out
    assert "CONNECTION" in printed
    assert "[red]evil[/red]" in printed
    assert "info\\x1b[2J" in printed
    assert "\x1b[2J" not in printed
