"""Facts of the daemon in words for people. Whatever came from a peer is escaped here."""

from __future__ import annotations

import datetime
import enum
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Any

from ikeactors.actors.printable import printable
from ikeactors.cli.tables import aligned

Facts = dict[str, Any]

_UNITS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))
_SIZES = (("GB", 10**9), ("MB", 10**6), ("kB", 10**3))
_INDENT = "  "
_NOT_UP = "DOWN"
_PARAGRAPH = 2048

# Ours: of certificates so many are told of in the text, and of authorities so early.
_MAX_EXPIRIES = 8
_SOON_DAYS = 30


def status_head(daemon: Facts) -> str:
    """The daemon in two lines."""
    states = ", ".join(f"{count} {state}" for state, count in sorted(daemon["ike_sas"].items()))
    why = f" ({daemon['kernel_reason']})" if daemon["kernel_reason"] else ""
    return (
        f"ikeactors {daemon['version']}, process {daemon['pid']}, up {span(daemon['uptime'])}, "
        f"kernel: {printable(daemon['kernel'])}{printable(why)}\n"
        f"connections: {daemon['connections']}, IKE SAs: {states or 'none'}, "
        f"Child SAs: {daemon['child_sas']}\n"
    )


def expiry_lines(daemon: Facts) -> Iterator[str]:
    """When our certificates expire, and those authorities that do soon: the first of them."""
    known = (daemon.get("statistics") or {}).get("certificates") or ()
    told = [one for one in known if one["kind"] == "own" or one["days_left"] < _SOON_DAYS]
    for one in sorted(told, key=itemgetter("days_left"))[:_MAX_EXPIRIES]:
        left, expires = one["days_left"], one["expires"]
        when = f"expires in {left} days, on {expires}" if left >= 0 else f"has expired on {expires}"
        kind = "our certificate" if one["kind"] == "own" else "the authority"
        yield f"{kind} {printable(one['holder'])} {when}"


def status_lines(tunnels: Sequence[Facts], sas: Sequence[Facts]) -> Iterator[str]:
    """Every tunnel with its SAs, then SAs whose connection is not (or no more) configured."""
    of_connection: dict[str, list[Facts]] = defaultdict(list)
    for sa in sas:
        of_connection[sa["connection"]].append(sa)
    rows: list[_Line] = []
    for tunnel in tunnels:
        mine = of_connection.pop(tunnel["connection"], [])
        rows += _sa_rows(mine) if mine else [_down_row(tunnel)]
        rows += _children_down(tunnel)
    for strays in of_connection.values():
        rows += _sa_rows(strays)
    yield from _laid_out(rows)


def sa_lines(sas: Sequence[Facts]) -> Iterator[str]:
    """SAs as `status` shows them."""
    yield from _laid_out(_sa_rows(sas))


def connection_rows(connections: Iterable[Facts]) -> list[list[str]]:
    """Connections as configured, a row for each."""
    return [
        [
            one["name"],
            _end(", ".join(one["local_addrs"]) or "%any", one["local"]["id"]),
            _end(", ".join(one["remote_addrs"]) or "%any", one["remote"]["id"]),
            f"{one['local']['auth']} / {one['remote']['auth']}",
            ", ".join(child["name"] for child in one["children"]),
        ]
        for one in connections
    ]


def kernel_head(summary: Facts) -> str:
    """Which data plane it is, and how often it has been looked at."""
    why = f" ({summary['kernel_reason']})" if summary["kernel_reason"] else ""
    counted = summary["statistics"] or {}
    looks, drifts = counted.get("looks", 0), counted.get("drifts", 0)
    differed = f"looked at {looks} times, {drifts} of them with differences"
    return f"kernel: {printable(summary['kernel'])}{printable(why)}, {differed}"


def kernel_rows(summary: Facts) -> list[list[str]]:
    """How much should be there, and what differs: SAs, then policies."""
    columns = ("wanted", "missing", "orphans", "replaced", "foreign")
    return [
        [name, *(str(summary[key].get(column, "-")) for column in columns)]
        for key, name in (("sas", "SAs"), ("policies", "policies"))
    ]


def statistics_lines(counted: Facts) -> Iterator[str]:
    """Every number with its full name, one a line."""
    rows = [[name, str(value)] for name, value in _flat("", counted)]
    yield from aligned(rows)


def event_line(event: Facts) -> str:
    """An event as a line."""
    if "sequence" not in event:
        return printable(str(event.get("text", "")), _PARAGRAPH)
    at = datetime.datetime.fromtimestamp(event["time"]).astimezone()
    who = f" {printable(event['connection'])}" if event["connection"] else ""
    number = f"[{event['association']}]" if event["association"] else ""
    details = "".join(
        f" {printable(key)}={printable(str(value))}" for key, value in event["details"].items()
    )
    text = printable(event["text"], _PARAGRAPH)
    when = at.isoformat(sep=" ", timespec="milliseconds")
    return f"{when} {event['level']:7}{who}{number} {event['name']}: {text}{details}"


