"""How queries and keys move apart or together during the first epoch of training, and how far attention spreads."""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from pathlib import Path
from typing import Any

import torch
from mmengine.hooks import Hook

from harness.diagnostics import measures
from harness.diagnostics.collector import measured
from harness.files import whole

FILE = "first_epoch.csv"
"""Name of the curve among a trial's artifacts: columns ``iteration`` (from 1), ``layer``, ``qk_distance``, ``purity``, ``entropy``;
``nan`` where an iteration or a layer has none."""

_POINTS = 200

_ENTROPIES = 20
"""Of these points: an attention matrix takes longer than all else."""

_LARGEST = 2**24
"""Bytes of the attention matrices of a batch, all layers and heads, that are formed in an iteration: 43 ms on one core."""

_COLUMNS = ("qk_distance", "purity", "entropy")


class FirstEpoch(Hook):
    """Watches the queries and keys of the training's first epoch, per layer, in at most 200 of its iterations.

    In at most 20 of these it looks at the entropy of the attention, too, of modules that offer queries, keys and attention: such a
    matrix is made of these two, while others may run layers anew that keep statistics in training.

    It is a hook and an observer at once: it listens while training runs inside ``observing(hook)``, and writes its file when
    all data have been seen once, before a checkpoint is written. A trial that is resumed later keeps the file. It draws no random
    number and changes no tensor, so that results do not depend on it, and it never fails a trial.

    Args:
        file: the CSV file; not written for a method that offers no queries and keys.
    """

    priority = "VERY_HIGH"

    def __init__(self, file: Path):
        self.file = file
        self.names: dict[int, str] = {}
        self.iteration: int | None = None
        """The current one, from 1, while it is watched."""
        self.looks = False
        """Whether at the entropy, too, if it is watched."""
        self.formed = 0
        """Bytes of the attention matrices of this iteration."""
        self.points: dict[tuple[int, str], list[torch.Tensor]] = defaultdict(list)
        """(iteration, layer) -> :data:`_COLUMNS` of each pass."""

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        if runner.epoch > 0:
            self.iteration = None
            return
        count = len(runner.train_dataloader)
        step = math.ceil(count / (_POINTS - 1))
        rarely = step * math.ceil(count / step / (_ENTROPIES - 1))
        first, last = batch_idx < count, batch_idx + 1 == count
        self.iteration = batch_idx + 1 if first and (batch_idx % step == 0 or last) else None
        self.looks, self.formed = batch_idx % rarely == 0 or last, 0
        if batch_idx == 0:
            self.names = {id(module): name for name, module in runner.model.named_modules()}

    def __call__(self, module: Any, values: dict[str, Any]) -> None:
        if self.iteration is None or "q" not in values or "k" not in values:
            return
        with torch.no_grad():
            q, k = measured(values["q"]), measured(values["k"])
            if q is None or k is None or q.shape[-1] != k.shape[-1]:
                return
            distance = measures.qk_distance(q, k).mean()
            unknown = distance.new_tensor(math.nan)
            # a share of the queries among all tokens, comparable where they are as many as the keys
            purity = measures.purity_of_largest_sphere(q, k).mean() if q.shape == k.shape else unknown
            weights = None
            size = 4 * math.prod(q.shape[:-1]) * k.shape[-2]
            if self.looks and "attention" in values and self.formed + size <= _LARGEST:
                self.formed += size
                weights = measured(values["attention"])
            entropy = unknown if weights is None else measures.entropy(weights).nanmean()
            point = torch.stack([distance, purity, entropy])
        self.points[self.iteration, self.names.get(id(module), type(module).__name__)].append(point)

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        if batch_idx + 1 == len(runner.train_dataloader):  # a training that is counted in iterations goes on
            self.after_train_epoch(runner)

    def after_train_epoch(self, runner: Any) -> None:
        self.iteration = None
        if not self.points:
            return
        try:
            _write(self.file, self.points)
        except OSError as error:
            runner.logger.warning(f"the first epoch's curve was not written: {error}")
        self.points.clear()


def _write(file: Path, points: dict[tuple[int, str], list[torch.Tensor]]) -> None:
    """Whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with whole(file) as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["iteration", "layer", *_COLUMNS])
        for (iteration, layer), passes in points.items():
            writer.writerow([iteration, layer, *(f"{value:.6g}" for value in torch.stack(passes).mean(dim=0).tolist())])


def ends(file: Path) -> dict[str, float]:
    """Diagnostics of the curve's two ends, means over layers: ``qk_distance_at_start`` and ``qk_distance_after_epoch``.

    Empty where there is no curve.
    """
    if not file.is_file():
        return {}
    distances: dict[int, list[float]] = defaultdict(list)
    with file.open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            distances[int(row["iteration"])].append(float(row["qk_distance"]))
    first, last = distances[min(distances)], distances[max(distances)]
    return {"qk_distance_at_start": math.fsum(first) / len(first), "qk_distance_after_epoch": math.fsum(last) / len(last)}
