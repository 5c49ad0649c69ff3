"""The daemon's options about what outlives the process."""

from __future__ import annotations

from ikeactors.config import values
from ikeactors.config.schema import Option
from ikeactors.config.values import absolute_path, duration, word

STATE = (
    Option(
        "runtime_dir",
        absolute_path,
        '"/run/ikeactors"',
        "Where checkpoints and recordings are, and of no other daemon: what outlives the process.",
    ),
    Option(
        "store",
        word({name: name for name in ("none", "sqlite")}),
        '"sqlite"',
        'What keeps IKE SAs over a restart: "none", or "sqlite", a file in runtime_dir.',
    ),
    Option(
        "store_key_file",
        values.text,
        '""',
        "A file with the key that seals them there, closed to others; relative to this one.",
    ),
    Option(
        "stop_action",
        word({name: name for name in ("delete", "keep")}),
        '"keep"',
        'What a stopping daemon does to its SAs: "delete" them, or "keep" them for the next one.',
    ),
    Option(
        "reconcile_interval",
        duration,
        '"5m"',
        "How often the data plane is compared with what should be there; 0 only where need be.",
    ),
)
