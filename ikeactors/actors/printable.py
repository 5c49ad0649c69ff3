"""Text that others chose, made safe for a line of a log or a terminal."""

from __future__ import annotations

# Longer than any identity in use, short enough that a peer cannot fill the journal with one.
MAX_TEXT = 256

_CUT = "..."


def printable(text: str, limit: int = MAX_TEXT) -> str:
    """`text` on one line: whatever a terminal might obey is escaped, and what is too long is cut.

    Backslashes stay: identities come escaped from the wire, and twice would be unreadable.
    """
    if len(text) > limit:
        text = text[:limit] + _CUT
    if text.isprintable():
        return text
    return "".join(map(_escaped, text))


def _escaped(character: str) -> str:
    if character.isprintable():
        return character
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
