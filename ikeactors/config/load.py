"""From files to a configuration, or to all the mistakes in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ikeactors.actors.tokens import TokenReference
from ikeactors.config.connections import check_name, read_connection
from ikeactors.config.credentials import read_credentials
from ikeactors.config.daemon_options import DAEMON, FILE
from ikeactors.config.dnssec import read_dnssec
from ikeactors.config.identities import ANYBODY
from ikeactors.config.interfaces import check_interfaces, read_interface
from ikeactors.config.mistakes import ConfigurationFaults, Mistake, Mistakes, Place
from ikeactors.config.schema import Section, as_table, read_section, report_unknown
from ikeactors.config.secrets import KnownSecrets, read_keys, read_secret
from ikeactors.config.settings import Configuration, DaemonSettings
from ikeactors.config.sources import Document, read_documents
from ikeactors.kernel.interfaces import Interface
from ikeactors.kernel.requests import Mode
from ikeactors.protocol.settings import ConnectionSettings, IdentityPattern, Secret
from ikeactors.wire.identities import Identity

_TOP = (*FILE, "daemon", "connections", "secrets", "interfaces")

Entry = tuple[str, object, Place]


def load(path: str | Path) -> Configuration:
    """The configuration in a file and in those it includes, or `ConfigurationFaults`."""
    mistakes = Mistakes()
    documents = read_documents(Path(path), mistakes)
    is_complete = not mistakes.found
    for document in documents:
        report_unknown(document.tables, _TOP, Place(document.source), mistakes)
    daemon = _daemon(documents, mistakes)
    secrets, tokens = _secrets(documents, mistakes)
    directory = _credentials_directory(daemon, documents)
    connections = _connections(documents, directory, mistakes)
    settings = [connection for connection, _ in connections]
    credentials, crls, on_tokens = read_credentials(
        directory, secrets or (), tokens, settings, mistakes
    )
    interfaces = _interfaces(documents, mistakes)
    keys: dict[str, bytes] = {}
    dns = None
    if daemon is not None:
        dns = read_dnssec(daemon, connections, mistakes)
        keys = read_keys(daemon, mistakes)
        _check_recording(daemon, connections, mistakes)
        _check_ports(daemon, connections, mistakes)
        _check_data_plane(daemon["kernel"], connections, mistakes)
        check_interfaces(interfaces, daemon["kernel"], mistakes)
    if is_complete and secrets is not None:
        _check_secrets(secrets, connections, mistakes)
    if is_complete and not connections:
        mistakes.warn(Place(documents[0].source), "no connection: the daemon has nothing to do")
    if mistakes.found:
        found, warnings = mistakes.found, tuple(mistakes.warnings)
        raise ConfigurationFaults(_in_order(found, documents), warnings)
    assert daemon is not None
    assert secrets is not None
    return Configuration(
        DaemonSettings(**daemon.values),
        tuple(settings),
        tuple(secret for secret in secrets if not secret.file),
        tuple(mistakes.warnings),
        credentials=credentials,
        interfaces=tuple(interface for interface, _ in interfaces),
        crls=crls,
        dns=dns,
        credentials_directory=directory,
        tokens=on_tokens.settings,
        found_on_tokens=on_tokens.found,
        **keys,
    )


def _entries(kind: str, documents: list[Document], mistakes: Mistakes) -> Iterator[Entry]:
    """The sections [KIND.NAME] of all files; one that was defined before is a mistake."""
    places: dict[str, Place] = {}
    for document in documents:
        place = Place(document.source, (kind,))
        for name, table in as_table(document.tables.get(kind, {}), place, mistakes).items():
            here = place.of(name)
            before = places.setdefault(name, here)
            if before is not here:
                mistakes.add(here, f"defined already in {before.source.path}:{before.line}")
                continue
            yield name, table, here


def _daemon(documents: list[Document], mistakes: Mistakes) -> Section | None:
    """The section [daemon], which one file may have; None if it has mistakes."""
    before = len(mistakes.found)
    holders = [document for document in documents if "daemon" in document.tables]
    for holder in holders[1:]:
        first = Place(holders[0].source, ("daemon",))
        message = f"defined already in {first.source.path}:{first.line}"
        mistakes.add(Place(holder.source, ("daemon",)), message)
    if not documents:
        return None
    holder = (holders or documents)[0]
    place = Place(holder.source, ("daemon",))
    section = read_section(holder.tables.get("daemon", {}), place, DAEMON, mistakes)
    if section["port"] == section["port_nat_t"] and section.is_sound("port", "port_nat_t"):
        mistakes.add(place.of("port_nat_t"), "the same as port: ESP could not be told from IKE")
    return section if len(mistakes.found) == before else None


def _secrets(
    documents: list[Document], mistakes: Mistakes
) -> tuple[tuple[Secret, ...] | None, tuple[TokenReference, ...]]:
    """The secrets; None if some have mistakes, since it is not known then whom they are for.

    And the keys that are on tokens.
    """
    before = len(mistakes.found)
    secrets = []
    tokens = []
    known = KnownSecrets()
    for name, table, place in _entries("secrets", documents, mistakes):
        check_name(name, place, mistakes)
        secret = read_secret(name, table, place, mistakes)
        if isinstance(secret, TokenReference):
            tokens.append(secret)
            continue
        if secret is None:
            continue
        rival = "" if secret.file else known.add(secret)
        if rival:
            mistakes.add(place, f"it is for the same identities as secrets.{rival}")
        secrets.append(secret)
    return tuple(secrets) if len(mistakes.found) == before else None, tuple(tokens)


def _credentials_directory(daemon: Section | None, documents: list[Document]) -> Path:
    """Where the certificates are: beside the first file, unless it says otherwise."""
    beside = documents[0].source.path.parent if documents else Path()
    return beside / daemon["credentials"] if daemon is not None else beside


def _connections(
    documents: list[Document], directory: Path, mistakes: Mistakes
) -> list[tuple[ConnectionSettings, Place]]:
    return [
        (read_connection(name, table, place, directory, mistakes), place)
        for name, table, place in _entries("connections", documents, mistakes)
    ]


def _interfaces(documents: list[Document], mistakes: Mistakes) -> list[tuple[Interface, Place]]:
    found = []
    for name, table, place in _entries("interfaces", documents, mistakes):
        interface = read_interface(name, table, place, mistakes)
        if interface is not None:
            found.append((interface, place))
    return found


def _check_ports(
    daemon: Section, connections: list[tuple[ConnectionSettings, Place]], mistakes: Mistakes
) -> None:
    ours = (daemon["port"], daemon["port_nat_t"])
    for connection, place in connections:
        if connection.local_port not in ours:
            message = f"the daemon listens on {ours[0]} and {ours[1]} only"
            mistakes.add(place.of("local_port"), message, connection.local_port)


def _check_recording(
    daemon: Section, connections: list[tuple[ConnectionSettings, Place]], mistakes: Mistakes
) -> None:
    """What is recorded holds secrets: without a key nothing is."""
    if daemon["record_key_file"]:
        return
    for connection, place in connections:
        if connection.record:
            message = "a recording is written sealed: [daemon] needs a record_key_file"
            mistakes.add(place.of("record"), message)


def _check_secrets(
    secrets: tuple[Secret, ...],
    connections: list[tuple[ConnectionSettings, Place]],
    mistakes: Mistakes,
) -> None:
    known = KnownSecrets()
    for secret in secrets:
        if not secret.file:
            known.add(secret)
    for connection, place in connections:
        _check_ppk(known, connection, place, mistakes)
        rounds = (*connection.local_rounds, *connection.remote_rounds)
        if connection.is_local or all(one.auth != "psk" for one in rounds):
            continue
        peer = _called_as(connection)
        # In a later round it may be for who the peer is by then.
        if known.serve(peer) or any(known.serve(one.id) for one in connection.later_remote):
            continue
        if peer is not connection.remote.id and known.serve(connection.remote.id):
            message = f"set remote.id: we call {peer}, and no secret is for this address"
            # Who only waits to be called hears from the peer who it is.
            (mistakes.add if _calls(connection) else mistakes.warn)(place, message)
            continue
        ends = f"{connection.local.id} <-> {peer}"
        mistakes.add(place, f"no secret for {ends}: add one with ids in [secrets.NAME]")


def _check_ppk(
    known: KnownSecrets, connection: ConnectionSettings, place: Place, mistakes: Mistakes
) -> None:
    pattern = connection.ppk_id
    if pattern is None or pattern == ANYBODY:
        return
    if pattern.identity is None:
        mistakes.add(place.of("ppk_id"), 'the name of one key expected, or "%any"')
    elif pattern.identity.data not in known.ppks:
        message = f'no key {pattern.identity}: add [secrets.NAME] with type = "ppk" and its ids'
        mistakes.add(place.of("ppk_id"), message)


def _calls(connection: ConnectionSettings) -> bool:
    return any(
        child.start_action.starts or child.start_action.traps for child in connection.children
    )


def _called_as(connection: ConnectionSettings) -> IdentityPattern:
    """Whom the secret must be for: who calls does not know yet what the peer will say it is."""
    addresses = connection.remote_addrs
    address = addresses[0].single if len(addresses) == 1 else None
    if connection.remote.id != ANYBODY or address is None:
        return connection.remote.id
    return IdentityPattern(Identity.from_text(str(address)))


def _check_data_plane(
    kernel: str, connections: list[tuple[ConnectionSettings, Place]], mistakes: Mistakes
) -> None:
    """Transport mode and AH are the kernel's alone."""
    for connection, place in connections:
        for child in connection.children:
            here = place.of("children", child.name)
            needs = {"mode": "transport mode"} if child.mode is Mode.TRANSPORT else {}
            needs |= {"ah_proposals": "AH"} if child.ah_proposals else {}
            for key, what in needs.items():
                _check_kernel(kernel, here.of(key), what, mistakes)


def _check_kernel(kernel: str, place: Place, what: str, mistakes: Mistakes) -> None:
    if kernel == "userspace":
        mistakes.add(place, f'{what} needs the kernel\'s data plane, not kernel = "userspace"')
    elif kernel == "auto":
        mistakes.warn(place, f"{what} fails where the kernel has no IPsec")


def _in_order(found: list[Mistake], documents: list[Document]) -> tuple[Mistake, ...]:
    """By file, in the order of reading, and by line."""
    files = {str(document.source.path): number for number, document in enumerate(documents)}
    return tuple(sorted(found, key=lambda one: (files.get(one.file, len(files)), one.line)))
