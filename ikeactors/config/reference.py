"""The example file and the reference page, made from the tables that the reader reads by."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ikeactors.config.child_options import CHILD
from ikeactors.config.connection_options import CONNECTION
from ikeactors.config.daemon_options import DAEMON, FILE, SECRET
from ikeactors.config.end_options import LOCAL, REMOTE
from ikeactors.config.interfaces import INTERFACE
from ikeactors.config.keywords import KEYWORDS, is_weak
from ikeactors.config.proposals import ESP_DEFAULTS, IKE_DEFAULTS
from ikeactors.config.schema import Option, Options
from ikeactors.iana import TransformType

_WIDTH = 96


@dataclass(frozen=True, slots=True)
class Chapter:
    """A section of the file. `samples` are the values the example sets."""

    header: str
    title: str
    options: Options
    text: str
    samples: Mapping[str, str] = field(default_factory=dict)


CHAPTERS = (
    Chapter("", "The file", FILE, "Before the first section, in the first file only."),
    Chapter("daemon", "[daemon]", DAEMON, "The daemon: sockets, data plane, limits, log."),
    Chapter(
        "connections.example",
        "[connections.NAME]",
        CONNECTION,
        "A connection: one peer, or many that are alike.",
        {"remote_addrs": '["192.0.2.2"]'},
    ),
    Chapter(
        "connections.example.local",
        "[connections.NAME.local]",
        LOCAL,
        "Who we are.",
        {"id": '"gw.example.org"'},
    ),
    Chapter(
        "connections.example.remote",
        "[connections.NAME.remote]",
        REMOTE,
        "Who the peer is.",
        {"id": '"branch.example.org"'},
    ),
    Chapter(
        "connections.example.children.net",
        "[connections.NAME.children.CHILD]",
        CHILD,
        "A child: what is protected, and how.",
        {"local_ts": '["10.1.0.0/16"]', "remote_ts": '["10.2.0.0/16"]'},
    ),
    Chapter(
        "interfaces.ipsec7",
        "[interfaces.NAME]",
        INTERFACE,
        "An XFRM interface, there as long as something is installed under its number.",
        {"if_id": "7"},
    ),
    Chapter(
        "secrets.example",
        "[secrets.NAME]",
        SECRET,
        "A pre-shared key. Make its file with: umask 077; openssl rand -base64 32 >example.psk",
        {
            "ids": '["gw.example.org", "branch.example.org"]',
            "secret_file": '"example.psk"',
        },
    ),
)

_EXAMPLE_HEAD = """\
# ikeactors: every option, what it does and its default. What is commented out holds as it stands.
# Check a file with: ikeactors check FILE
# Durations are seconds, or "30s", "5m", "1h", "2d"; octets are a number, or "100k", "10M", "1G".
"""

_PAGE_HEAD = """\
Configuration
=============

The configuration is one TOML file and those it includes. Sections and options have the names and
meanings of swanctl.conf. ``ikeactors check FILE`` tells all mistakes of a configuration at once,
each with its file, line and key, and changes nothing.

Values
------

durations
    Seconds as a number, or text with a unit: ``"500ms"``, ``"30s"``, ``"5m"``, ``"1h"``, ``"2d"``.
octets
    A number, or text with a unit of 1024: ``"100k"``, ``"10M"``, ``"1G"``.
lists
    A TOML list of texts, or one text with commas.
addresses
    ``"192.0.2.1"``, ``"192.0.2.0/24"``, ``"192.0.2.1-192.0.2.9"``, ``"%any"`` and ``"%any6"``.
    DNS names are not resolved yet.
traffic selectors
    Addresses, or ``"dynamic"`` for the outer address, and behind them in brackets a protocol with
    its ports: ``"10.0.0.0/8[tcp/80]"``, ``"10.0.0.1-10.0.0.9[udp/1000-2000]"``, ``"dynamic[gre]"``,
    ``"10.0.0.0/8[icmp/8]"`` for a type of ICMP, ``"10.0.0.0/8[icmp/3:1]"`` with its code,
    ``"dynamic[tcp/opaque]"`` for fragments and others whose ports cannot be seen.
