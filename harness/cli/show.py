"""``harness show``: a trained model looks at images."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli import options
from harness.cli.output import print_json, print_rows


@click.command("show")
@click.argument("weights", metavar="TRIAL|FILE")
@click.option(
    "--image", "images", multiple=True, required=True, type=click.Path(path_type=Path), metavar="FILE", help="An image; may be repeated."
)
@click.option("--out", type=click.Path(path_type=Path), default="shown", show_default=True, metavar="DIR", help="Where pictures go.")
@click.option("--config", metavar="FILE", help="The OpenMMLab config file that the trial was run with; it is Python, and runs.")
@options.data_root
@options.plugin_files
@options.as_json
@options.database
@options.artifacts
def command(
    weights: str,
    images: tuple[Path, ...],
    out: Path,
    config: str | None,
    data_root: Path | None,
    plugins: tuple[Path, ...],
    as_json: bool,
    db: str,
) -> None:
    """Draw what a trained model predicts for images, and what it attends to.

    TRIAL is a trial that was run with --keep-weights, by its digest or the first digits; FILE is the file of weights that it left. Of
    each image there is a picture with the prediction, and one with the maps of the attention where the method has any.

    \b
    harness show 3fa2 --image street.jpg --out shown
    """
    from harness import data
    from harness.cli.kept import kept
    from harness.engine import isolate, prepare
    from harness.errors import UsageError

    for image in images:
        if not image.is_file():
            raise UsageError(f"--image {image}: no such file.")
    root = options.known_data_root(data_root)
    found = kept(weights, None, config, root, plugins, db)
    folder = data.ensure(found.task, root)

    def look() -> list[dict[str, str]]:
        from harness.engine import look
        from harness.engine.plugins import load_alone

        load_alone(found.trial.plugins, found.plugins)
        return look.look(found.trial, found.file, images, out, data=folder, device="cpu")

    prepare.end_thread_pools()
    rows = isolate.quietly(look)
    if as_json:
        print_json({"rows": rows})
        return
    print_rows(["image", "predicted", "picture"], [[row["image"], row["predicted"], row["picture"]] for row in rows], fold=["predicted"])
