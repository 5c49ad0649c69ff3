"""Programs and extensions that are no part of the package, as modules."""

from __future__ import annotations

import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

PROJECT = Path(__file__).resolve().parent.parent.parent


def loaded(path: str) -> ModuleType:
    """The file at this path of the project, with or without a suffix, as a module."""
    name = f"loaded_{Path(path).stem.replace('-', '_')}"
    specification = spec_from_loader(name, SourceFileLoader(name, str(PROJECT / path)))
    assert specification is not None
    assert specification.loader is not None
    module = sys.modules[name] = module_from_spec(specification)
    specification.loader.exec_module(module)
    return module