identities
    A name, an address, an e-mail address or a distinguished name, told apart by their looks;
    ``keyid:``, ``fqdn:``, ``email:``, ``ipv4:``, ``ipv6:`` and ``asn1dn:`` force a type. Where it
    says so, also the patterns ``"*.example.org"``, ``"*@example.org"`` and ``"%any"``.
marks
    ``42``, ``"0x10"`` or ``"0x10/0xff"`` with a mask.
"""

_PROPOSALS_HEAD = """\
Proposals
---------

A proposal is keywords with hyphens, ``"aes256-sha256-x25519"``; several keywords of a kind are
alternatives, best first.

* An IKE proposal needs a key exchange method. Without a PRF it takes that of its integrity
  algorithm, so that AEAD ciphers, which have none, need a PRF keyword.
* An ESP proposal with a key exchange method gives perfect forward secrecy. Extended sequence
  numbers are off unless it says ``esn``; ``esn-noesn`` offers both.
* AEAD ciphers and others stand in proposals of their own.
* Keywords with an asterisk need ``allow_weak = true`` in the connection.
"""

_SECRETS_TAIL = """\
A file that holds a secret must belong to root or to the daemon's user and be closed to all others
(``chmod 600``); otherwise the configuration is refused. The text of a secret is never printed.
"""

_KINDS = {
    TransformType.ENCR: "Encryption",
    TransformType.INTEG: "Integrity",
    TransformType.PRF: "PRF",
    TransformType.KE: "Key exchange",
    TransformType.ESN: "Sequence numbers",
}


def example() -> str:
    """config/ikeactors.example.toml."""
    return "\n".join((_EXAMPLE_HEAD, *map(_example_section, CHAPTERS))).rstrip() + "\n"


def page() -> str:
    """docs/configuration.rst."""
    sections = "\n".join(map(_page_section, CHAPTERS))
    return "\n".join((_PAGE_HEAD, sections, _SECRETS_TAIL, _proposals())).rstrip() + "\n"


def _example_section(chapter: Chapter) -> str:
    header = [f"# {chapter.text}", f"[{chapter.header}]"] if chapter.header else []
    lines = [line for one in chapter.options.values() for line in _example_lines(one, chapter)]
    return "\n".join((*header, *lines, ""))


def _example_lines(option: Option, chapter: Chapter) -> Iterator[str]:
    default = option.otherwise
    if option.name in chapter.samples:
        default = default or option.default or ""
        yield _comment(option.help, default)
        yield f"{option.name} = {chapter.samples[option.name]}"
    elif option.default is None and not option.example:
        yield _comment(f"{option.name}: {option.help}", "")
    else:
        yield _comment(option.help, default)
        yield f"#{option.name} = {option.default or option.example}"


def _comment(text: str, default: str) -> str:
    return f"# {text} (default: {default})" if default else f"# {text}"


def _page_section(chapter: Chapter) -> str:
    lines = ["", chapter.title, "-" * len(chapter.title), "", chapter.text, ""]
    for option in chapter.options.values():
        lines += [f"``{option.name}``{_page_default(option)}", f"    {_escaped(option.help)}"]
    return "\n".join((*lines, ""))


def _escaped(text: str) -> str:
    """An asterisk that does not begin emphasis."""
    return text.replace("*", "\\*")


def _page_default(option: Option) -> str:
    if option.default is not None:
        return f" = ``{option.default}``"
    return f" = {option.otherwise}" if option.otherwise else ""


def _proposals() -> str:
    lines = []
    for kind, name in _KINDS.items():
        words = [_keyword(one) for one, row in KEYWORDS.items() if row.type == kind]
        lines += [name, textwrap.indent(textwrap.fill(", ".join(words), _WIDTH), "    ")]
    lines += ["", '``"default"`` stands for these, for IKE and for ESP:', "", "::", ""]
    lines += [f"    {one}" for one in (*IKE_DEFAULTS, "", *ESP_DEFAULTS)]
    return "\n".join((_PROPOSALS_HEAD, *(line.rstrip() for line in lines)))


def _keyword(name: str) -> str:
    return f"{name}\\*" if is_weak(KEYWORDS[name]) else name
