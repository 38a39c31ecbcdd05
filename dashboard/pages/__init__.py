"""One page a file: its ``main()`` draws it."""

PAGES = {
    "overview": "Overview",
    "benchmark": "Benchmark",
    "method": "Method",
    "compare": "Compare",
    "attention": "Attention",
    "trial": "Trial",
    "runs": "Runs",
    "claims": "Claims",
    "regressions": "Regressions",
}
"""File here -> its name in the sidebar, the first one at the address without a path."""
