"""`from-code` for Sphinx; what it says is made in `from_code`."""

from __future__ import annotations

from docutils import nodes
from from_code import MAKERS
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata


class FromCode(SphinxDirective):
    """Take a part of the page from the source."""

    required_arguments = 1
    optional_arguments = 2

    def run(self) -> list[nodes.Node]:
        """What the maker of this name returns, parsed."""
        maker, *arguments = self.arguments
        # The source is no part of the documentation: Sphinx would not see that it has changed.
        self.env.note_reread()
        return self.parse_text_to_nodes(MAKERS[maker](*arguments))


def setup(app: Sphinx) -> ExtensionMetadata:
    """Sphinx's hook."""
    app.add_directive("from-code", FromCode)
    return {"parallel_read_safe": True}
