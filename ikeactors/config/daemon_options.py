"""The options of a file, of the daemon and of a secret: name, what it takes, default, meaning."""

from __future__ import annotations

from pathlib import Path

from ikeactors.config import values
from ikeactors.config.addresses import address
from ikeactors.config.admission import ADMISSION
from ikeactors.config.dns_options import DNSSEC
from ikeactors.config.identities import identity_patterns
from ikeactors.config.interfaces import interface_name
from ikeactors.config.mistakes import Refused
from ikeactors.config.recording import RECORDING
from ikeactors.config.schema import Option, options
from ikeactors.config.state import STATE
from ikeactors.config.token_options import TOKEN
from ikeactors.config.values import (
    boolean,
    duration,
    integer,
    listed,
    text,
    word,
)
from ikeactors.config.vocabulary import LEVEL

# The kernel's sockaddr_un.sun_path, less the final zero.
_MAX_SOCKET_PATH = 107

# Less than an association waits, see protocol/ikev2/revocation.py.
_MAX_REVOCATION_TIMEOUT = 50.0


def _socket_path(value: object) -> str:
    given = text(value)
    if Path(given).is_absolute() and len(given.encode()) <= _MAX_SOCKET_PATH:
        return given
    raise Refused((value, "an absolute path of at most 107 octets expected"))


def _directory(value: object) -> str:
    given = text(value)
    if Path(given).is_absolute():
        return given
    raise Refused((value, "an absolute path expected"))


def _revocation_timeout(value: object) -> float:
    given = duration(value)
    if 1.0 <= given <= _MAX_REVOCATION_TIMEOUT:
        return given
    raise Refused((value, f"from 1 to {_MAX_REVOCATION_TIMEOUT:g} seconds expected"))


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
    Option("tun_name", interface_name, '"ike0"', "Name of the TUN device of the user space."),
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
    Option(
        "state_directory",
        _directory,
        '"/var/lib/ikeactors"',
        "Where the daemon keeps what it must still know after a restart.",
    ),
    Option(
        "credentials",
        text,
        '""',
        "The directory of x509, x509ca, x509crl, private, pubkey and pkcs12; this file's if empty.",
    ),
    Option(
        "expiry_warning",
        duration,
        '"14d"',
        "How long before they expire our certificates and authorities are told of, once a day.",
    ),
    Option(
        "revocation_timeout",
        _revocation_timeout,
        '"10s"',
        "How long a peer waits at most until CRLs and OCSP responders have been asked.",
    ),
    Option(
        "revocation_private",
        boolean,
        "false",
        "Fetch CRLs and ask OCSP responders also at addresses that are not public.",
    ),
    Option(
        "revocation_ldap",
        boolean,
        "false",
        "Revocation lists may be asked of LDAP servers, too, where certificates name them.",
    ),
    Option("workers", integer(1, 64), "2", "How many workers do slow public-key operations."),
    Option("log_level", LEVEL, '"info"', 'What is logged: "debug", "info", "warning", "error".'),
    Option(
        "log_format",
        word({name: name for name in ("text", "json")}),
        '"text"',
        'How it is logged: "text" or "json", one line per event.',
    ),
    *DNSSEC,
    *STATE,
    *RECORDING,
    *ADMISSION,
    Option("stop_timeout", duration, '"2s"', "How long a stopping daemon waits for its peers."),
)

SECRET = options(
    Option(
        "file",
        text,
        None,
        "Or the name of a private key or PKCS #12 file: the secret is its passphrase then.",
    ),
    Option(
        "ids",
        identity_patterns,
        None,
        "Whose it is: identities or patterns, usually both ends'.",
        otherwise="anybody's",
        example='["gw.example.org", "branch.example.org"]',
    ),
    Option("id", identity_patterns, None, "The same, for a single one.", otherwise="anybody's"),
    Option(
        "type",
        word({name: name for name in ("psk", "ppk", "token")}),
        '"psk"',
        'A "psk" proves who one is; a "ppk" is mixed into keys and called by its ids; '
        'a "token" has a key.',
    ),
    Option("secret", text, None, 'The key: "text", "0x..." hexadecimal or "0s..." base64.'),
    Option(
        "secret_file",
        text,
        None,
        "Or a file that holds it, not readable by others; relative to this one.",
        example='"example.psk"',
    ),
    *TOKEN,
)
