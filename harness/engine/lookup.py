"""A trial with a frozen backbone finds the features of its samples by their numbers, and looks at no image."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast

import torch
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from harness.benchmarks.base import Split
from harness.benchmarks.parts.frozen import FrozenBackbone, name_of
from harness.compose import Trial
from harness.engine import pulse
from harness.features import samples
from harness.features.samples import Samples

Told = Callable[[Split, int, int], None]
"""Is told how many samples of a split have been computed, and of how many."""


class Lookup:
    """The loaders of a trial, which hand out numbers in the place of images.

    What is not kept yet is computed first, each image alone and once for all trials that wait for it. The same numbers come out as
    from images, bit by bit: the same features, and the same draws.

    Args:
        trial: says what is read, and how it becomes pixels.
        model: built, with a frozen backbone.
        told: of the progress of what is computed.
    """

    def __init__(self, trial: Trial, model: nn.Module, told: Told = lambda split, done, count: None):
        self.trial, self.model, self.told = trial, model, told
        self.backbone = cast(FrozenBackbone, model.backbone)
        self.preprocess = cast("Callable[..., dict[str, Any]]", model.data_preprocessor)
        self.device = next(model.parameters()).device
        self.loaders: dict[Split, DataLoader[Any]] = {}
        self.numbered = self.fits(model)
        if self.numbered:
            _let_numbers_pass(cast(nn.Module, model.data_preprocessor))

    @staticmethod
    def fits(model: nn.Module) -> bool:
        """Whether a model takes numbers: it is a classifier that does nothing with images but give them to a frozen backbone."""
        from mmpretrain.models import ImageClassifier, LinearClsHead  # not before OpenMMLab is set up, which who tests again does later

        plain = (type(model) is ImageClassifier or getattr(model, "takes_numbers", False)) and type(model.head) is LinearClsHead
        return plain and isinstance(model.backbone, FrozenBackbone) and getattr(model.data_preprocessor, "batch_augments", None) is None

    def loader(self, made: DataLoader[Any], split: Split) -> DataLoader[Any] | None:
        """A loader of numbers in the same order as ``made`` has images; ``None`` where the features are more than can be kept."""
        dataset: Any = made.dataset
        found = self.prepared(dataset, made.collate_fn, split)
        if found is None:
            return None
        self.loaders[split] = made
        features = [self._features(dataset, made.collate_fn, index, name) for index, name in enumerate(found.images)]
        first = self.backbone.known(features, together=split == "train")
        self.backbone.flush()
        numbered = _Numbered(dataset, first, found.about, training=split == "train")
        return DataLoader(numbered, batch_sampler=made.batch_sampler, collate_fn=cast(Any, _as_it_is))

    def restore(self, runner: Runner) -> None:
        """Have the loops read images again, for whoever wants to see them."""
        loops = {"train": runner._train_loop, "val": runner._val_loop, "test": runner._test_loop}
        for split, loader in self.loaders.items():
            if hasattr(loops[split], "dataloader"):
                loops[split].dataloader = loader

    def prepared(self, dataset: Any, collate: Callable[[list[Any]], Any], split: Split) -> Samples | None:
        """Which images the samples of a split are, whose features are kept then; ``None`` where there is no room for them."""
        key = self._key(split, dataset)
        found, kept = samples.read(key), self.backbone.store(self.device)
        if found is not None and len(found.images) == len(dataset) and all(name in kept for name in found.images):
            return found
        with _alone(kept.folder.with_suffix(".lock")):
            kept.refresh()
            found = samples.read(key)
            if found is None or len(found.images) != len(dataset) or not all(name in kept for name in found.images):
                # all are looked at: what was remembered of an image is no longer so where it is decoded otherwise
                images, about = [], []
                for index in range(len(dataset)):
                    image, more = self._image(dataset, collate, index)
                    name = name_of(image[0].detach().cpu().contiguous())
                    features = self._computed(image, name)
                    if index == 0 and len(dataset) * sum(level.nbytes for level in features) > kept.most():
                        return None
                    images.append(name)
                    about.append(more)
                    self.told(split, index + 1, len(dataset))
                found = Samples(self.trial.benchmark, split, images, about)
                self.backbone.flush()
                samples.write(key, found)
        return found if all(name in kept for name in found.images) else None

    def _key(self, split: Split, dataset: Any) -> str:
        root = str(getattr(dataset, "root", "") or dataset.data_root or "")
        files = [str(info.get("img_path", "")).removeprefix(root) for info in _infos(dataset)]
        config = self.trial.config
        preprocessor = config["model"]["model"].get("data_preprocessor") or config["model"].get("data_preprocessor") or {}
        return samples.key(config[f"{split}_dataloader"]["dataset"], self.trial.dataset, files, preprocessor, self.device.type)

    def _features(self, dataset: Any, collate: Callable[[list[Any]], Any], index: int, name: str) -> list[Tensor]:
        found = self.backbone.find(name, self.device)
        if found is not None:
            return found
        image = self._image(dataset, collate, index)[0]
        # named anew: decoders change, and what others find under the old name must stay that image's
        return self._computed(image, name_of(image[0].detach().cpu().contiguous()))

    def _computed(self, image: Tensor, name: str) -> list[Tensor]:
        pulse.beat(0)
        return self.backbone.of_image(image[0], name)

    def _image(self, dataset: Any, collate: Callable[[list[Any]], Any], index: int) -> tuple[Tensor, dict[str, Any]]:
        """(1, 3, H, W) as the backbone gets it, and what else its transforms found out."""
        sample = dataset[index]
        about = getattr(sample["data_samples"], "metainfo", {}) if self.numbered else {}
        plain = {name: value for name, value in about.items() if name not in ("img_path", "sample_idx")}
        image: Tensor = self.preprocess(collate([sample]), False)["inputs"]
        return image, plain


def _infos(dataset: Any) -> list[dict[str, Any]]:
    """What an mmengine dataset says of each sample, to be read only: its copies are not needed where it has them as they are."""
    if not getattr(dataset, "serialize_data", True):
        return cast("list[dict[str, Any]]", dataset.data_list)
    return [dataset.get_data_info(index) for index in range(len(dataset))]


class _Numbered(Dataset[Any]):
    """Numbers of samples, a batch at a time, with what is true of each."""

    def __init__(self, dataset: Any, first: int, about: list[dict[str, Any]], *, training: bool):
        from mmpretrain.structures.utils import format_label

        self.dataset, self.first = dataset, first
        self.infos = _infos(dataset)
        number = cache(format_label)  # which asks for all kinds of labels in turn

        def label(value: Any) -> Tensor:
            made: Tensor = number(value) if type(value) is int else format_label(value)
            return made

        self.samples = [
            {name: tuple(value) if isinstance(value, list) else value for name, value in some.items()}
            | {"img_path": info["img_path"], "sample_idx": index, "gt_label": label(info["gt_label"])}
            for index, (some, info) in enumerate(zip(about, self.infos, strict=True))
        ]
        labels: list[Any] = [sample["gt_label"] for sample in self.samples]
        self.labels = torch.cat(labels) if training and all(len(each) == 1 for each in labels) else None

    def __getattr__(self, name: str) -> Any:
        if name == "dataset":  # while it is being copied
            raise AttributeError(name)
        return getattr(self.dataset, name)

    def __len__(self) -> int:
        return len(self.infos)

    def __getitems__(self, indices: list[int]) -> dict[str, Any]:
        numbers = torch.tensor(indices)
        if self.labels is None:
            # a prediction is written into its sample, so that a test gets new ones
            found = [_Sample(self.samples[index]) for index in indices]
        else:  # one stands for all of the batch: a head joins their labels, and takes as long to find them as for a pass
            found = [_Sample({"gt_label": self.labels[numbers]})]
        return {"inputs": numbers + self.first, "data_samples": found}


class _Sample(dict[str, Any]):
    """What is true of a sample and what is said of it: mmpretrain's ``DataSample`` as far as a classifier and its evaluators ask.

    That one copies and checks all that it is told, which for ten samples takes as long as a step of training.
    """

    def __init__(self, known: Mapping[str, Any]):
        super().__init__(known)
        self.__dict__ = self

    def set_field(self, value: Any, name: str) -> None:
        self[name] = value

    def set_pred_score(self, value: Tensor) -> _Sample:
        self["pred_score"], self["num_classes"] = value, len(value)
        return self

    def set_pred_label(self, value: Tensor) -> _Sample:
        self["pred_label"] = value
        return self


def _as_it_is(batch: dict[str, Any]) -> dict[str, Any]:
    return batch


def _let_numbers_pass(preprocessor: nn.Module) -> None:
    """Have numbers of samples go through what normalizes images."""
    images = preprocessor.forward

    def forward(data: Mapping[str, Any], training: bool = False) -> Any:
        if not isinstance(data["inputs"], Tensor) or data["inputs"].ndim != 1:
            return images(data, training)
        device = cast(torch.device, preprocessor.device)
        if device.type != "cpu":
            for sample in data["data_samples"]:
                sample.gt_label = sample.gt_label.to(device)
        return {"inputs": data["inputs"].to(device), "data_samples": data["data_samples"]}

    preprocessor.forward = forward


@contextlib.contextmanager
def _alone(file: Path) -> Iterator[None]:
    """One process at a time; where files cannot be locked, each for itself."""
    import fcntl

    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        lock = file.open("w")
    except OSError:
        yield
        return
    with lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                pulse.beat(0)
                time.sleep(0.2)
            except OSError:
                break
        yield
