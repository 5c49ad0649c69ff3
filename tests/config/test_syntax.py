import tomllib

import pytest

from ikeactors.config.syntax import syntax_mistake

WORDS = [
    ("[a.b]\n[a.b]\n", "[a.b] is there twice, column 5", 2),
    ("a.b = 1\n[a]\nc = 2\n", "[a] is there twice, column 3", 2),
    ("a = {}\na.b = 1\n", "a is complete already: nothing can be added to it, column 8", 2),
    ("a = 1\na = 2\n", "this key is there already, column 6", 2),
    ("a = psk\n", 'this is no value: text stands in quotes, "psk", column 5', 1),
    ("!\n", "a line is KEY = VALUE or [SECTION], column 1", 1),
    ("a = [1\n", "a list has no closing ], at the end", 0),
]


@pytest.mark.parametrize(("text", "message", "line"), WORDS)
def test_a_mistake_of_syntax_is_told_in_the_words_of_the_file(text, message, line):
    with pytest.raises(tomllib.TOMLDecodeError) as caught:
        tomllib.loads(text)
    assert syntax_mistake(str(caught.value)) == (f"no valid TOML: {message}", line)
