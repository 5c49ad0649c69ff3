"""The daemon's options about strangers: when they must return a cookie or solve a puzzle, when they
are ignored, and how long they may take; and about what peers may cost."""

from __future__ import annotations

from ikeactors.config import values
from ikeactors.config.schema import Option
from ikeactors.config.values import at_least_a_second, integer
from ikeactors.protocol.ikev2.puzzles import MAX_DIFFICULTY, MIN_DIFFICULTY

ADMISSION = (
    Option(
        "cookie_threshold",
        values.unsigned,
        "30",
        "Half-open IKE SAs from which on every initiator must return a cookie; 0 is never.",
    ),
    Option("cookie_threshold_ip", values.unsigned, "3", "The same, per IPv4 address or IPv6 /64."),
    Option(
        "block_threshold",
        values.unsigned,
        "5",
        "Half-open IKE SAs of one address or IPv6 /64 from which on it is ignored; 0 is never.",
    ),
    Option(
        "half_open_timeout",
        at_least_a_second,
        '"30s"',
        "How long an initiator may take until it is authenticated; under attack as little as 2s.",
    ),
    Option(
        "puzzle_threshold",
        values.unsigned,
        "0",
        "Half-open IKE SAs from which on initiators are asked to solve a puzzle; 0 is never.",
    ),
    Option(
        "puzzle_difficulty",
        integer(MIN_DIFFICULTY, MAX_DIFFICULTY),
        "14",
        "Bits of such a puzzle; in a great crowd it has two more.",
    ),
    Option(
        "puzzle_max_difficulty",
        integer(0, MAX_DIFFICULTY),
        "16",
        "Bits of the hardest puzzle that we solve as initiator; 0 is none.",
    ),
    Option(
        "max_associations",
        values.unsigned,
        "100000",
        "Associations from which on no more peers are served; 0 is without limit.",
    ),
    Option(
        "max_associations_ip",
        values.unsigned,
        "0",
        "The same of one IPv4 address or IPv6 /64, which may be that of many behind a NAT.",
    ),
    Option(
        "peer_messages",
        values.unsigned,
        "200",
        "Messages a second of one association, on an average of 10 s; 0 is without limit.",
    ),
    Option(
        "peer_cpu",
        integer(0, 100),
        "50",
        "Per cent of a processor for one association, likewise; 0 is without limit.",
    ),
)
