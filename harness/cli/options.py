"""Options that several verbs share."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click
from click.core import ParameterSource

from harness import paths

if TYPE_CHECKING:
    from click import ParamType
else:

    class ParamType(click.ParamType):
        """Says what it converts to, which click's own does from 8.4 on."""

        def __class_getitem__(cls, _to):
            return cls


Function = TypeVar("Function", bound=Callable[..., Any])


class Name(ParamType[str]):
    """A name that is known to the harness; an unknown one gets the nearest known names."""

    def __init__(self, name: str):
        self.name = name

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from harness import families
        from harness.errors import did_you_mean
        from harness.slots import SLOTS

        known = {"family": families.names(), "slot": tuple(SLOTS)}[self.name]
        if value not in known:
            raise did_you_mean(value, known, self.name)
        return value


class Span(ParamType[float]):
    """Seconds, as ``90``, ``90s``, ``30m``, ``2h`` or ``1d``."""

    name = "span"
    _UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        found = re.fullmatch(r"(\d{1,9}(?:\.\d+)?)([smhd]?)", str(value))
        if not found or not float(found[1]):
            self.fail(f"'{value}' is not a time: write 90s, 30m, 2h or 1d.", param, ctx)
        return float(found[1]) * self._UNITS[found[2]]


class Number(click.FloatRange):
    """A number in a range, and no ``nan`` or ``inf``, which lie in every one for click."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        found = float(super().convert(value, param, ctx))
        if not math.isfinite(found):
            self.fail(f"'{value}' is not a number that means something.", param, ctx)
        return found


class Device(ParamType[str]):
    """``auto``, ``cpu``, ``cuda`` or ``cuda:N``; whether it exists is found out where it is used."""

    name = "device"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        kind, colon, index = value.partition(":")
        if value not in ("auto", "cpu", "cuda") and not (kind == "cuda" and colon and index.isdecimal()):
            self.fail(f"'{value}' is not a device: write auto, cpu, cuda or cuda:1.", param, ctx)
        return value


class CountOrAuto(ParamType["int | Literal['auto']"]):
    """A number from 1 on, or ``auto``."""

    name = "count"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> int | Literal["auto"]:
        if value == "auto":
            return "auto"
        if not value.isdecimal() or not 1 <= int(value) <= 256:
            self.fail(f"'{value}' is neither a number from 1 to 256 nor auto.", param, ctx)
        return int(value)


class Root(ParamType[Path]):
    """A folder, or a URL, of which the folder of this machine is meant into which its datasets are copied."""

    name = "root"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        from harness import remote

        return remote.mirror(value) if isinstance(value, str) and remote.is_url(value) else Path(value)


def know(names: tuple[str, ...], recorded: set[str], noun: Literal["benchmark", "method"] = "benchmark") -> None:
    """Check names that results are asked of.

    Args:
        recorded: those with results, whether they are still in the registry or not.

    Raises:
        UsageError: a name that is neither in the registry nor recorded.
    """
    if recorded.issuperset(names):
        return
    from harness.catalog import load_catalog
    from harness.errors import did_you_mean

    catalog = load_catalog()
    known = recorded | set(catalog.benchmarks if noun == "benchmark" else catalog.methods)
    for name in names:
        if name not in known:
            raise did_you_mean(name, known, noun, f"harness list {noun}s")


def absent(db: str) -> str:
    """What a reader says of a database that does not exist, with the command that makes this one; empty where it is there.

    Raises:
        UsageError: it was named by ``--db``.
    """
    from harness.errors import UsageError
    from harness.store.url import file_of, parse, shown

    url = parse(db)
    file = file_of(url)
    if file is None or file.is_file():
        return ""
    told = f"there is no database at {file}. Give another --db, or make it: `harness run -s quick --db {shlex.quote(shown(url))}`."
    if click.get_current_context().get_parameter_source("db") is ParameterSource.COMMANDLINE:
        raise UsageError(told)
    return told


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/json.md describes its shape).")


def _remember(ctx: click.Context, _param: click.Parameter, value: str) -> str:
    ctx.meta[DATABASE] = value
    return value


DATABASE = "harness.db"
"""Where the contexts of a command line have the database that it names, should it prove damaged."""

database = click.option(
    "--db",
    metavar="URL",
    callback=_remember,
    default=paths.default_database,
    show_default="HARNESS_DB, or sqlite:///results/harness.db",
    help="Database with the results: any SQLAlchemy URL.",
)

family = click.option("--family", type=Name("family"), help="Only this family of benchmarks, e.g. segmentation.")

benchmarks = click.option(
    "-b", "--benchmark", "benchmarks", multiple=True, metavar="BENCHMARK", help="Only this benchmark; may be repeated."
)

data_root = click.option(
    "--data-root",
    type=Root(),
    metavar="DIR|URL",
    help="Where the real datasets lie; of a URL each is copied to this machine once.  [default: HARNESS_DATA]",
)


def _not_undone(_ctx: click.Context, _param: click.Parameter, texts: tuple[str, ...]) -> tuple[str, ...]:
    if len(texts) > 1:
        from harness.compose.overrides import Overrides

        Overrides.parse(texts).refuse_undone()
    return texts


sets = partial(click.option, "--set", multiple=True, metavar="KEY=VALUE", callback=_not_undone)
"""What the command line changes; the caller gives the name and the help."""


def _leave_at(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    # by the environment all processes of a run and a dashboard know of it
    import os

    from harness import remote

    if value is not None:
        before = os.environ.pop("HARNESS_ARTIFACTS", "")  # empty: none
        os.environ["HARNESS_ARTIFACTS"] = remote.checked(value)
        ctx.call_on_close(lambda: os.environ.update(HARNESS_ARTIFACTS=before))


artifacts = click.option(
    "--artifacts",
    metavar="URL",
    envvar="HARNESS_ARTIFACTS",
    callback=_leave_at,
    expose_value=False,
    help="Where trials leave logs, pictures and weights for other machines, s3://bucket/runs say.  [default: HARNESS_ARTIFACTS]",
)

plugin_files = click.option(
    "--plugin",
    "plugins",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A plugin file from anywhere; without a registry entry it is a method of its own name. May be repeated.",
)

configs = click.option(
    "--config",
    "configs",
    multiple=True,
    metavar="FILE",
    help="An OpenMMLab config file as a benchmark (docs/openmmlab.md); it is Python, and runs. May be repeated.",
)

keep_weights = click.option(
    "--keep-weights", "keep", is_flag=True, help="Keep what each trial learned: its weights and predictions, beside its log."
)


_HOW = (
    click.option("--device", type=Device(), default="auto", show_default=True, metavar="DEVICE", help="auto, cpu, cuda or cuda:N."),
    click.option(
        "--workers", type=click.IntRange(1, 256), metavar="N", help="Trials at the same time.  [default: what the machine can bear]"
    ),
    click.option(
        "--trials-per-gpu",
        type=CountOrAuto(),
        metavar="N",
        help="Trials that share a GPU; auto: as many as its memory has room for.  [default: 1, or what --workers needs]",
    ),
    click.option(
        "--gpus-per-trial",
        type=click.IntRange(1, 64),
        default=1,
        show_default=True,
        metavar="N",
        help="GPUs that train each trial together, its batch divided among them.",
    ),
    click.option(
        "--workers-per-trial",
        "loader_workers",
        type=click.IntRange(0, 64),
        metavar="N",
        help="Processes that make the batches of a trial.  [default: on a GPU the cores that are left, 0 where all images fit into memory; "
        "0 on a CPU]",
    ),
    click.option(
        "--deterministic", is_flag=True, help="On a GPU, take deterministic kernels where there are any: slower, the same each time."
    ),
    click.option(
        "--recompute", is_flag=True, help="Less memory and slower: activations of the backbone are made anew for the backward pass."
    ),
    click.option(
        "--time-limit",
        type=Number(min=0, min_open=True),
        metavar="S",
        help="Stop a trial that takes longer than S seconds; a benchmark may have a shorter limit of its own. "
        "One that gives no sign of life for half an hour is stopped in any case.",
    ),
)


HOW = (*("device", "workers", "trials_per_gpu", "gpus_per_trial", "loader_workers", "deterministic", "recompute", "time_limit"),)
"""The parameters of :func:`how`."""


def how(function: Function) -> Function:
    """How trials are run on a machine: arguments of :func:`harness.engine.run.run_plan`."""
    for option in reversed(_HOW):
        function = option(function)
    return function


def known_data_root(folder: Path | None) -> Path | None:
    """The folder given with ``--data-root``, which must exist.

    Raises:
        UsageError: it does not.
    """
    from harness.errors import UsageError

    if folder is not None and not folder.is_dir():
        raise UsageError(f"--data-root {folder}: no such folder.")
    return folder
