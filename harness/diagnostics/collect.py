"""Collect diagnostics while a trained model looks at a few of the test images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from harness.diagnostics import maps as kept
from harness.diagnostics.collector import Collector
from harness.diagnostics.grids import plugins
from harness.diagnostics.maps import Marks, Pictured
from harness.diagnostics.measures import IGNORED
from harness.diagnostics.pictures import as_image, on_grid, save_overlays, save_predictions
from harness.diagnostics.places import looked_at
from harness.slots import observing

COLLAPSED = "collapsed"
"""A trial's label, and its mark among the diagnostics of a layer."""

_PIXELS = 8 * 224 * 224
"""Pixels of the images that pass together: attention maps grow with the square of that."""


Reader = Callable[[Any], tuple[Marks, Marks]]
"""Takes a data sample as the model's prediction returns it; what is true of its image, and what was predicted."""


def _batches(loader: Any, places: list[int]) -> Iterator[Any]:
    """These images of the test set in small batches of equal shape, collated as in the test."""
    waiting: list[Any] = []
    for index in places:
        sample = loader.dataset[index]
        shape = sample["inputs"].shape
        if waiting and (shape != waiting[0]["inputs"].shape or (len(waiting) + 1) * shape[-2] * shape[-1] > _PIXELS):
            yield loader.collate_fn(waiting)
            waiting = []
        waiting.append(sample)
    if waiting:
        yield loader.collate_fn(waiting)


def _labels(samples: Any, ignored: int) -> Tensor | None:
    """(B, H, W) categories of the pixels, where the samples have them in one size; ``ignored`` becomes ``IGNORED``."""
    maps = [field.data for sample in samples or () if (field := getattr(sample, "gt_sem_seg", None)) is not None]
    if not maps or len(maps) < len(samples) or len({tuple(labels.shape[-2:]) for labels in maps}) > 1:
        return None
    labels = torch.cat([labels.reshape(1, *labels.shape[-2:]) for labels in maps])
    return labels.masked_fill(labels == ignored, IGNORED)


@contextmanager
def _watching(model: nn.Module, collector: Collector) -> Iterator[None]:
    attached = plugins(model)
    hooks = [module.register_forward_pre_hook(collector.grids.entered) for module in attached]
    hooks += [module.register_forward_hook(collector.inputs_and_outputs) for module in attached]
    try:
        with observing(collector):
            yield
    finally:
        for hook in hooks:
            hook.remove()


def diagnose(
    model: nn.Module,
    loader: Any,
    *,
    images: int | None = None,
    pictures: Path | None = None,
    pictured: int = 3,
    marks: Reader | None = None,
) -> tuple[dict[str, float], list[str]]:
    """Diagnostics of a trained model on images spread evenly over the test set.

    Args:
        loader: the test dataloader; its dataset is read, its workers are not started.
        images: how many, see :func:`harness.diagnostics.places.looked_at`.
        pictures: folder for what is kept of the first ``pictured`` of them: the maps, as overlays and as numbers, and what is true and
            predicted, with the numbers and as pictures. Nothing is kept without it.
        marks: reads the predictions, whether the method offers maps or not; none are kept without it.

    Returns:
        Diagnostic name -> mean over the images, empty for a method that offers nothing; and notes of what was too large to measure
        and of what has collapsed.
    """
    places = looked_at(getattr(loader.dataset, "scored", len(loader.dataset)), images)  # others stand behind them
    collector = Collector(model)
    # the labels are the dataset's, and so is the index that marks those without a category
    ignored = getattr(loader.dataset, "ignore_index", IGNORED)
    was_training = model.training
    model.eval()
    drawn: list[Pictured] = []
    shown: list[tuple[Tensor, Any]] = []
    notes: list[str] = []
    try:
        with torch.no_grad():
            with _watching(model, collector):
                seen = 0
                for batch in _batches(loader, places):
                    data = cast("Any", model).data_preprocessor(batch, False)
                    samples = data.get("data_samples")
                    labels = _labels(samples, ignored)
                    collector.labels = None if labels is None else labels.to(data["inputs"].device)
                    collector.grids.image = tuple(data["inputs"].shape[-2:])
                    collector.maps = {}
                    model(data["inputs"], samples, mode="tensor")
                    count = min(pictured - len(drawn), len(data["inputs"]))
                    if pictures is not None and count:
                        drawn += _pictured(places[seen : seen + count], data["inputs"], collector.maps)
                        shown.append((data["inputs"][:count], samples[:count] if samples else samples))
                    seen += len(data["inputs"])
            if marks is not None and drawn:
                drawn, notes = _marked(model, drawn, shown, marks, loader.dataset)
    finally:
        if was_training:
            model.train()
    if pictures is not None and any(one.told for one in drawn):
        for index, one in enumerate(drawn):
            if one.maps:
                save_overlays(pictures, index, one.image, one.maps)
            if one.true.drawn or one.predicted.drawn:
                save_predictions(pictures, index, one)
        kept.save(pictures / kept.FILE, drawn)
    found = collector.means.values() | {f"{COLLAPSED}/{layer}": 1.0 for layer in collector.collapsed()}
    return found, [*collector.notes(), *notes]


def _pictured(places: list[int], inputs: Tensor, maps: Mapping[str, Tensor]) -> list[Pictured]:
    """The first images of a batch with their maps."""
    aspect = inputs.shape[-1] / inputs.shape[-2]
    return [
        Pictured(
            place,
            as_image(inputs[index]),
            {name: on_grid(some[index, : kept.MOST], aspect) for name, some in maps.items() if index < len(some)},
        )
        for index, place in enumerate(places)
    ]


def _marked(
    model: nn.Module, drawn: list[Pictured], shown: list[tuple[Tensor, Any]], marks: Reader, dataset: Any
) -> tuple[list[Pictured], list[str]]:
    """The images with what is true of them and what the model says, and a note where that cannot be told: maps are kept anyway."""
    try:
        predicted = [sample for inputs, samples in shown for sample in model(inputs, samples, mode="predict")]
        classes = tuple(map(str, (getattr(dataset, "metainfo", None) or {}).get("classes", ())))
        said = [marks(sample) for sample in predicted]
        return [replace(one, true=true, predicted=guess, classes=classes) for one, (true, guess) in zip(drawn, said, strict=True)], []
    except Exception as error:
        return drawn, [f"no pictures of predictions: {type(error).__name__}: {error}"]


def labels(diagnostics: dict[str, float]) -> dict[str, str]:
    """What of :func:`diagnose` a reader of the numbers should see beside them: ``attention``, if that of any layer has collapsed."""
    return {"attention": COLLAPSED} if any(name.startswith(f"{COLLAPSED}/") for name in diagnostics) else {}
