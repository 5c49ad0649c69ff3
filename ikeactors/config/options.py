"""Every option there is: its name, what it takes, its default and a line that says what it does.

Names and meanings are those of swanctl.conf wherever it has them.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ikeactors.config import values
from ikeactors.config.addresses import address, address_patterns
from ikeactors.config.admission import ADMISSION
from ikeactors.config.identities import identity, identity_pattern, identity_patterns
from ikeactors.config.mistakes import Refused
from ikeactors.config.proposals import esp_proposals, ike_proposals
from ikeactors.config.schema import Option, options
from ikeactors.config.selectors import selector_template
from ikeactors.config.values import (
    boolean,
    duration,
    integer,
    listed,
    never_or_at_least_a_second,
    real,
    some,
    text,
    word,
)
from ikeactors.kernel.requests import Mode
from ikeactors.protocol.settings import DownAction, Fragmentation, StartAction, Unique

T = TypeVar("T")
E = TypeVar("E", bound=enum.Enum)

# The kernel's IFNAMSIZ and sockaddr_un.sun_path, less the final zero.
_MAX_INTERFACE_NAME = 15
_MAX_SOCKET_PATH = 107

# XFRMA_REPLAY_ESN_VAL_MAX: 4096 bits.
_MAX_REPLAY_WINDOW = 4096

_INTERFACE_NAME = re.compile(r"[^\s/:\x00-\x1f]+")


def _enumeration(*members: E) -> dict[str, E]:
    return {str(member.value): member for member in members}


def _flat(item: Callable[[object], tuple[T, ...]]) -> Callable[[object], tuple[T, ...]]:
    """A list of which each element may stand for several."""
    parse = listed(item)
    return lambda value: tuple(dict.fromkeys(one for several in parse(value) for one in several))


def _later(what: str, instead: str) -> str:
    return f"{what} is not available yet: write {instead}"


def _interface_name(value: object) -> str:
    given = text(value)
    if _INTERFACE_NAME.fullmatch(given) and len(given) <= _MAX_INTERFACE_NAME:
        return given
    raise Refused((value, "an interface name has 1 to 15 characters, no space, slash or colon"))


def _socket_path(value: object) -> str:
    given = text(value)
    if Path(given).is_absolute() and len(given.encode()) <= _MAX_SOCKET_PATH:
        return given
    raise Refused((value, "an absolute path of at most 107 octets expected"))


def _version(value: object) -> int:
    version = values.unsigned(value)
    if version in (0, 1):
        raise Refused((value, "IKEv1 is not available yet: write 2"))
    if version != 2:
        raise Refused((value, "there is no such IKE version: write 2"))
    return version


def _reauth_time(value: object) -> float:
    if duration(value):
        raise Refused((value, "reauthentication is not available yet: write 0"))
    return 0.0


LEVELS = ("debug", "info", "warning", "error")
_LEVEL = word({level: level for level in LEVELS})
_LEVEL_OR_INHERITED = word({level: level for level in (*LEVELS, "")})

_CLEAR_WORDS = {
    "clear": DownAction.CLEAR,
    "start": DownAction.START,
    "none": DownAction.CLEAR,
    "restart": DownAction.START,
}
_TRAP = {"trap": _later('"trap"', '"start", or leave it out')}

_AUTH_LATER = {
    name: _later(f'"{name}"', '"psk"')
    for name in ("pubkey", "eap", "eap-tls", "eap-mschapv2", "xauth", "any", "null")
}

FILE = options(
    Option(
        "include",
        listed(text),
        "[]",
        'More files, relative to this one, for example "conf.d/*.toml".',
    ),
)

DAEMON = options(
    Option(
        "listen", listed(address), "[]", "Local addresses to listen on; none means all of them."
    ),
    Option("port", values.port, "500", "UDP port for IKE."),
    Option("port_nat_t", values.port, "4500", "UDP port for IKE and ESP behind a NAT."),
    Option(
        "kernel",
        word({name: name for name in ("auto", "xfrm", "userspace")}),
        '"auto"',
        'Who carries ESP: "xfrm" (the kernel), "userspace" (over a TUN device), "auto" (probes).',
    ),
    Option("tun_name", _interface_name, '"ike0"', "Name of the TUN device of the user space."),
    Option("tun_mtu", integer(576, 65535), "1400", "MTU of that device."),
    Option("install_routes", boolean, "true", "Install routes to the peers' networks."),
    Option("routing_table", values.routing_table, "220", "Routing table for these routes, 1-252."),
    Option(
        "routing_mark",
        values.unsigned,
        "0x1ce",
        "Mark of our own packets: they do not use these routes.",
    ),
    Option(
        "admin_socket",
        _socket_path,
        '"/run/ikeactors/admin.sock"',
        "Where the ikeactors command reaches the daemon.",
    ),
    Option("admin_group", text, '""', "Group that may use it besides root; none if empty."),
    Option("workers", integer(1, 64), "2", "How many workers do slow public-key operations."),
    Option("log_level", _LEVEL, '"info"', 'What is logged: "debug", "info", "warning", "error".'),
    Option(
        "log_format",
        word({name: name for name in ("text", "json")}),
        '"text"',
        'How it is logged: "text" or "json", one line per event.',
    ),
    *ADMISSION,
    Option("stop_timeout", duration, '"2s"', "How long a stopping daemon waits for its peers."),
)

CONNECTION = options(
    Option("version", _version, "2", "IKE version; only 2 so far."),
    Option(
        "local_addrs",
        some(_flat(address_patterns)),
        '["%any"]',
        'Our addresses: single ones, networks, ranges, "%any", "%any6".',
    ),
    Option(
        "remote_addrs",
        some(_flat(address_patterns)),
        '["%any"]',
        "The peer's addresses; we can initiate only if it is a single one.",
    ),
    Option("local_port", values.port, "500", "Our UDP port to initiate from."),
    Option("remote_port", values.port, "500", "The peer's UDP port to initiate to."),
    Option(
        "proposals",
        some(_flat(ike_proposals)),
        '["default"]',
        "What protects the IKE SA, best first.",
    ),
    Option(
        "allow_weak",
        boolean,
        "false",
        "Permit algorithms that are weak or do not encrypt: 3des, null, md5, modp1024, ...",
    ),
    Option(
        "rekey_time", never_or_at_least_a_second, '"4h"', "When the IKE SA is rekeyed; 0 is never."
    ),
    Option(
        "over_time",
        duration,
        None,
        "How long after that it is closed if it could not be rekeyed.",
        otherwise="10 % of rekey_time",
        example='"24m"',
    ),
    Option(
        "rand_time",
        duration,
        None,
        "By how much rekeying comes sooner, at random.",
        otherwise="over_time, at most half of rekey_time",
        example='"24m"',
    ),
    Option("reauth_time", _reauth_time, "0", "When to authenticate anew; only 0, never, so far."),
    Option("dpd_delay", duration, "0", "Silence, in ESP too, until the peer is asked; 0 is never."),
    Option("dpd_timeout", duration, "0", "Without meaning in IKEv2, where retransmission decides."),
    Option("keepalive", duration, '"20s"', "Time between NAT keepalives; 0 sends none."),
    Option("encap", boolean, "false", "Encapsulate ESP in UDP even without a NAT."),
    Option(
        "fragmentation",
        word(_enumeration(*Fragmentation)),
        '"yes"',
        'Large messages in fragments: "yes", "no", "accept" the peer\'s only; "force" is "yes".',
    ),
    Option(
        "fragment_size",
        values.fragment_size,
        "1280",
        "The largest IP datagram before there are fragments; 0 is 576 for IPv4, 1280 for IPv6.",
    ),
    Option(
        "unique",
        word(_enumeration(*Unique)),
        '"no"',
        'What a new IKE SA does to older ones of the peer: "no", "replace", "keep", "never".',
    ),
    Option(
        "keyingtries",
        values.attempts,
        "0",
        'How often a child that is to be up is tried; 0 or "%forever" is without end.',
    ),
    Option("send_initial_contact", boolean, "true", "Tell the peer when we know no older IKE SA."),
    Option("if_id_in", values.if_id, "0", "XFRM interface of all children, inbound; 0 is none."),
    Option("if_id_out", values.if_id, "0", "XFRM interface of all children, outbound; 0 is none."),
    Option("retransmit_timeout", duration, '"4s"', "Wait before a request is sent again."),
    Option("retransmit_base", real(1, 10), "1.8", "By what each wait is longer than the last."),
    Option("retransmit_tries", integer(0, 100), "5", "How often it is sent again."),
    Option("retransmit_limit", duration, "0", "The longest wait; 0 is without limit."),
    Option(
        "retransmit_jitter",
        integer(0, 100),
        "0",
        "Per cent by which waits are shortened at random.",
    ),
    Option(
        "log_level",
        _LEVEL_OR_INHERITED,
        '""',
        "The level for this connection alone; the daemon's if empty.",
    ),
)

LOCAL = options(
    Option("auth", word({"psk": "psk"}, _AUTH_LATER), '"psk"', "How we prove who we are."),
    Option("id", identity, '"%any"', "Who we are; the local address if not said."),
)

REMOTE = options(
    Option("auth", word({"psk": "psk"}, _AUTH_LATER), '"psk"', "How the peer proves who it is."),
    Option(
        "id",
        identity_pattern,
        '"%any"',
        'Who the peer is: an identity, "*.example.org", "*@example.org" or "%any".',
    ),
)

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
        some(_flat(esp_proposals)),
        '["default"]',
        "What protects it, best first; a key exchange in it means perfect forward secrecy.",
    ),
    Option("mode", word(_enumeration(*Mode)), '"tunnel"', '"tunnel" or "transport".'),
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
        word(_enumeration(*StartAction), _TRAP),
        '"none"',
        '"start" brings it up with the daemon and keeps it up; "none" waits.',
    ),
    Option(
        "dpd_action",
        word(_CLEAR_WORDS, _TRAP),
        '"clear"',
        'When the peer is dead: "clear" leaves it at that, "start" sets it up anew. What has '
        'start_action = "start" comes back anyway.',
    ),
    Option(
        "close_action",
        word(_CLEAR_WORDS, _TRAP),
        '"clear"',
        "When the peer has closed it: likewise, also with start_action.",
    ),
    Option("reqid", values.unsigned, "0", "A fixed reqid for the kernel; 0 takes a free one."),
    Option("mark_in", values.mark, '"0/0x0"', 'Mark of inbound packets, "0x10/0xff" or 42.'),
    Option("mark_out", values.mark, '"0/0x0"', "Mark of outbound packets."),
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
)

SECRET = options(
    Option(
        "ids",
        identity_patterns,
        None,
        "Whose it is: identities or patterns, usually both ends'.",
        otherwise="anybody's",
        example='["gw.example.org", "branch.example.org"]',
    ),
    Option("id", identity_patterns, None, "The same, for a single one.", otherwise="anybody's"),
    Option("secret", text, None, 'The key: "text", "0x..." hexadecimal or "0s..." base64.'),
    Option(
        "secret_file",
        text,
        None,
        "Or a file that holds it, not readable by others; relative to this one.",
        example='"example.psk"',
    ),
)
