"""The daemon's options about recordings of associations."""

from __future__ import annotations

from ikeactors.config import values
from ikeactors.config.schema import Option
from ikeactors.config.values import integer

RECORDING = (
    Option(
        "record_key_file",
        values.text,
        '""',
        "A file with the key that seals recordings, closed to others; relative to this one.",
    ),
    Option(
        "record_size", values.octets, '"16M"', "How large a recording grows before it is ended."
    ),
    Option(
        "record_files",
        integer(1, 10000),
        "16",
        "How many recordings of a connection are kept; the oldest goes.",
    ),
)
