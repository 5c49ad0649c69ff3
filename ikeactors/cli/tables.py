"""Aligned columns on a terminal: with `rich` where it is installed, else plainly."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from ikeactors.actors.printable import printable

Row = Sequence[str]

_GAP = "  "


def print_document(document: object) -> int:
    """One JSON document; the exit code of a command that has nothing more to do."""
    print(json.dumps(document, indent=2))
    return 0


def print_table(head: Row, rows: Sequence[Row]) -> None:
    """Rows under their head. Pipes get the plain form, which `awk` can cut."""
    safe = [[printable(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty() or not _printed_richly(head, safe):
        for line in aligned([[cell.upper() for cell in head], *safe]):
            print(line)


def aligned(rows: Sequence[Row]) -> list[str]:
    """Lines whose columns begin at the same place; a row may be shorter than others."""
    columns = max(map(len, rows), default=0)
    widths = [max(len(row[at]) if at < len(row) else 0 for row in rows) for at in range(columns)]
    return [
        _GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip()
        for row in rows
    ]


def _printed_richly(head: Row, rows: Sequence[Row]) -> bool:
    try:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
    except ImportError:
        return False
    table = Table(box=None, header_style="bold", pad_edge=False)
    for cell in head:
        table.add_column(cell.upper(), overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)
    return True
