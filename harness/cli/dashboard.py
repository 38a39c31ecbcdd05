"""``harness dashboard``: the results in a browser."""

from __future__ import annotations

import click

from harness.cli import options


@click.command("dashboard")
@click.option("--port", type=click.IntRange(1, 65535), default=8501, show_default=True, help="On 127.0.0.1.")
@options.database
@click.pass_context
def command(ctx: click.Context, port: int, db: str) -> None:
    """Show the results in a browser, on this machine only.

    Stop it with Ctrl-C. It reads the database and never writes to it.
    """
    import os
    import subprocess
    import sys

    from harness import paths
    from harness.errors import UsageError

    app = paths.home() / "dashboard" / "app.py"
    if not app.is_file():
        raise UsageError(f"no dashboard at {app}. Install the distribution again.")
    arguments = ["--server.address=127.0.0.1", f"--server.port={port}", "--server.headless=true", "--browser.gatherUsageStats=false"]
    click.echo(f"dashboard at http://127.0.0.1:{port} (Ctrl-C stops it)")
    # the pages import each other as `dashboard.…`, which an installed copy keeps inside the package
    path = os.pathsep.join(filter(None, [str(paths.home()), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "HARNESS_DB": db, "PYTHONPATH": path}
    done = subprocess.run([sys.executable, "-m", "streamlit", "run", str(app), *arguments], env=environment, check=False)
    ctx.exit(0 if done.returncode in (0, -2, 130) else 3)
