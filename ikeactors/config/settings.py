"""What a configuration is, once it is checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509

from ikeactors.actors.budgets import BudgetLimits
from ikeactors.actors.tokens import TokenSettings
from ikeactors.config.dnssec import DnsSettings
from ikeactors.config.mistakes import Mistake
from ikeactors.kernel.interfaces import Interface
from ikeactors.protocol.credentials import Credentials, NoCredentials
from ikeactors.protocol.events import Endpoint
from ikeactors.protocol.ikev2.admission import AdmissionLimits
from ikeactors.protocol.settings import Address, ConnectionSettings, Secret, Settings, nameless


@dataclass(frozen=True, slots=True)
class DaemonSettings:
    """The daemon's own settings: sockets, data plane, limits, log. Durations are seconds."""

    listen: tuple[Address, ...] = ()
    port: int = 500
    port_nat_t: int = 4500
    kernel: str = "auto"
    tun_name: str = "ike0"
    tun_mtu: int = 1400
    install_routes: bool = True
    routing_table: int = 220
    routing_mark: int = 0x1CE
    admin_socket: str = "/run/ikeactors/admin.sock"
    admin_group: str = ""
    state_directory: str = "/var/lib/ikeactors"
    credentials: str = ""
    expiry_warning: float = 14 * 86400.0
    revocation_timeout: float = 10.0
    revocation_private: bool = False
    revocation_ldap: bool = False
    dns_servers: tuple[Endpoint, ...] = ()
    dnssec_anchors: str = ""
    workers: int = 2
    log_level: str = "info"
    log_format: str = "text"
    runtime_dir: str = "/run/ikeactors"
    store: str = "sqlite"
    store_key_file: str = ""
    stop_action: str = "keep"
    reconcile_interval: float = 300.0
    record_key_file: str = ""
    record_size: int = 16 << 20
    record_files: int = 16
    cookie_threshold: int = 30
    cookie_threshold_ip: int = 3
    block_threshold: int = 5
    half_open_timeout: float = 30.0
    puzzle_threshold: int = 0
    puzzle_difficulty: int = 14
    puzzle_max_difficulty: int = 16
    max_associations: int = 100_000
    max_associations_ip: int = 0
    peer_messages: int = 200
    peer_cpu: int = 50
    stop_timeout: float = 2.0

    def budget_limits(self) -> BudgetLimits:
        """What peers may cost."""
        return BudgetLimits(
            self.max_associations, self.max_associations_ip, self.peer_messages, self.peer_cpu
        )

    def admission_limits(self) -> AdmissionLimits:
        """The part that decides about strangers."""
        return AdmissionLimits(
            self.cookie_threshold,
            self.cookie_threshold_ip,
            self.block_threshold,
            self.half_open_timeout,
            self.puzzle_threshold,
            self.puzzle_difficulty,
        )


@dataclass(frozen=True, slots=True)
class Configuration:
    """Everything the operator said, and what of it is hardly meant.

    `record_key` seals recordings; there is one where a connection is recorded. `store_key` seals
    checkpoints where the operator has one.
    """

    daemon: DaemonSettings = DaemonSettings()
    connections: tuple[ConnectionSettings, ...] = ()
    secrets: tuple[Secret, ...] = ()
    warnings: tuple[Mistake, ...] = ()
    record_key: bytes = field(default=b"", repr=False)
    store_key: bytes = field(default=b"", repr=False)
    credentials: Credentials = field(default_factory=NoCredentials, compare=False)
    interfaces: tuple[Interface, ...] = ()
    credentials_directory: Path = field(default=Path(), compare=False)
    dns: DnsSettings | None = None
    tokens: TokenSettings | None = field(default=None, compare=False)
    found_on_tokens: tuple[str, ...] = field(default=(), compare=False)
    crls: tuple[x509.CertificateRevocationList, ...] = field(default=(), compare=False)

    def settings(
        self, record_keys: bool = False, names_of: Callable[[Address], tuple[str, ...]] = nameless
    ) -> Settings:
        """The part an association may know."""
        negotiated = tuple(one for one in self.connections if not one.is_local)
        return Settings(negotiated, self.secrets, record_keys, names_of)

    def names(self) -> tuple[str, ...]:
        """The DNS names of all connections, each once."""
        names = (one.local_names + one.remote_names for one in self.connections)
        return tuple(dict.fromkeys(name for several in names for name in several))
