"""The options of a child: name, what it takes, default, meaning.

Names and meanings are those of swanctl.conf wherever it has them.
"""

from __future__ import annotations

from ikeactors.config import values
from ikeactors.config.proposals import ah_proposals, esp_proposals
from ikeactors.config.schema import Option, options
from ikeactors.config.selectors import selector_template
from ikeactors.config.values import (
    absolute_path,
    boolean,
    duration,
    integer,
    listed,
    never_or_at_least_a_second,
    nft_set,
    some,
    word,
)
from ikeactors.config.vocabulary import enumeration, flat, later
from ikeactors.kernel.requests import CopyDscp, HwOffload, Mode, PolicyAction
from ikeactors.protocol.settings import DownAction, StartAction

# XFRMA_REPLAY_ESN_VAL_MAX: 4096 bits.
_MAX_REPLAY_WINDOW = 4096

_CLEAR_WORDS = {
    "clear": DownAction.CLEAR,
    "start": DownAction.START,
    "trap": DownAction.TRAP,
    "none": DownAction.CLEAR,
    "restart": DownAction.START,
}
_MODES: dict[str, Mode | PolicyAction] = {
    **enumeration(*Mode),
    **enumeration(PolicyAction.PASS, PolicyAction.DROP),
}


def _program(value: object) -> str:
    return absolute_path(value) if value else ""


