"""Configurations written to a directory of the test's own."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ikeactors.config import ConfigurationFaults, load

Writer = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Writer:
    def write(text: str, name: str = "ike.toml", mode: int = 0o600) -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    return write


@pytest.fixture
def mistakes_in(write: Writer, tmp_path: Path) -> Callable[[str], list[str]]:
    """The lines of the mistakes in a text, with the directory left out."""

    def mistakes_in(text: str) -> list[str]:
        with pytest.raises(ConfigurationFaults) as caught:
            load(write(text))
        return str(caught.value).replace(f"{tmp_path}/", "").splitlines()

    return mistakes_in
