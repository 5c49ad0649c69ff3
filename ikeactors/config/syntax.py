"""What TOML's reader says of a file, in words for who wrote the file."""

from __future__ import annotations

import re
from ast import literal_eval

_AT_LINE = re.compile(r" \(at line (\d+), column (\d+)\)$")
_AT_END = " (at end of document)"

_DECLARED_TWICE = re.compile(r"Cannot declare (\(.*\)) twice")
_REDEFINED = re.compile(r"Cannot (?:redefine namespace|mutate immutable namespace) (\(.*\))")

_IN_OTHER_WORDS = {
    "Cannot overwrite a value": "this key is there already",
    "Invalid value": 'this is no value: text stands in quotes, "psk"',
    "Invalid statement": "a line is KEY = VALUE or [SECTION]",
    "Unterminated string": "a text has no closing quotation mark",
    "Unclosed array": "a list has no closing ]",
    "Unclosed inline table": "a table has no closing }",
}


def syntax_mistake(message: str) -> tuple[str, int]:
    """What is wrong, and on which line; 0 if that is not known."""
    at = _AT_LINE.search(message)
    if at is None:
        return f"no valid TOML: {_reworded(message.removesuffix(_AT_END))}, at the end", 0
    return f"no valid TOML: {_reworded(message[: at.start()])}, column {at[2]}", int(at[1])


def _reworded(message: str) -> str:
    if declared := _DECLARED_TWICE.fullmatch(message):
        return f"[{_dotted(declared[1])}] is there twice"
    if redefined := _REDEFINED.fullmatch(message):
        return f"{_dotted(redefined[1])} is complete already: nothing can be added to it"
    return _IN_OTHER_WORDS.get(message, message)


def _dotted(keys: str) -> str:
    """A tuple of keys, as the reader prints it, as the key it was."""
    return ".".join(literal_eval(keys))