CHILD = options(
    Option(
        "local_ts",
        some(listed(selector_template)),
        '["dynamic"]',
        'Our side of what is protected: "10.0.0.0/16", "10.0.0.1-10.0.0.9[tcp/80]", "dynamic".',
    ),
    Option(
        "remote_ts",
        some(listed(selector_template)),
        '["dynamic"]',
        'The peer\'s side; "dynamic" is the outer address.',
    ),
    Option(
        "esp_proposals",
        some(flat(esp_proposals)),
        '["default"]',
        "What protects it, best first; a key exchange in it means perfect forward secrecy.",
    ),
    Option(
        "ah_proposals",
        flat(ah_proposals),
        "[]",
        "AH instead of ESP, which authenticates and does not encrypt, and passes no NAT: "
        '"sha256-x25519".',
    ),
    Option(
        "mode",
        word(_MODES),
        '"tunnel"',
        '"tunnel" or "transport"; "pass" or "drop" what is not to be protected, as long as the '
        "daemon runs.",
    ),
    Option(
        "rekey_time",
        never_or_at_least_a_second,
        '"1h"',
        "When the Child SA is rekeyed; 0 is never.",
    ),
    Option(
        "life_time",
        never_or_at_least_a_second,
        None,
        "When it is closed if it could not be rekeyed.",
        otherwise="110 % of rekey_time",
        example='"66m"',
    ),
    Option(
        "rand_time",
        duration,
        None,
        "By how much rekeying comes sooner, at random.",
        otherwise="life_time - rekey_time, at most half of rekey_time",
        example='"6m"',
    ),
    Option("rekey_bytes", values.octets, "0", "After how many octets; 0 is never."),
    Option(
        "life_bytes",
        values.octets,
        None,
        "As life_time, in octets.",
        otherwise="110 % of rekey_bytes",
        example="0",
    ),
    Option(
        "rand_bytes",
        values.octets,
        None,
        "As rand_time, in octets.",
        otherwise="life_bytes - rekey_bytes, at most half of rekey_bytes",
        example="0",
    ),
    Option("rekey_packets", values.amount, "0", "After how many packets; 0 is never."),
    Option(
        "life_packets",
        values.amount,
        None,
        "As life_time, in packets.",
        otherwise="110 % of rekey_packets",
        example="0",
    ),
    Option(
        "rand_packets",
        values.amount,
        None,
        "As rand_time, in packets.",
        otherwise="life_packets - rekey_packets, at most half of rekey_packets",
        example="0",
    ),
    Option(
        "start_action",
        word(enumeration(*StartAction)),
        '"none"',
        '"start" brings it up with the daemon and keeps it up, "trap" when a packet needs it, '
        '"trap|start" does both; "none" waits.',
    ),
    Option(
        "dpd_action",
        word(_CLEAR_WORDS),
        '"clear"',
        'When the peer is dead: "clear" leaves it at that, "start" sets it up anew, "trap" when a '
        'packet needs it. What has start_action = "start" comes back anyway.',
    ),
    Option(
        "close_action",
        word(_CLEAR_WORDS),
        '"clear"',
        "When the peer has closed it: likewise, also with start_action.",
    ),
    Option("reqid", values.unsigned, "0", "A fixed reqid for the kernel; 0 takes a free one."),
    Option("mark_in", values.mark, '"0/0x0"', 'Mark of inbound packets, "0x10/0xff" or 42.'),
    Option("mark_out", values.mark, '"0/0x0"', "Mark of outbound packets."),
    Option(
        "mark_in_sa",
        boolean,
        "false",
        "Find the inbound SA too by mark_in; by default only the policies look at it.",
    ),
    Option(
        "set_mark_in",
        values.mark,
        '"0/0x0"',
        "Mark that the kernel gives to packets that have come in by the SA.",
    ),
    Option(
        "set_mark_out",
        values.mark,
        '"0/0x0"',
        "Mark that the kernel gives to the ESP packets, instead of routing_mark.",
    ),
    Option("if_id_in", values.if_id, "0", "XFRM interface, inbound; 0 is the connection's."),
    Option("if_id_out", values.if_id, "0", "XFRM interface, outbound; 0 is the connection's."),
    Option(
        "replay_window",
        integer(0, _MAX_REPLAY_WINDOW),
        "32",
        "Packets by which others may overtake one; 0 checks no replay.",
    ),
    Option("priority", values.unsigned, "0", "Of the policies; 0 is computed from the selectors."),
    Option("policies", boolean, "true", "Install policies, not only the SAs."),
    Option(
        "policy_on_down",
        word({"clear": False, "block": True}),
        '"clear"',
        'What is to be protected, while there is no Child SA: it may leave in the "clear", or is '
        'dropped ("block"), also when the daemon is stopped.',
    ),
    Option(
        "single_pair",
        boolean,
        "false",
        "As responder take a Child SA for each pair of addresses only, never for networks.",
    ),
    Option(
        "policies_fwd_out",
        boolean,
        "false",
        "Let through what is forwarded into the tunnel, where a drop policy would hold it.",
    ),
    Option(
        "tfc_padding",
        values.tfc_padding,
        "0",
        'Pad what we send to this length, so that lengths tell less; "mtu" is the path\'s.',
    ),
    Option(
        "ipcomp",
        boolean,
        "false",
        "Compress what gets smaller by it before it is protected, if the peer does so too.",
    ),
    Option(
        "hw_offload",
        word(enumeration(*HwOffload), {"packet": later('"packet"', '"crypto" or "auto"')}),
        '"no"',
        'A network device seals and opens packets: "crypto" or it is refused, "auto", "no".',
    ),
    Option(
        "updown",
        _program,
        '""',
        "A program that runs, without a shell, when the child goes up and down; none if empty.",
    ),
    Option(
        "nft_set",
        nft_set,
        '""',
        'A set of nftables that holds remote_ts while the child is up: "inet/filter/remote".',
    ),
    Option("nft_set6", nft_set, '""', "The same for IPv6."),
    Option("copy_df", boolean, "true", "Copy the DF bit to the outer IPv4 header."),
    Option("copy_ecn", boolean, "true", "Copy ECN from and to the outer header."),
    Option(
        "copy_dscp",
        word(enumeration(*CopyDscp)),
        '"out"',
        'Copy the DSCP to the outer header ("out"), from it ("in"), both ("yes"), or "no".',
    ),
)
