"""What an operator's name means: "connection", "connection/child", or a child's name alone."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from ikeactors.admin.vocabulary import ErrorCode, RequestRefused
from ikeactors.protocol.settings import ConnectionSettings, Settings

_SEPARATOR = "/"


@dataclass(frozen=True, slots=True)
class Target:
    """A connection, and one of its children where one was named."""

    connection: ConnectionSettings
    child: str | None = None

    def __str__(self) -> str:
        if self.child is None:
            return self.connection.name
        return f"{self.connection.name}{_SEPARATOR}{self.child}"


def find_target(settings: Settings, name: str, with_shunts: bool = False) -> Target:
    """The target of this name. Raises `RequestRefused`, naming the nearest one.

    Children that are only policies are among them where that is said.
    """
    connection = settings.connection(name)
    if connection is not None:
        return Target(connection)
    found = [
        Target(one, child)
        for one in settings.connections
        for child in _names(one, with_shunts)
        if name in (child, f"{one.name}{_SEPARATOR}{child}")
    ]
    if len(found) == 1:
        return found[0]
    if found:
        which = ", ".join(map(str, found[:8]))
        raise RequestRefused(
            ErrorCode.INVALID_ARGUMENT,
            f"{name!r} is a child of several connections: say which ({which})",
        )
    raise RequestRefused(
        ErrorCode.NOT_FOUND,
        f"no connection or child is named {name!r}{_nearest(settings, name)}",
    )


def find_connection(settings: Settings, name: str) -> ConnectionSettings:
    """The connection of this name. Raises `RequestRefused`."""
    connection = settings.connection(name)
    if connection is None:
        raise RequestRefused(
            ErrorCode.NOT_FOUND, f"no connection is named {name!r}{_nearest(settings, name)}"
        )
    return connection


def _names(connection: ConnectionSettings, with_shunts: bool) -> list[str]:
    names = [child.name for child in connection.children]
    return names + [shunt.name for shunt in connection.shunts] if with_shunts else names


def _nearest(settings: Settings, name: str) -> str:
    known = [one.name for one in settings.connections]
    known += [
        str(Target(one, child.name)) for one in settings.connections for child in one.children
    ]
    near = difflib.get_close_matches(name, known, 1)
    return f"; nearest: {near[0]}" if near else ""
