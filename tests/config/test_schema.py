from pathlib import Path

import pytest

from ikeactors.config import schema, values
from ikeactors.config.later import why_not_yet
from ikeactors.config.mistakes import Mistakes, Place, Source
from ikeactors.config.reference import CHAPTERS
from ikeactors.config.schema import Option, default_of, read_section

KNOWN = schema.options(
    Option("port", values.port, "500", "A port."),
    Option("name", values.text, None, "A name."),
)
PLACE = Place(Source(Path("ike.toml")), ("daemon",))


def test_what_is_not_written_has_its_default():
    section = read_section({}, PLACE, KNOWN, Mistakes())
    assert section.values == {"port": 500, "name": None}
    assert section.written == section.faulty == frozenset()


def test_what_is_wrong_has_its_default_and_takes_part_in_no_check():
    mistakes = Mistakes()
    section = read_section({"port": 0, "name": "x"}, PLACE, KNOWN, mistakes)
    assert (section["port"], section["name"]) == (500, "x")
    assert not section.is_sound("port", "name")
    assert section.is_sound("name")
    assert len(mistakes.found) == 1


def test_unknown_keys_are_told_with_the_nearest_known_one():
    mistakes = Mistakes()
    read_section({"prot": 1, "local": {}}, PLACE, KNOWN, mistakes, ("local",))
    assert list(map(str, mistakes.found)) == ["ike.toml: daemon.prot: unknown key; nearest: port"]


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("cacert", "choosing certificates by what is in them is not available yet: leave it out"),
        ("sha256_96", "is not available yet: leave it out"),
    ],
)
def test_a_key_of_swanctl_that_we_do_not_have_is_no_typing_mistake(key, message):
    mistakes = Mistakes()
    read_section({key: "x"}, PLACE, KNOWN, mistakes)
    assert list(map(str, mistakes.found)) == [f"ike.toml: daemon.{key}: {message}"]


def test_what_is_available_is_not_said_to_be_missing():
    assert not [option.name for option in EVERY_OPTION if why_not_yet(option.name)]


def test_a_list_of_tables_is_told_as_that():
    mistakes = Mistakes()
    assert read_section([{"port": 5}], PLACE, KNOWN, mistakes)["port"] == 500
    message = "a table, not a list of tables: write [daemon], in single brackets"
    assert list(map(str, mistakes.found)) == [f"ike.toml: daemon: {message}"]


def test_what_is_no_section_is_told():
    mistakes = Mistakes()
    assert read_section(5, PLACE, KNOWN, mistakes)["port"] == 500
    assert list(map(str, mistakes.found)) == ["ike.toml: daemon: 5: a section expected: [daemon]"]


EVERY_OPTION = [option for chapter in CHAPTERS for option in chapter.options.values()]


@pytest.mark.parametrize("option", EVERY_OPTION, ids=lambda option: option.name)
def test_every_option_has_a_default_its_own_parser_takes_and_one_sentence(option):
    default_of(option)
    assert option.help.endswith(".") or option.help.endswith("...")
    assert "\n" not in option.help
