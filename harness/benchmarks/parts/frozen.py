"""A frozen backbone whose features are computed once per image and shared by all trials."""

from __future__ import annotations

import hashlib
import io
import shutil
from pathlib import Path

import torch
from torch import Tensor, nn

from harness import paths
from harness.files import write_whole

_MEMORY = 4 << 30
"""Bytes of features one trial keeps in memory; beyond that they are read from disk each time."""


class FrozenBackbone(nn.Module):
    """Runs a backbone without gradients, in eval mode, and remembers what it returned for each image.

    Images are recognised by their content, so any dataset and any method can share the cache, and an
    augmented image is simply another image. Each image passes alone: its features then do not depend on
    which batch it came in, nor on whether they were cached.

    Forward: (B, 3, H, W) -> the backbone's own tuple of feature maps (B, C_i, H_i, W_i).
    """

    def __init__(self, backbone: nn.Module, identity: str):
        """Wrap ``backbone``; ``identity`` says all that its weights do not: its config (which levels it returns)."""
        super().__init__()
        self.identity = identity
        self.backbone = backbone.requires_grad_(False)
        self.backbone.eval()  # not chained: OpenMMLab backbones override train() and return nothing
        self.caching = True
        self._memory: dict[str, list[Tensor]] = {}
        self._bytes = 0
        self._folder: Path | None = None
        self._device = "cpu"

    def train(self, mode: bool = True) -> FrozenBackbone:
        """Stays in eval mode: batch statistics must not drift."""
        return super().train(False)

    def _key(self, device: torch.device) -> Path:
        if self._folder is None or self._device != device.type:
            hasher = hashlib.blake2b(digest_size=16)
            hasher.update(f"{self.identity} {self.backbone!r} {torch.__version__} {device.type}".encode())
            for name, value in self.backbone.state_dict().items():
                hasher.update(name.encode())
                hasher.update(value.detach().cpu().contiguous().numpy().tobytes())
            self._folder = paths.cache_dir() / "features" / hasher.hexdigest()
            self._device = device.type
            self._memory.clear()
        return self._folder

    def _one(self, image: Tensor, content: Tensor) -> list[Tensor]:
        digest = hashlib.blake2b(content.numpy().tobytes(), digest_size=16)
        digest.update(str(tuple(image.shape)).encode())
        name = digest.hexdigest()
        if name in self._memory:
            return self._memory[name]
        file = self._key(image.device) / name[:2] / f"{name}.features"
        features = _read(file)
        if features is None:
            with torch.no_grad():
                out = self.backbone(image[None])
            features = [out] if isinstance(out, Tensor) else list(out)
            features = [feature[0].cpu().clone() for feature in features]
            _write(file, features)
        size = sum(feature.nbytes for feature in features)
        if self._bytes + size <= _MEMORY:
            self._memory[name] = features
            self._bytes += size
        return features

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        if not self.caching:
            with torch.no_grad():
                out = self.backbone(images)
            return (out,) if isinstance(out, Tensor) else tuple(out)
        # the batch travels at once, and its features do: a GPU waits for each journey
        contents = images.detach().cpu().contiguous()
        per_image = [self._one(image, content) for image, content in zip(images, contents, strict=True)]
        return tuple(torch.stack(level).to(images.device) for level in zip(*per_image, strict=True))


_DIGEST = 16
"""Bytes at the start of a file that tell whether the rest is what was written."""


def _read(file: Path) -> list[Tensor] | None:
    """``None`` where there is no such file, or a damaged one: then it is computed again."""
    try:
        content = file.read_bytes()
        told, features = content[:_DIGEST], memoryview(content)[_DIGEST:]
        if told == _digest(features):
            found: list[Tensor] = torch.load(io.BytesIO(features), weights_only=True)
            return found
        file.unlink()  # torn by a full disk, or not ours
    except OSError:
        pass
    return None


def _digest(content: bytes | memoryview) -> bytes:
    return hashlib.blake2b(content, digest_size=_DIGEST).digest()


def _write(file: Path, features: list[Tensor]) -> None:
    """Whole or not at all; a cache that cannot be written costs time, not the trial, and it never fills a disk."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(file.parent).free < paths.ROOM:
            return
        content = io.BytesIO()
        torch.save(features, content)  # which on a full disk raises a RuntimeError, hence not into the file
        write_whole(file, _digest(content.getbuffer()) + content.getvalue())
    except OSError:
        pass
