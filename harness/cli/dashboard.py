"""``harness dashboard``: the results in a browser."""

from __future__ import annotations

import click

from harness.cli import options

SETTINGS = {
    "server.address": "127.0.0.1",
    "server.headless": "true",
    "server.fileWatcherType": "none",  # nobody edits pages while they are looked at, and watching all modules takes seconds
    "browser.gatherUsageStats": "false",
    "client.toolbarMode": "viewer",  # no "Deploy"
    "client.showErrorLinks": "false",  # a traceback is searched for nowhere
    "runner.magicEnabled": "false",  # would print the texts that explain constants
    "theme.light.primaryColor": "#0072B2",
    "theme.dark.primaryColor": "#3B92C4",
    "theme.baseFontSize": "14",
    "theme.headingFontSizes": '["2rem", "1.5rem", "1.2rem", "1.1rem", "1rem", "1rem"]',
    "client.showSidebarNavigation": "false",  # the menu is ours: its links keep the state of each page
}
"""Of Streamlit."""


@click.command("dashboard")
@click.option("--port", type=click.IntRange(1, 65535), default=8501, show_default=True, help="On 127.0.0.1.")
@options.database
@options.artifacts
def command(port: int, db: str) -> None:
    """Show the results in a browser, on this machine only.

    Stop it with Ctrl-C. It reads the database and never writes to it.
    """
    import os
    import sys
    from importlib.util import find_spec

    from harness import paths
    from harness.errors import UsageError

    app = paths.home() / "dashboard" / "app" / "main.py"
    if not app.is_file():
        raise UsageError(f"no dashboard at {app}. Install the distribution again.")
    if find_spec("streamlit") is None:
        raise UsageError("the dashboard needs streamlit, which is not installed. Run `pip install 'attention-harness[dashboard]'`.")
    if not _is_free(port):
        raise UsageError(f"port {port} is taken, by another dashboard perhaps. Give another one: --port {port % 65535 + 1}.")
    arguments = [*(f"--{name}={value}" for name, value in SETTINGS.items()), f"--server.port={port}"]
    click.echo(f"dashboard at http://127.0.0.1:{port} (Ctrl-C stops it)")
    # the pages import each other as `dashboard.…`, which an installed copy keeps inside the package
    path = os.pathsep.join(filter(None, [str(paths.home()), os.environ.get("PYTHONPATH")]))
    sys.stdout.flush()
    # in the place of this process: whoever ends it ends the server; -P: nothing is imported from the current folder
    os.execve(
        sys.executable,
        [sys.executable, "-P", "-m", "dashboard.app.serve", str(app), *arguments],
        {**os.environ, "HARNESS_DB": db, "PYTHONPATH": path},
    )


def _is_free(port: int) -> bool:
    import socket

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
