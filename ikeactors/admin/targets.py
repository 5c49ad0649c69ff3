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


def find_target(settings: Settings, name: str) -> Target:
    """The target of this name. Raises `RequestRefused`, naming the nearest one."""
    connection = settings.connection(name)
    if connection is not None:
        return Target(connection)
    found = [
        Target(one, child.name)
        for one in settings.connections
        for child in one.children
        if name in (child.name, f"{one.name}{_SEPARATOR}{child.name}")
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


def _nearest(settings: Settings, name: str) -> str:
    known = [one.name for one in settings.connections]
    known += [
        str(Target(one, child.name)) for one in settings.connections for child in one.children
    ]
    near = difflib.get_close_matches(name, known, 1)
    return f"; nearest: {near[0]}" if near else ""
