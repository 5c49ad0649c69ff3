"""Sphinx's settings."""

import ikeactors

project = "ikeactors"
author = "the ikeactors authors"
copyright = "the ikeactors authors"  # noqa: A001 - Sphinx's name
version = release = ikeactors.__version__

extensions = ["myst_parser"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"ikeactors {release}"