def span(seconds: float) -> str:
    """A duration in its two largest units: 3h51m, 52m, 2d4h, 40s."""
    left = max(0, int(seconds))
    for at, (size, unit) in enumerate(_UNITS[:-1]):
        if left >= size:
            count, rest = divmod(left, size)
            smaller, small_unit = _UNITS[at + 1]
            small = rest // smaller
            return f"{count}{unit}{small}{small_unit}" if small else f"{count}{unit}"
    return f"{left}s"


def size(octets: int) -> str:
    """A number of octets, in three digits or so."""
    for unit, one in _SIZES:
        if octets >= one:
            return f"{octets / one:.1f} {unit}"
    return f"{octets} B"


class _Kind(enum.Enum):
    """Lines whose columns are aligned with each other. Why a connection is down may be long."""

    IKE_SA = enum.auto()
    CHILD_SA = enum.auto()
    DOWN = enum.auto()


class _Line(list[str]):
    """The cells of a line, and of which kind it is."""

    def __init__(self, kind: _Kind, cells: Iterable[str]) -> None:
        super().__init__(cells)
        self.kind = kind


def _laid_out(rows: Sequence[_Line]) -> list[str]:
    """The first three columns are aligned over all lines, the others among their kind."""
    heads = aligned([[_indent(row.kind) + row[0], *row[1:3]] for row in rows])
    width = max(map(len, heads), default=0)
    tails = {kind: iter(aligned([row[3:] for row in rows if row.kind is kind])) for kind in _Kind}
    return [
        f"{head.ljust(width)}  {next(tails[row.kind])}".rstrip()
        for head, row in zip(heads, rows, strict=True)
    ]


def _indent(kind: _Kind) -> str:
    return _INDENT if kind is _Kind.CHILD_SA else ""


def _sa_rows(sas: Iterable[Facts]) -> list[_Line]:
    rows = []
    for sa in sas:
        rows.append(_Line(_Kind.IKE_SA, _ike_sa_cells(sa)))
        rows += [_Line(_Kind.CHILD_SA, _child_sa_cells(child)) for child in sa["children"]]
    return rows


def _ike_sa_cells(sa: Facts) -> list[str]:
    local = _end(sa["local"], sa["local_id"])
    remote = _end(sa["remote"], sa["remote_id"])
    return [
        printable(sa["connection"]) or "(unknown)",
        f"IKEv{sa['version']}",
        sa["state"],
        f"{local} === {remote}",
        sa["suite"],
        ", ".join(filter(None, _ike_sa_plans(sa))),
    ]


def _child_sa_cells(child: Facts) -> list[str]:
    return [
        printable(child["name"]),
        child["protocol"].upper() + (" in UDP" if child["encapsulated"] else ""),
        child["state"],
        _selectors(child),
        f"in {child['spi_in']}{_usage(child['octets_in'], child['packets_in'])}",
        f"out {child['spi_out']}{_usage(child['octets_out'], child['packets_out'])}",
        child["suite"],
        _rekey_in(child["rekey_in"]),
    ]


def _down_row(tunnel: Facts) -> _Line:
    failure = tunnel["last_failure"]
    why = f"(last failure: {printable(failure, _PARAGRAPH)})" if failure else ""
    name = printable(tunnel["connection"])
    return _Line(_Kind.DOWN, [name, f"IKEv{tunnel['version']}", _NOT_UP, why])


def _children_down(tunnel: Facts) -> list[_Line]:
    return [
        _Line(_Kind.CHILD_SA, [printable(child["name"]), "", _NOT_UP, _selectors(child)])
        for child in tunnel["children_down"]
    ]


def _selectors(child: Facts) -> str:
    return f"{', '.join(child['local_ts'])} === {', '.join(child['remote_ts'])}"


def _end(address: str, identity: str) -> str:
    """An end's address and who it is; an identity in square brackets that it cannot close."""
    return f"{address} [{printable(identity)}]" if identity else address


def _usage(octets: int | None, packets: int | None) -> str:
    if octets is None or packets is None:
        return ""
    return f" ({size(octets)}, {packets} packet{'' if packets == 1 else 's'})"


def _ike_sa_plans(sa: Facts) -> tuple[str, str]:
    seconds = sa["reauthenticate_in"]
    anew = "" if seconds is None else f"reauthentication in {span(seconds)}"
    return _rekey_in(sa["rekey_in"]), anew


def _rekey_in(seconds: float | None) -> str:
    return "" if seconds is None else f"rekey in {span(seconds)}"


def _flat(prefix: str, value: object) -> Iterator[tuple[str, object]]:
    for key, one in _parts(value):
        yield from _flat(f"{prefix}.{key}" if prefix else key, one)
    if not isinstance(value, dict | list):
        yield prefix, printable(str(value))


def _parts(value: object) -> Iterable[tuple[str, object]]:
    """What a map or a list is made of: by name where there is one, else by number."""
    if isinstance(value, dict):
        return [(str(key), one) for key, one in value.items()]
    if not isinstance(value, list):
        return ()
    return [_named(number, one) for number, one in enumerate(value)]


def _named(number: int, part: object) -> tuple[str, object]:
    if isinstance(part, dict) and "name" in part:
        return str(part["name"]), {key: one for key, one in part.items() if key != "name"}
    if isinstance(part, list) and len(part) == 2 and isinstance(part[0], str):
        return part[0], part[1]
    return str(number), part
