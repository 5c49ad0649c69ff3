"""The options of a connection: name, what it takes, default, meaning.

Names and meanings are those of swanctl.conf wherever it has them.
"""

from __future__ import annotations

from ikeactors.config import values
from ikeactors.config.addresses import address_patterns
from ikeactors.config.identities import identity_or_none
from ikeactors.config.mistakes import Refused
from ikeactors.config.proposals import ike_proposals
from ikeactors.config.schema import Option, options
from ikeactors.config.values import (
    boolean,
    duration,
    integer,
    never_or_at_least_a_second,
    real,
    some,
    word,
)
from ikeactors.config.vocabulary import LEVEL_OR_INHERITED, enumeration, flat
from ikeactors.protocol.choices import (
    Childless,
    Fragmentation,
    InBandOcsp,
    SendCertificate,
)
from ikeactors.protocol.settings import Unique

# Ours: answers kept for each IKE SA, of some hundred octets to some thousand each.
_MAX_WINDOW_SIZE = 64


def _version(value: object) -> int:
    version = values.unsigned(value)
    if version in (0, 1):
        raise Refused((value, "IKEv1 is not available yet: write 2"))
    if version != 2:
        raise Refused((value, "there is no such IKE version: write 2"))
    return version


CONNECTION = options(
    Option("version", _version, "2", "IKE version; only 2 so far."),
    Option(
        "local_addrs",
        some(flat(address_patterns)),
        '["%any"]',
        'Our addresses: single ones, networks, ranges, DNS names, "%any", "%any6".',
    ),
    Option(
        "remote_addrs",
        some(flat(address_patterns)),
        '["%any"]',
        "The peer's addresses, as above; we can initiate only if it is a single one, or a name.",
    ),
    Option("local_port", values.port, "500", "Our UDP port to initiate from."),
    Option("remote_port", values.port, "500", "The peer's UDP port to initiate to."),
    Option(
        "proposals",
        some(flat(ike_proposals)),
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
        "rekey_time",
        never_or_at_least_a_second,
        None,
        "When the IKE SA is rekeyed; 0 is never.",
        otherwise="4h, or never with a reauth_time",
        example='"4h"',
    ),
    Option(
        "reauth_time",
        never_or_at_least_a_second,
        "0",
        "When both ends authenticate anew, on a new IKE SA; 0 is never. A responder asks for it.",
    ),
    Option(
        "make_before_break",
        boolean,
        "true",
        "Reauthenticate with both IKE SAs side by side; false deletes the old one first.",
    ),
    Option(
        "over_time",
        duration,
        None,
        "How long after these it is closed if it was neither rekeyed nor reauthenticated.",
        otherwise="10 % of the longer of rekey_time and reauth_time",
        example='"24m"',
    ),
    Option(
        "rand_time",
        duration,
        None,
        "By how much rekeying and reauthentication come sooner, at random.",
        otherwise="over_time, at most half of the shorter of the two",
        example='"24m"',
    ),
    Option(
        "childless",
        word(enumeration(*Childless)),
        '"allow"',
        'IKE SAs that begin without a Child SA: "allow" the peer\'s, "prefer", "force", "never".',
    ),
    Option("dpd_delay", duration, "0", "Silence, in ESP too, until the peer is asked; 0 is never."),
    Option("dpd_timeout", duration, "0", "Without meaning in IKEv2, where retransmission decides."),
    Option("dscp", values.dscp, '"000000"', "DSCP of our IKE messages, six binary digits."),
    Option("keepalive", duration, '"20s"', "Time between NAT keepalives; 0 sends none."),
    Option("encap", boolean, "false", "Encapsulate ESP in UDP even without a NAT."),
    Option(
        "mobike",
        boolean,
        "true",
        "Follow either end when its addresses change (MOBIKE); IKE moves to port 4500 for it.",
    ),
    Option(
        "fragmentation",
        word(enumeration(*Fragmentation)),
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
        "window_size",
        integer(1, _MAX_WINDOW_SIZE),
        "1",
        "How many requests the peer may send before the first is answered.",
    ),
    Option(
        "quick_crash_detection",
        boolean,
        "false",
        "Exchange tokens, so that an end that has lost its state is known at its first answer.",
    ),
    Option(
        "unique",
        word(enumeration(*Unique)),
        '"no"',
        'What a new IKE SA does to older ones of the peer: "no", "replace", "keep", "never".',
    ),
    Option(
        "keyingtries",
        values.attempts,
        "0",
        'How often a child that is to be up is tried; 0 or "%forever" is without end.',
    ),
    Option(
        "send_cert",
        word(enumeration(*SendCertificate)),
        '"ifasked"',
        'When our certificate is sent: "ifasked", "always", "never".',
    ),
    Option(
        "ocsp",
        word(enumeration(*InBandOcsp)),
        '"reply"',
        'OCSP answers within IKE: "request" the peer\'s, "reply" with ours, "both", "never".',
    ),
    Option("send_certreq", boolean, "true", "Ask the peer for its certificate."),
    Option(
        "ppk_id",
        identity_or_none,
        '""',
        'The post-quantum pre-shared key (RFC 8784), none if empty; as responder also "%any".',
    ),
    Option("ppk_required", boolean, "false", "No IKE SA without that key."),
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
        LEVEL_OR_INHERITED,
        '""',
        "The level for this connection alone; the daemon's if empty.",
    ),
    Option(
        "record",
        boolean,
        "false",
        "Record its associations for tools/replay, sealed with the daemon's record_key_file.",
    ),
)
