"""What ``evaluate`` and ``show`` share: kept weights by trial or file, and the trial they make on a benchmark."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.benchmarks import Task
    from harness.catalog import Benchmark
    from harness.catalog.plugins import PluginFile
    from harness.compose import Trial


@dataclass(frozen=True)
class Kept:
    """Kept weights, and what they are to be tried on."""

    file: Path
    about: dict[str, Any]
    trial: Trial
    task: Task
    plugins: list[PluginFile]
    unlike: tuple[str, ...] = ()
    """What the model is on other data that it was not where it was trained, and its weights do not tell, a clause each."""

    @property
    def is_own(self) -> bool:
        """Whether the trial is the one that learned them, code and data included."""
        return bool(self.trial.digest == self.about["trial"])


def kept(named: str, benchmark: str | None, config: str | None, data_root: Path | None, plugins: tuple[Path, ...], db: str) -> Kept:
    """What is meant.

    Args:
        named: a file, or a trial's digest or its first digits.
        benchmark: another one than that of the trial.
        config: an OpenMMLab config file that is the benchmark.

    Raises:
        UsageError: there is no such file or trial, or its weights were not kept.
    """
    from harness.analysis import artifacts, source
    from harness.benchmarks.openmmlab import code
    from harness.catalog import load_catalog
    from harness.catalog.adopt import adopt
    from harness.catalog.plugins import discover
    from harness.compose import Selection, plan
    from harness.engine.kept import FILE, about

    file: Path | None = Path(named)
    if not Path(named).is_file():
        row, _ = source.trial(db, named)
        file = artifacts.find(db, row.digest, f"artifacts/{FILE}")
        if file is None:
            raise UsageError(f"trial {row.digest} has no kept weights. `harness run --keep-weights` keeps those of the trials it runs.")
    assert file is not None
    told = about(file)
    files = discover(plugins)
    catalog = adopt(load_catalog(), files)
    if not benchmark and not config and told["benchmark"] not in catalog.benchmarks and (code_file := told.get("config_file")):
        raise UsageError(
            f"{named}: its benchmark is a config file, {code_file}, which is code and runs only where it is named. Add --config FILE."
        )
    chosen = (benchmark,) if benchmark else () if config else (told["benchmark"],)
    catalog, names = code.named(catalog, chosen, (config,) if config else ())
    same = names[0] == told["benchmark"]
    # on other data the model is still the one that was trained
    sets = tuple(text for text in told["overrides"] if same or text.startswith(("method.", "model.")))
    selection = Selection(methods=(told["method"],), benchmarks=names, seeds=told["seed"] + 1, overrides=sets, data_root=data_root)
    planned = plan(selection, catalog, files)
    here = planned.tasks[names[0]]
    unlike = () if same or told["benchmark"] not in catalog.benchmarks else _unlike(catalog.benchmarks[told["benchmark"]], here, sets)
    return Kept(file, told, planned.trials[-1], here, files, unlike)


_TRAINED_ONLY = {
    *("weights", "frozen", "dropout", "drop_path", "mixup", "cutmix", "label_smoothing", "classifier_std", "class_weight"),
    *("ohem", "auxiliary", "auxiliary_channels"),
}
"""Options of a model that change nothing once it is trained."""


def _unlike(trained: Benchmark, here: Task, sets: tuple[str, ...]) -> tuple[str, ...]:
    """Options of the model that two benchmarks say otherwise: a mean, a stride, what stands in no weight.

    Args:
        trained: where the weights were trained, as it is registered now.
        sets: what was changed there and is changed here, too.
    """
    from harness.benchmarks import task
    from harness.compose.overrides import Overrides

    try:
        there = task(Overrides.parse(text for text in sets if text.startswith("model.")).of_benchmark(trained))
    except UsageError:  # an entry that was edited since
        return ()
    before, now = there.model.model_dump(mode="json"), here.model.model_dump(mode="json")
    keys = [key for key in now if key not in _TRAINED_ONLY and before.get(key) != now[key]] if type(there.model) is type(here.model) else []
    return tuple(f"model.{key} is {now[key]!s:.80} on '{here.id}' and {before.get(key)!s:.80} on '{there.id}'" for key in keys)
