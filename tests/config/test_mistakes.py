from pathlib import Path

import pytest

from ikeactors.config.mistakes import (
    ConfigurationFaults,
    Mistake,
    Mistakes,
    Place,
    Refused,
    Source,
    nearest,
    shown_value,
)

LINES = {("connections", "gw"): 3, ("connections", "gw", "unique"): 5}
SOURCE = Source(Path("ike.toml"), lambda: LINES)


def test_a_mistake_is_one_line_with_file_line_key_and_value():
    mistakes = Mistakes()
    mistakes.add(Place(SOURCE, ("connections", "gw", "unique")), "wrong", "kept")
    assert list(map(str, mistakes.found)) == ['ike.toml:5: connections.gw.unique: "kept": wrong']


def test_a_key_without_a_line_has_that_of_its_section():
    assert Place(SOURCE, ("connections", "gw")).of("local", "id").line == 3
    assert Place(SOURCE, ("daemon",)).line == 0


def test_what_is_not_known_is_left_out():
    assert str(Mistake("ike.toml", "", "", "No such file")) == "ike.toml: No such file"


def test_a_refusal_with_several_complaints_is_several_mistakes():
    mistakes = Mistakes()
    mistakes.refuse(Place(SOURCE), Refused((1, "one"), (2, "two")))
    assert [one.message for one in mistakes.found] == ["one", "two"]


def test_what_may_be_a_secret_is_not_shown():
    mistakes = Mistakes()
    mistakes.add(Place(SOURCE, ("secrets",)), "a section expected", "swordfish")
    mistakes.add(Place(SOURCE, ("secrets", "psk", "secret")), "text expected", 1234)
    mistakes.add(Place(SOURCE, ("secrets", "psk", "ids")), "wrong", "a*b")
    assert [one.value for one in mistakes.found] == ["(not shown)", "(not shown)", '"a*b"']


def test_the_faults_are_printed_one_a_line():
    found = (Mistake("a", "k", "", "m"), Mistake("b", "k", "", "m"))
    assert str(ConfigurationFaults(found)) == "a: k: m\nb: k: m"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("aes129", '"aes129"'),
        ("\x1b[31m\n", '"\\x1b[31m\\n"'),
        (True, "true"),
        (1.5, "1.5"),
        ({"a": 1}, "{'a': 1}"),
    ],
)
def test_values_are_shown_escaped(value, shown):
    assert shown_value(value) == shown


def test_long_values_are_cut():
    assert len(shown_value("x" * 1000)) <= 82


def test_keys_that_need_quotes_get_them():
    assert str(Place(SOURCE, ("connections", "b.lab", "a\nb"))) == 'connections."b.lab"."a\\nb"'


def test_the_nearest_word_is_named_if_one_is_near():
    assert nearest("proposal", ["proposals", "unique"]) == "; nearest: proposals"
    assert nearest("zzz", ["proposals", "unique"]) == ""
