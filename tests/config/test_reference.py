import re
from dataclasses import replace
from pathlib import Path

import pytest

from ikeactors.config import DaemonSettings, load
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
