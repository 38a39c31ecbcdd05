"""``harness dashboard``: the results in a browser."""

from __future__ import annotations

import click

from harness.cli import options


@click.command("dashboard")
@click.option("--port", type=click.IntRange(1, 65535), default=8501, show_default=True)
@options.database
@click.pass_context
def command(ctx: click.Context, port: int, db: str) -> None:
    """Open the leaderboard, the benchmarks and the runs in a browser, on this machine only.

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
    done = subprocess.run([sys.executable, "-m", "streamlit", "run", str(app), *arguments], env={**os.environ, "HARNESS_DB": db}, check=False)
    ctx.exit(0 if done.returncode in (0, -2, 130) else 3)
