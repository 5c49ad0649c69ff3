"""A connection and its children: from their sections, with what the options say of each other."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ikeactors.config.addresses import AddressName
from ikeactors.config.child_options import CHILD
from ikeactors.config.connection_options import CONNECTION
from ikeactors.config.end_options import LOCAL, REMOTE
from ikeactors.config.ends import check_unproven, in_rounds, read_end
from ikeactors.config.mistakes import Mistakes, Place
from ikeactors.config.proposals import templates
from ikeactors.config.schema import Section, as_table, read_section
from ikeactors.config.shunts import is_shunt, read_shunt
from ikeactors.iana import ProtocolId
from ikeactors.kernel.requests import HeaderCopying
from ikeactors.protocol.settings import (
    AddressPattern,
    AuthSettings,
    ChildSettings,
    ConnectionSettings,
    DownAction,
    Retransmission,
    SelectorTemplate,
    Shunt,
    StartAction,
)

# Names are typed on command lines, CONNECTION/CHILD, and stand in log lines.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@-]{0,63}")

# swanctl's default, in seconds.
_REKEY_TIME = 14400.0

_TRAPPING = (StartAction.TRAP, StartAction.TRAP_START)

# Ours: identities that an end proves. More is hardly meant, and each is an exchange.
_MAX_ROUNDS = 4
_END = re.compile(r"(local|remote)(-?\d)?")

_ENDS = ("local", "remote")

_SAME_NAME = (
    "version",
    "local_port",
    "remote_port",
    "reauth_time",
    "make_before_break",
    "childless",
    "dpd_delay",
    "dpd_timeout",
    "keepalive",
    "encap",
    "dscp",
    "mobike",
    "fragmentation",
    "fragment_size",
    "window_size",
    "quick_crash_detection",
    "unique",
    "keyingtries",
    "send_cert",
    "send_certreq",
    "send_initial_contact",
    "if_id_in",
    "if_id_out",
    "log_level",
    "record",
    "ocsp",
    "ppk_id",
    "ppk_required",
)

_SAME_NAME_OF_CHILD = tuple(
    name
    for name in CHILD
    if name not in ("esp_proposals", "ah_proposals", "policy_on_down")
    and not name.startswith(("life_", "rand_", "rekey_", "if_id_", "copy_"))
)


def read_connection(
    name: str, table: object, place: Place, directory: Path, mistakes: Mistakes
) -> ConnectionSettings:
    """The settings of a section; with mistakes they are fit for further checks only.

    `directory` holds the certificates.
    """
    check_name(name, place, mistakes)
    tables = table if isinstance(table, dict) else {}
    ends = [name for name in tables if _END.fullmatch(name)]
    section = read_section(table, place, CONNECTION, mistakes, (*_ENDS, "children", *ends))
    children, shunts = _children(tables.get("children", {}), section, mistakes)
    _check_weak(section, "proposals", section["allow_weak"], mistakes)
    _check_families(section, "local_addrs", "remote_addrs", mistakes)
    rekey, over, rand = _ike_limits(section, mistakes)
    local, *later_local = _rounds("local", ends, tables, place, directory, mistakes)
    remote, *later_remote = _rounds("remote", ends, tables, place, directory, mistakes)
    check_unproven(local, remote, children, place, mistakes)
    _check_ppk(section, mistakes)
    return ConnectionSettings(
        name=name,
        proposals=templates(ProtocolId.IKE, section["proposals"]),
        local=local,
        remote=remote,
        later_local=tuple(later_local),
        later_remote=tuple(later_remote),
        children=children,
        rekey_time=rekey,
        shunts=shunts,
        over_time=over,
        rand_time=rand,
        retransmission=_retransmission(section),
        **_ends(section),
        **section.only(*_SAME_NAME),
    )


def _rounds(
    end: str,
    written: list[str],
    tables: Mapping[str, object],
    place: Place,
    directory: Path,
    mistakes: Mistakes,
) -> list[AuthSettings]:
    """All that an end proves, in the order of `round` or else of the file."""
    names = [name for name in written if name.startswith(end)] or [end]
    if len(names) > _MAX_ROUNDS:
        mistakes.add(place.of(names[-1]), f"an end proves {_MAX_ROUNDS} identities at most")
    known = LOCAL if end == "local" else REMOTE
    return in_rounds([read_end(name, known, tables, place, directory, mistakes) for name in names])


def _check_ppk(section: Section, mistakes: Mistakes) -> None:
    if section["ppk_required"] and section["ppk_id"] is None and section.is_sound("ppk_id"):
        mistakes.add(section.place.of("ppk_required"), "which one? write its ppk_id, too")


def _ends(section: Section) -> dict[str, Any]:
    """The addresses of both ends, and their names apart from them."""
    return {
        f"{end}_{kind}": found
        for end in ("local", "remote")
        for kind, found in zip(("addrs", "names"), _parted(section[f"{end}_addrs"]), strict=True)
    }


def _parted(
    entries: tuple[AddressPattern | AddressName, ...],
) -> tuple[tuple[AddressPattern, ...], tuple[str, ...]]:
    patterns = tuple(one for one in entries if isinstance(one, AddressPattern))
    return patterns, tuple(one.name for one in entries if isinstance(one, AddressName))


def check_name(name: str, place: Place, mistakes: Mistakes) -> None:
    """A name has letters, digits and a few signs, so that it can be typed and printed."""
    if not _NAME.fullmatch(name):
        mistakes.add(place, "a name has up to 64 letters, digits, and any of _.:@-")


def _children(
    table: object, connection: Section, mistakes: Mistakes
) -> tuple[tuple[ChildSettings, ...], tuple[Shunt, ...]]:
    """Those that are negotiated, and those that are not."""
    children: list[ChildSettings] = []
    shunts: list[Shunt] = []
    all_of_them = connection.place.of("children")
    for name, child in as_table(table, all_of_them, mistakes).items():
        place = all_of_them.of(name)
        check_name(name, place, mistakes)
        section = read_section(child, place, CHILD, mistakes)
        _check_families(section, "local_ts", "remote_ts", mistakes)
        if is_shunt(section):
            shunts.append(read_shunt(name, section, connection, mistakes))
        else:
            children.append(_child(name, section, connection, mistakes))
    if not children and not shunts:
        mistakes.warn(connection.place, "no children: it protects nothing")
    return tuple(children), tuple(shunts)


def _child(name: str, section: Section, connection: Section, mistakes: Mistakes) -> ChildSettings:
    for proposals in ("esp_proposals", "ah_proposals"):
        _check_weak(section, proposals, connection["allow_weak"], mistakes)
    _check_ah(section, connection, mistakes)
    _check_blocking(section, mistakes)
    _check_start(section, connection, mistakes)
    limits: dict[str, Any] = {}
    for unit in ("time", "bytes", "packets"):
        limits |= _child_limits(section, unit, mistakes)
    return ChildSettings(
        name=name,
        esp_proposals=templates(ProtocolId.ESP, section["esp_proposals"]),
        ah_proposals=templates(ProtocolId.AH, section["ah_proposals"]),
        if_id_in=section["if_id_in"] or connection["if_id_in"],
        if_id_out=section["if_id_out"] or connection["if_id_out"],
        copying=HeaderCopying(section["copy_df"], section["copy_ecn"], section["copy_dscp"]),
        blocks=section["policy_on_down"],
        **section.only(*_SAME_NAME_OF_CHILD),
        **limits,
    )


def _retransmission(section: Section) -> Retransmission:
    return Retransmission(
        timeout=section["retransmit_timeout"],
        base=section["retransmit_base"],
        tries=section["retransmit_tries"],
        limit=section["retransmit_limit"],
        jitter=section["retransmit_jitter"],
    )


def _ike_limits(section: Section, mistakes: Mistakes) -> tuple[float, float, float]:
    """rekey_time, over_time and rand_time.

    Without a word at most half of a time is taken away at random, and an IKE SA that is
    reauthenticated is not rekeyed.
    """
    rekey, over, rand = section["rekey_time"], section["over_time"], section["rand_time"]
    reauth = section["reauth_time"]
    if rekey is None:
        rekey = 0.0 if reauth else _REKEY_TIME
    if over is None:
        over = max(rekey, reauth) / 10
    if rand is None:
        rand = min(over, *(one / 2 for one in (rekey, reauth) if one)) if rekey or reauth else 0.0
    for name, value in (("rekey_time", rekey), ("reauth_time", reauth)):
        _check_rand(section, name, value, "rand_time", mistakes)
    return rekey, over, rand


def _child_limits(section: Section, unit: str, mistakes: Mistakes) -> dict[str, Any]:
    """What follows from rekey_UNIT, life_UNIT and rand_UNIT. Whole numbers stay whole."""
    names = rekey_name, life_name, rand_name = f"rekey_{unit}", f"life_{unit}", f"rand_{unit}"
    rekey, life, rand = (section[name] for name in names)
    if life is None:
        life = rekey + (rekey // 10 if isinstance(rekey, int) else rekey / 10)
    if rand is None:
        rand = max(0, min(life - rekey, rekey // 2 if isinstance(rekey, int) else rekey / 2))
    if section.is_sound(rekey_name, life_name) and 0 < life <= rekey:
        message = f"not more than {rekey_name}: it would end before it is rekeyed"
        mistakes.add(section.place.of(_written(section, life_name, rekey_name)), message)
    _check_rand(section, rekey_name, rekey, rand_name, mistakes)
    return dict(zip(names, (rekey, life, rand), strict=True))


def _check_rand(
    section: Section, rekey_name: str, rekey: float, rand_name: str, mistakes: Mistakes
) -> None:
    rand = section[rand_name]
    if rand and rekey and rand >= rekey and section.is_sound(rekey_name, rand_name):
        message = f"not less than {rekey_name}: it could be rekeyed at once, again and again"
        mistakes.add(section.place.of(rand_name), message)


def _check_weak(section: Section, name: str, allowed: bool, mistakes: Mistakes) -> None:
    if allowed or not section.is_sound(name):
        return
    for proposal in section[name]:
        for keyword in proposal.weak:
            message = f"{keyword} is weak: only with allow_weak = true in the connection"
            mistakes.add(section.place.of(name), message, proposal.text)


def _check_ah(section: Section, connection: Section, mistakes: Mistakes) -> None:
    """A child has AH or ESP, and AH is never in UDP."""
    if not section["ah_proposals"]:
        return
    place = section.place.of("ah_proposals")
    if "esp_proposals" in section.written:
        mistakes.add(place, "a child has AH or ESP: leave out ah_proposals or esp_proposals")
    if connection["encap"]:
        mistakes.add(place, "AH does not go in UDP: leave out encap in the connection")


def _check_blocking(section: Section, mistakes: Mistakes) -> None:
    """What is blocked before there is a peer, and after, has to be known by then."""
    if not section["policy_on_down"] or not section.is_sound("local_ts", "remote_ts"):
        return
    place = section.place.of("policy_on_down")
    if not section["policies"]:
        mistakes.add(place, "nothing is blocked without policies")
    if any(one.selector is None for one in (*section["local_ts"], *section["remote_ts"])):
        mistakes.add(place, 'networks are blocked: say local_ts and remote_ts, without "dynamic"')


def _check_families(section: Section, ours: str, theirs: str, mistakes: Mistakes) -> None:
    """Whether some address on our side and some on theirs are of one family."""
    if not section.is_sound(ours, theirs):
        return
    our_families, their_families = _families(section[ours]), _families(section[theirs])
    if not our_families & their_families:
        place = section.place.of(_written(section, theirs, ours))
        mistakes.add(place, f"{ours} and {theirs} have no address family in common")


def _families(
    entries: tuple[AddressPattern | AddressName | SelectorTemplate, ...],
) -> set[int]:
    families: set[int] = set()
    for entry in entries:
        if isinstance(entry, AddressPattern):
            families.add(entry.first.version)
        elif isinstance(entry, AddressName) or entry.selector is None:
            families |= {4, 6}
        else:
            families.add(entry.selector.start.version)
    return families


def _check_start(section: Section, connection: Section, mistakes: Mistakes) -> None:
    for option in ("start_action", "dpd_action", "close_action"):
        word = section[option]
        if word is DownAction.TRAP or word in _TRAPPING:
            _check_trap(section, option, mistakes)
        elif word is not StartAction.START:
            continue
        if connection.is_sound("remote_addrs") and not _is_one_place(connection["remote_addrs"]):
            needs = "needs a connection whose remote_addrs is a single address, or a name"
            mistakes.add(section.place.of(option), f"{word.value} {needs}")


def _check_trap(section: Section, option: str, mistakes: Mistakes) -> None:
    if not section["policies"]:
        message = "trap is a policy: it needs policies = true"
        mistakes.add(section.place.of(option), message)


def _is_one_place(addresses: tuple[AddressPattern | AddressName, ...]) -> bool:
    """Whether there is one peer to call."""
    if len(addresses) != 1:
        return False
    return isinstance(addresses[0], AddressName) or addresses[0].single is not None


def _written(section: Section, first: str, second: str) -> str:
    """Where to point: at the option that was written."""
    return first if first in section.written or second not in section.written else second
