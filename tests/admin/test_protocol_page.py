"""docs/admin-protocol.md says what the code does."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from ikeactors.actors import control
from ikeactors.actors.framing import MAX_FRAME
from ikeactors.admin import vocabulary
from ikeactors.admin.facts import association_facts, tunnel_facts
from ikeactors.admin.server import COMMANDS
from ikeactors.admin.vocabulary import ErrorCode
from tests.admin.daemon import SETTINGS, association

PAGE = (Path(__file__).parents[2] / "docs" / "admin-protocol.md").read_text()


def section(title: str) -> str:
    """What stands under a heading, up to the next one."""
    found = re.search(rf"^#+ {title}\n(.*?)(?=^#|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None, title
    return found[1]


def table(title: str) -> dict[str, list[str]]:
    """The rows of a section's table by their first word in code."""
    rows = [line.split("|")[1:-1] for line in section(title).splitlines() if line.startswith("| ")]
    return {row[0].strip().strip("`"): row for row in rows[1:]}


def test_every_command_is_there_with_every_argument() -> None:
    described = table("Commands")

    assert set(described) == set(COMMANDS)
    for name, command in COMMANDS.items():
        for field in dataclasses.fields(command.arguments):
            assert f"`{field.name}`" in described[name][1], (name, field.name)


def test_every_code_is_there() -> None:
    assert set(table("Errors")) == {code.value for code in ErrorCode}


@pytest.mark.parametrize(
    ("row", "limit"),
    [
        ("clients", f"{control.MAX_CLIENTS}"),
        ("requests in flight per client, subscriptions included", f"{control.MAX_IN_FLIGHT}"),
        ("a frame", f"{MAX_FRAME >> 20} MiB"),
        ("the rest of a frame that has begun", f"{control.READ_TIMEOUT:.0f} s"),
        ("a string in a request", f"{vocabulary.MAX_STRING} octets"),
        ("elements of a map or list in a request", f"{vocabulary.MAX_ELEMENTS}"),
        ("what waits for a client to read it", f"{control.MAX_BACKLOG >> 20} MiB"),
        ("a client that reads nothing of what waits", f"{control.WRITE_TIMEOUT:.0f} s"),
    ],
)
def test_every_limit_is_the_one_in_the_code(row: str, limit: str) -> None:
    assert table("Limits")[row][1].strip() == limit


def test_every_fact_of_an_sa_is_there() -> None:
    facts = association_facts(1, association("site-a-b"), {})
    (child,) = facts["children"]  # type: ignore[misc]

    for key in (*facts, *child):
        assert f"`{key}`" in section("An SA"), key


def test_every_fact_of_a_tunnel_is_there() -> None:
    for key in tunnel_facts(SETTINGS.connections[0], (), ""):
        assert f"`{key}`" in section("A tunnel"), key


def test_the_example_runs_as_it_stands() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)

    compile(example, "example", "exec")
