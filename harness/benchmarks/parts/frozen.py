"""A frozen backbone whose features are computed once per image and shared by all trials."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import Any, cast

import torch
from torch import Tensor, nn

from harness.features import Level, Store
from harness.features.room import root

_UNKEPT = 4 << 30
"""Bytes of features that one trial remembers where they cannot be kept on disk."""
_WRITTEN = 32 << 20
"""Bytes of features that are written to a file of their own, at least."""
_TOGETHER = 64 << 20
"""Bytes of features that a trial copies, at most, to have them in one piece."""


BEFORE_KEEPING: list[Callable[[], None]] = []
"""In this process: each raises where what was computed may be wrong, and must not be kept for other trials."""


class FrozenBackbone(nn.Module):
    """Runs a backbone without gradients, in eval mode, and remembers what it returned for each image.

    Images are recognised by their content, so any dataset and any method can share the features, and an
    augmented image is simply another image. Each image passes alone: its features then do not depend on
    which batch it came in, nor on whether they were kept.

    Forward: (B, 3, H, W) images, or (B,) int64 numbers of :meth:`known` ones -> the backbone's own tuple of
    feature maps (B, C_i, H_i, W_i).
    """

    def __init__(self, backbone: nn.Module, identity: str):
        """Wrap ``backbone``; ``identity`` says all that its weights do not: its config (which levels it returns)."""
        super().__init__()
        self.identity = identity
        self.backbone = backbone.requires_grad_(False)
        self.backbone.eval()  # not chained: OpenMMLab backbones override train() and return nothing
        self.caching = True
        self._store: Store | None = None
        self._device = ""
        self._read: dict[str, list[Tensor]] = {}
        self._new: dict[str, list[Tensor]] = {}
        self._unkept = 0
        self._numbered: list[list[Tensor]] = []
        self._together, self._levels = range(0), list[Tensor]()

    def train(self, mode: bool = True) -> FrozenBackbone:
        """Stays in eval mode: batch statistics must not drift."""
        return super().train(False)

    def store(self, device: torch.device) -> Store:
        """Where the features are kept that this backbone computes on a device of this type."""
        if self._store is None or self._device != device.type:
            hasher = hashlib.blake2b(digest_size=16)
            hasher.update(f"{self.identity} {self.backbone!r} {torch.__version__} {device.type}".encode())
            for name, value in self.backbone.state_dict().items():
                hasher.update(name.encode())
                hasher.update(value.detach().cpu().contiguous().numpy().tobytes())
            about = {"backbone": self.identity, "torch": torch.__version__, "device": device.type}
            self._store = Store(root() / hasher.hexdigest(), about)
            self._device = device.type
            self._read.clear()
        return self._store

    def of_image(self, image: Tensor, name: str) -> list[Tensor]:
        """The maps (C_i, H_i, W_i) of one image (3, H, W), looked up by :func:`name_of` it or computed."""
        if (found := self.find(name, image.device)) is not None:
            return found
        with torch.no_grad(), torch.autocast(image.device.type, enabled=False):
            out = self.backbone(image[None])
        features = [feature[0].cpu().clone() for feature in ([out] if isinstance(out, Tensor) else out)]
        self._new[name] = features
        if sum(level.nbytes for levels in self._new.values() for level in levels) >= _WRITTEN:
            self.flush()
        return features

    def find(self, name: str, device: torch.device) -> list[Tensor] | None:
        """The maps of an image by :func:`name_of` it; ``None`` where they have not been computed."""
        found = self._read.get(name) or self._new.get(name)
        if found is None and (levels := self.store(device).get(name)) is not None:
            found = self._read[name] = [_tensor(level) for level in levels]
        return found

    def flush(self) -> None:
        """Keep on disk what was computed since; what cannot be kept is remembered, as far as memory allows."""
        if not self._new or self._store is None:
            return
        for look in BEFORE_KEEPING:
            look()
        if not self._store.put({name: [_level(feature) for feature in features] for name, features in self._new.items()}):
            for name, features in self._new.items():
                self._unkept += sum(feature.nbytes for feature in features)
                if self._unkept <= _UNKEPT:
                    self._read[name] = features
        self._new = {}

    def known(self, images: Iterable[list[Tensor]], *, together: bool = False) -> int:
        """Number more images by their features, counting on from those before; the number of the first.

        Args:
            together: batches are drawn from these again and again, and of no others besides: they are put into one piece, if there are
                not too many, from which a batch is collected in less time than from the mapped files.
        """
        first, images = len(self._numbered), [*images]
        self._numbered += images
        alike = {tuple((level.shape, level.dtype, level.is_contiguous()) for level in levels) for levels in images}
        size = sum(level.nbytes for levels in images for level in levels)
        if together and len(alike) == 1 and all(dense for *_, dense in next(iter(alike))) and size <= _TOGETHER:
            self._together, self._levels = range(first, len(self._numbered)), [torch.stack(level) for level in zip(*images, strict=True)]
        return first

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        if images.ndim == 1:
            # the batch travels at once, and its features do: a GPU waits for each journey
            numbers = images.cpu()
            if len(numbers) and int(numbers[0]) in self._together:
                rows = numbers - self._together.start
                return tuple(level.index_select(0, rows).to(images.device) for level in self._levels)
            per_image = [self._numbered[number] for number in numbers.tolist()]
        elif self.caching:
            contents = images.detach().cpu().contiguous()
            per_image = [self.of_image(image, name_of(content)) for image, content in zip(images, contents, strict=True)]
        else:
            with torch.no_grad():
                out = self.backbone(images)
            return (out,) if isinstance(out, Tensor) else tuple(out)
        return tuple(torch.stack(level).to(images.device) for level in zip(*per_image, strict=True))


def name_of(content: Tensor) -> str:
    """What an image (3, H, W), contiguous on the CPU, is known by."""
    digest = hashlib.blake2b(content.numpy().data, digest_size=16)
    digest.update(str(tuple(content.shape)).encode())
    return digest.hexdigest()


def _level(feature: Tensor) -> Level:
    raw = feature.contiguous().view(-1).view(torch.uint8).numpy()
    return Level(raw, tuple(feature.shape), str(feature.dtype).removeprefix("torch."))


def _tensor(level: Level) -> Tensor:
    raw = cast(Tensor, cast(Any, torch).from_numpy(level.data))
    return raw.view(getattr(torch, level.dtype)).view(level.shape)
