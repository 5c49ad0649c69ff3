import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ikeactors.config import ConfigurationFaults, DaemonSettings, load
from ikeactors.config.reference import example, page
from ikeactors.protocol.settings import ChildSettings, ConnectionSettings, StartAction

ROOT = Path(__file__).resolve().parents[2]

# "#port = 500" is an option that is commented out, "# Port" a comment.
COMMENTED_OUT = re.compile(r"^#(?=\w+ = )", re.MULTILINE)


@pytest.fixture
def psk(write):
    return write("a secret of thirty-two characters\n", "example.psk")


@pytest.mark.parametrize(
    ("name", "text"), [("config/ikeactors.example.toml", example), ("docs/configuration.rst", page)]
)
def test_generated_files_are_in_step(name, text):
    assert (ROOT / name).read_text() == text(), "run tools/example-config --write"


def test_the_example_is_all_defaults_but_for_the_peer(write, psk):
    configuration = load(write(example()))
    assert configuration.daemon == DaemonSettings()
    assert configuration.warnings == ()
    (connection,) = configuration.connections
    (child,) = connection.children
    defaults = ChildSettings("net")
    assert child == replace(
        defaults,
        local_ts=child.local_ts,
        remote_ts=child.remote_ts,
        esp_proposals=child.esp_proposals,
    )
    assert connection == replace(
        ConnectionSettings("example"),
        local_addrs=connection.local_addrs,
        remote_addrs=connection.remote_addrs,
        proposals=connection.proposals,
        local=connection.local,
        remote=connection.remote,
        children=connection.children,
    )


def test_the_defaults_of_the_example_can_be_uncommented(write, psk):
    text = example()
    spelled_out = COMMENTED_OUT.sub("", text)
    assert spelled_out.count("\n#") < text.count("\n#") - 60
    assert load(write(spelled_out)) == load(write(text))


def test_the_example_can_be_started(write, psk):
    text = example().replace('#start_action = "none"', 'start_action = "start"')
    (connection,) = load(write(text)).connections
    assert connection.children[0].start_action is StartAction.START


def test_every_option_is_on_the_page():
    names = re.findall(r"^#?(\w+) = ", example(), re.MULTILINE)
    assert len(names) > 70
    for name in names:
        assert f"``{name}``" in page()


LINES = COMMENTED_OUT.sub("", example()).splitlines()
OPTION_LINES = [number for number, line in enumerate(LINES) if re.match(r"\w+ = ", line)]

words = st.sampled_from(
    ["%any", "default", "dynamic", "10.0.0.0/8", "::/0", "a.lab", "*.lab", "0x1"]
)
# The value of an option as TOML: what JSON has is the same in it.
scalars = st.one_of(
    words,
    st.text(max_size=8),
    st.integers(-(2**63), 2**64),
    st.booleans(),
    st.floats(allow_nan=False, allow_infinity=False),
).map(json.dumps)
literals = st.one_of(
    scalars,
    st.sampled_from(["nan", "-inf", "1979-05-27", "07:32:00", "{}", "[]", "[[]]", "[{}]"]),
    st.lists(scalars, max_size=3).map(lambda parts: f"[{', '.join(parts)}]"),
)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(OPTION_LINES), literals)
def test_any_value_of_any_option_is_taken_or_told(write, psk, number, literal):
    name = LINES[number].partition(" = ")[0]
    lines = [*LINES[:number], f"{name} = {literal}", *LINES[number + 1 :]]
    try:
        load(write("\n".join(lines)))
    except ConfigurationFaults as faults:
        assert all(len(str(mistake).splitlines()) == 1 for mistake in faults.mistakes)
