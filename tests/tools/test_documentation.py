"""The pages that are written by hand name everything of which they speak."""

from __future__ import annotations

import re

import pytest

from ikeactors.cli.usage import parser
from ikeactors.protocol.timers import Timer
from tests.tools.scripts import PROJECT

DOCS = PROJECT / "docs"


def page(name: str) -> str:
    return (DOCS / f"{name}.rst").read_text()


def commands() -> list[str]:
    match = re.search(
        r"\{([a-z,-]+)\}|positional arguments:\n.*?\n((?:    .*\n)+)", parser().format_help()
    )
    assert match is not None
    return re.findall(r"^    ([a-z-]+)  ", match[0], re.M)


def test_operating_has_every_command() -> None:
    names = commands()

    assert {"up", "daemon", "stop"} <= set(names)
    for name in names:
        assert f"``{name}" in page("operating"), name


def test_operating_has_every_notify_that_is_explained() -> None:
    source = (PROJECT / "ikeactors/protocol/ikev2/explaining.py").read_text()

    for name in set(re.findall(r"NotifyType\.([A-Z_]+)", source)):
        assert name in page("operating"), name


@pytest.mark.parametrize("timer", Timer)
def test_design_has_every_timer(timer: Timer) -> None:
    assert f"``{timer.name}``" in page("design")


def test_every_option_that_a_page_sets_exists() -> None:
    reference = page("configuration")
    for name in ("operating", "features", "certificates"):
        for option in re.findall(r"``([a-z_]+) = ", page(name)):
            assert f"``{option}``" in reference, option
