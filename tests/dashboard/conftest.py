"""Pages, run by Streamlit's own test driver through the app, as a browser would."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import state
from harness import paths


@pytest.fixture
def database(tmp_path, monkeypatch):
    """URL of the database the dashboard will read, absent at first; ``measured`` fills it."""
    import streamlit as st

    from harness.cli.dashboard import SETTINGS

    for name, value in SETTINGS.items():
        if not name.startswith("server."):
            st.config.set_option(name, {"true": True, "false": False}.get(value, value))
    url = f"sqlite:///{tmp_path}/results/harness.db"
    monkeypatch.setenv("HARNESS_DB", url)
    st.cache_data.clear()
    st.cache_resource.clear()
    return url


@pytest.fixture
def page(database):
    """``page("runs", state="failed")``: that page at that address, drawn."""

    def draw(name: str, **parameters: str | list[str]) -> AppTest:
        app = AppTest.from_file(str(paths.home() / "dashboard/app/main.py"), default_timeout=60)
        if name != "overview":
            app.run()  # pages are known to the driver once the app has named them
            app.switch_page(str(state.file(name)))
        for key, value in parameters.items():
            app.query_params[key] = value
        app.run()
        assert not app.exception, app.exception
        return app

    return draw
