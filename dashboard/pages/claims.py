"""Claims page: what papers claim, judged by what was measured here."""

from __future__ import annotations

import streamlit as st

from dashboard import reads, tables
from harness.analysis import source


def main() -> None:
    """Draw the page."""
    st.title("Claims")
    records = [
        {"claim": judged.claim.id, "verdict": judged.verdict, "tier": judged.tier, "says": judged.claim.statement}
        for judged in reads.cached(source.claims)
    ]
    tables.show(records, key="claims")


main()
