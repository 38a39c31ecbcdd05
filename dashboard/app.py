"""The dashboard: `harness dashboard` runs this file with Streamlit. It only reads."""

from __future__ import annotations

import streamlit as st

from dashboard import common

st.set_page_config(page_title="Attention harness", layout="wide")
common.intro()
st.navigation(
    [
        st.Page("leaderboard.py", title="Leaderboard", default=True),
        st.Page("benchmark.py", title="Benchmarks"),
        st.Page("runs.py", title="Runs"),
    ]
).run()
