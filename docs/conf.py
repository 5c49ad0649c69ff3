"""Sphinx's settings."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent / "_ext"), str(Path(__file__).parent.parent)]

import ikeactors  # noqa: E402 - found by the line above

project = "ikeactors"
author = "the ikeactors authors"
copyright = "the ikeactors authors"  # noqa: A001 - Sphinx's name
version = release = ikeactors.__version__

extensions = ["directive", "myst_parser"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["_build", "_ext"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
# Blocks are text unless they say what they are.
highlight_language = "none"

html_theme = "furo"
html_title = f"ikeactors {release}"
