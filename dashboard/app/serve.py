"""Start the server: ``harness dashboard`` runs this module in its place.

What every page needs is imported before the server listens, which takes most of a second: whoever opens the first page does not wait
for it.
"""

from __future__ import annotations

import contextlib
import gc
import sys
from importlib import import_module

_NEEDED = (
    *("altair", "pandas", "streamlit.dataframe_util", "streamlit.elements.arrow", "streamlit.elements.vega_charts"),
    *("dashboard.benchmark_tabs", "dashboard.diagrams", "dashboard.grid", "dashboard.traces"),
)
"""Modules that Streamlit, or Python, would import for the first page that has a table or a chart."""


def main() -> None:
    """Import, then serve until the end; arguments are those of ``streamlit run``."""
    from streamlit.web import cli

    from harness.catalog import load_catalog
    from harness.errors import HarnessError
    from harness.listing import places

    for name in _NEEDED:
        import_module(name)
    with contextlib.suppress(HarnessError):  # for the pages to tell
        places(load_catalog())
    gc.collect()
    gc.freeze()  # what was imported stays: the collector need not go through it at each view
    cli.main(args=["run", *sys.argv[1:]], prog_name="streamlit")


if __name__ == "__main__":
    main()
