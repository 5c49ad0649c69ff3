"""A report as a line of the log: text for people, JSON for programs. Escaped, cut, no secrets.

Whatever is in a report, only text, numbers and truth values get into a line: octets do not, so
that a key or a shared secret that strays into a report stays unwritten.
"""

from __future__ import annotations

import datetime
import enum
import json
from collections.abc import Callable, Mapping

from ikeactors.actors.printable import MAX_TEXT, printable
from ikeactors.actors.reports import Published
from ikeactors.protocol.actions import Level

# An explanation is a paragraph; a traceback is ours, and worthless when cut as others' text is.
MAX_PARAGRAPH = 2048
_LIMITS = {"traceback": 16384, "explanation": MAX_PARAGRAPH}

Form = Callable[[Published], str]


class LogFormat(enum.Enum):
    """How lines look, in the words of the configuration."""

    TEXT = "text"
    JSON = "json"


def text_line(published: Published) -> str:
    """`TIME LEVEL CONNECTION[NUMBER] NAME: TEXT KEY=VALUE ...`"""
    report = published.report
    return f"{_time(published.at)} {_word(report.level):7} {_rest(published)}"


def journal_line(published: Published) -> str:
    """For the journal, which has the time already and takes the level as <N> (sd-daemon(3))."""
    return f"<{_PRIORITIES[published.report.level]}>{_rest(published)}"


def json_line(published: Published) -> str:
    """One JSON object, ASCII only."""
    report = published.report
    return json.dumps(
        {
            "time": _time(published.at),
            "level": _word(report.level),
            "connection": _safe(report.connection),
            "association": published.association,
            "name": report.name,
            "text": printable(report.text, MAX_PARAGRAPH),
            "details": {_safe(key): _plain(key, one) for key, one in report.details.items()},
        }
    )


def line_form(form: LogFormat, *, to_journal: bool) -> Form:
    """The function that makes lines."""
    if form is LogFormat.JSON:
        return json_line
    return journal_line if to_journal else text_line


def _rest(published: Published) -> str:
    report = published.report
    who = _safe(report.connection)
    if published.association:
        who += f"[{published.association}]"
    head = f"{who} {report.name}" if who else report.name
    return f"{head}: {printable(report.text, MAX_PARAGRAPH)}{_pairs(report.details)}"


def _pairs(details: Mapping[str, object]) -> str:
    return "".join(f" {_safe(key)}={_quoted(_plain(key, one))}" for key, one in details.items())


def _plain(key: str, value: object) -> object:
    if isinstance(value, str):
        return printable(value, _LIMITS.get(key, MAX_TEXT))
    if isinstance(value, bool | int | float):
        return value
    return f"({type(value).__name__})"


def _quoted(value: object) -> str:
    """A value whose end can be seen: in quotes where it is empty or has spaces or quotes."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = str(value)
    if text and " " not in text and '"' not in text:
        return text
    quoted = text.replace('"', '\\"')
    return f'"{quoted}"'


def _safe(text: object) -> str:
    return printable(str(text)) if isinstance(text, str) else f"({type(text).__name__})"


def _time(at: float) -> str:
    moment = datetime.datetime.fromtimestamp(at, datetime.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _word(level: Level) -> str:
    return level.name.lower()


# syslog(3): LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERR.
_PRIORITIES = {Level.DEBUG: 7, Level.INFO: 6, Level.WARNING: 4, Level.ERROR: 3}
