"""The dashboard: `harness dashboard` runs this file with Streamlit. It only reads.

It lies in a folder of its own: beside a folder called ``pages`` Streamlit would run the files of that without this one.
"""

from __future__ import annotations

import streamlit as st

from dashboard import reads, state
from dashboard.pages import PAGES

LINKS = "<style>[data-testid=stMain] :is([data-testid=stPageLink], [data-testid=stButton]) p {text-decoration: underline}</style>"
"""On the pages, not in the menu; buttons without a frame are links to the page on which they stand."""

st.set_page_config(page_title="Attention harness", layout="wide")
st.html(LINKS)
page = st.navigation(
    [st.Page(state.file(name), title=title, url_path=name, default=not place) for place, (name, title) in enumerate(PAGES.items())],
    position="hidden",
)
state.arrive(page.url_path or next(iter(PAGES)))
state.menu(PAGES)
reads.name_database()
state.ask_for_keys()
with reads.telling_damage():
    reads.ready()
    page.run()
