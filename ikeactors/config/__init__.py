"""The operator's configuration: TOML into frozen dataclasses. Every check is here."""

from ikeactors.config.load import load
from ikeactors.config.mistakes import ConfigurationFaults, Mistake
from ikeactors.config.settings import Configuration, DaemonSettings

__all__ = ["Configuration", "ConfigurationFaults", "DaemonSettings", "Mistake", "load"]
