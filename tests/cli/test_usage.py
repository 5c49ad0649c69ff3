"""What may be typed."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from ikeactors.cli.usage import DEFAULT_SOCKET, duration, parser


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30.0), ("5m", 300.0), ("1h", 3600.0), ("2d", 172800.0), ("0", 0.0), ("1.5", 1.5)],
)
def test_durations_are_numbers_with_a_unit(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "-1s", "1w", "1 s", "1e3", "٣s"])
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="30s"):
        duration(text)


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["up"],
        ["rekey"],
        ["list"],
        ["list", "nothing"],
        ["log-level", "loud"],
        ["up", "a", "--timeout", "soon"],
        ["rekey", "a", "--ike", "--spi", "c0ffee01"],
        ["daemon", "--log-level", "loud"],
    ],
)
def test_wrong_usage_ends_with_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(argv)

    assert ended.value.code == 2
    assert "usage: ikeactors" in capsys.readouterr().err


def test_the_socket_is_that_of_the_environment_or_the_usual_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("IKEACTORS_SOCKET", raising=False)
    assert parser().parse_args(["status"]).socket == DEFAULT_SOCKET
    monkeypatch.setenv("IKEACTORS_SOCKET", "/run/x.sock")
    assert parser().parse_args(["status"]).socket == Path("/run/x.sock")
    assert parser().parse_args(["--socket", "y", "status"]).socket == Path("y")
    assert parser().parse_args(["status", "--socket", "y"]).socket == Path("y")
