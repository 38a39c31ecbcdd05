"""Start the server: ``harness dashboard`` runs this module in its place.

What pages need is imported before the server listens, which takes a second: whoever opens the first page does not wait for it.
"""

from __future__ import annotations

import ast
import contextlib
import gc
import sys
from importlib import import_module

from dashboard import state
from dashboard.pages import PAGES

_LATE = ("altair", "pandas", "streamlit.dataframe_util", "streamlit.elements.arrow", "streamlit.elements.vega_charts")
"""What Streamlit imports for the first table and the first chart."""


def ready() -> None:
    """Import what pages import, and read the registry."""
    for name in _LATE:
        import_module(name)
    for page in PAGES:
        file = state.file(page)
        tree = ast.parse(file.read_text(encoding="utf-8"))
        tree.body = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        exec(compile(tree, file, "exec"), {})  # a page that is imported would be drawn
    from harness.catalog import load_catalog
    from harness.errors import HarnessError
    from harness.listing import places

    with contextlib.suppress(HarnessError):  # for the pages to tell
        places(load_catalog())


def main() -> None:
    """Serve until the end; arguments are those of ``streamlit run``."""
    from streamlit.web import cli

    ready()
    gc.collect()
    gc.freeze()  # what was imported stays: the collector need not go through it at each view
    cli.main(args=["run", *sys.argv[1:]], prog_name="streamlit")


if __name__ == "__main__":
    main()
