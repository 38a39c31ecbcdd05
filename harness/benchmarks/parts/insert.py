"""Insert attention blocks into any backbone, neck or head, by module path.

One mechanism for every OpenMMLab backbone: a forward hook replaces the output of the named module by the
block's output. The blocks are children of the root model (``attention_blocks``), never of the backbone, so that
the backbone's state-dict keys stay those of its pretrained weights.

Feature maps are met in three layouts, told apart in one dry run: (B, C, H, W), (B, H, W, C) and tokens
(B, extra + H·W, C), whose grid the patch embedding returns beside them. What a two-stage detector reads of its maps for each
region, (R, C, s, s), is a batch of R maps.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal, cast

import torch
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from harness import slots
from harness.benchmarks.parts.frozen import FrozenBackbone
from harness.errors import UsageError

NAME = "attention_blocks"
"""The root model's child that holds the blocks."""

_SHOWN = 12


@dataclass
class _Grid:
    """Forward hook of a module that returns (tokens, (H, W)); remembers the latter."""

    size: tuple[int, int] | None = None

    def __call__(self, _module: nn.Module, _inputs: Any, output: Any) -> None:
        self.size = grid_of(output) or self.size


@dataclass
class _Layout:
    """How a map lies in a tensor."""

    kind: Literal["nchw", "nhwc", "tokens"]
    channels: int
    grid: _Grid | None = None
    """Where the tokens' (H, W) is found, unless the module returns it itself."""

    def apply(self, block: nn.Module, x: Tensor, grid: tuple[int, int] | None) -> Tensor:
        """``block`` on the map in ``x``, in the layout of ``x``."""
        if not len(x):  # an image without regions
            return x
        if self.kind == "nchw":
            return _same_shape(block, x.contiguous())
        if self.kind == "nhwc":
            return _same_shape(block, x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        # a module that returns no grid runs after one that does
        height, width = grid or cast(tuple[int, int], cast(_Grid, self.grid).size)
        extra, tokens = torch.split(x, [x.shape[1] - height * width, height * width], dim=1)
        y = _same_shape(block, torch.unflatten(tokens.transpose(1, 2), 2, (height, width)))
        # class tokens stand aside: a block sees the grid only
        return torch.cat([extra, y.flatten(2).transpose(1, 2)], dim=1)


@dataclass
class _Place:
    """Forward hook that puts blocks behind a module.

    An instance, not a closure, so that ``copy.deepcopy`` of the model yields hooks bound to the copied blocks.
    """

    fillings: dict[int, tuple[nn.Module, _Layout]]
    """Index of the output -> its block and layout."""

    def __call__(self, _module: nn.Module, _inputs: Any, output: Any) -> Any:
        if isinstance(output, Tensor):
            block, layout = self.fillings[0]
            return layout.apply(block, output, None)
        outputs, grid = list(output), grid_of(output)
        for index, (block, layout) in self.fillings.items():
            outputs[index] = layout.apply(block, outputs[index], grid)
        return type(output)(outputs)


@dataclass
class _Before:
    """Forward hook that puts a block before a module."""

    block: nn.Module
    layout: _Layout

    def __call__(self, _module: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
        return (self.layout.apply(self.block, inputs[0], None),)


@dataclass
class _Calls:
    """What the dry run saw of one module."""

    count: int = 0
    layouts: dict[int, _Layout] = field(default_factory=dict)
    """Index of the output -> layout, for those outputs that are maps."""
    keeps_shape: bool = False
    """Whether it turns one tensor into one of the same shape."""


def _same_shape(block: nn.Module, x: Tensor) -> Tensor:
    y: Tensor = block(x)
    if y.shape != x.shape:
        name = getattr(block, "plugin_name", type(block).__name__)
        raise UsageError(f"block '{name}' turned a map of shape {tuple(x.shape)} into {tuple(y.shape)}; a block keeps the shape.")
    return y


def grid_of(output: Any) -> tuple[int, int] | None:
    """(H, W) where a module returns (tokens, (H, W))."""
    if not isinstance(output, (tuple, list)) or len(output) != 2 or not isinstance(output[0], Tensor) or output[0].ndim != 3:
        return None
    size = output[1]
    if isinstance(size, (tuple, list, torch.Size)) and len(size) == 2 and all(isinstance(side, (int, torch.SymInt)) for side in size):
        return tuple(size)
    return None


def _layout_of(x: Any, image: tuple[int, int], grid: tuple[int, int] | None, source: _Grid | None) -> _Layout | None:
    if not isinstance(x, Tensor) or not x.is_floating_point() or x.shape[:1] != (1,):
        return None

    def fits(height: int, width: int) -> bool:
        # both sides shrink by the same stride, up to one pixel of rounding each
        return abs(height * image[1] - width * image[0]) <= sum(image) and height <= image[0] and width <= image[1]

    if x.ndim == 4:
        if fits(*x.shape[2:]):
            return _Layout("nchw", x.shape[1])
        return _Layout("nhwc", x.shape[3]) if fits(*x.shape[1:3]) else None
    size = grid or (source.size if source else None)
    if x.ndim == 3 and size and x.shape[1] >= size[0] * size[1]:
        return _Layout("tokens", x.shape[2], None if grid else source)
    return None


def _of_regions(module: nn.Module, x: Any) -> _Layout | None:
    """The layout of what one of mmdet's extractors of region features returns."""
    reads = any(base.__name__ == "BaseRoIExtractor" for base in type(module).__mro__)
    return _Layout("nchw", x.shape[1]) if reads and isinstance(x, Tensor) and x.ndim == 4 else None


@contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients; modes and random state are as before afterwards."""
    modes = {module: module.training for module in model.modules()}
    random_state = torch.get_rng_state()
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        torch.set_rng_state(random_state)
        # set directly: backbones override train() to keep parts of themselves in evaluation mode
        for module, training in modes.items():
            module.training = training


def pass_zeros(model: nn.Module, image: tuple[int, int]) -> None:
    """One pass of a whole model of any toolbox, an image of zeros through backbone, neck and head.

    Raises:
        UsageError: it takes more than an image.
    """
    first = next(model.parameters(), torch.empty(0))
    told = {name: image for name in ("ori_shape", "img_shape", "pad_shape", "batch_input_shape")}
    sample = BaseDataElement(metainfo={**told, "scale_factor": (1.0, 1.0)})
    try:
        with undisturbed(model):
            model(torch.zeros(1, 3, *image, device=first.device, dtype=first.dtype), [sample], mode="tensor")
    except Exception as error:
        raise UsageError(
            f"nothing can be put outside the backbone of {type(model).__name__}: a pass of an image of zeros fails "
            f"({type(error).__name__}: {error}). Give a path below `backbone`."
        ) from error


def _dry_run(model: nn.Module, image: tuple[int, int], whole: bool) -> tuple[dict[str, _Calls], dict[str, _Grid]]:
    """Run the backbone, or the whole model, once on zeros: what each module returns, and which of them tell a token grid."""
    seen: dict[str, _Calls] = {}
    sources: dict[str, _Grid] = {}
    latest: list[_Grid] = []
    handles = []

    def watch(path: str, module: nn.Module) -> None:
        def look(_module: nn.Module, inputs: Any, output: Any) -> None:
            grid = grid_of(output)
            outputs = [output] if isinstance(output, Tensor) else list(output) if isinstance(output, (tuple, list)) else []
            source = latest[-1] if latest else None
            layouts = {i: _of_regions(module, x) or _layout_of(x, image, grid, source) for i, x in enumerate(outputs)}
            calls = seen.setdefault(path, _Calls())
            calls.count += 1
            calls.layouts = {i: layout for i, layout in layouts.items() if layout is not None}
            tensors = isinstance(output, Tensor) and len(inputs) == 1 and isinstance(inputs[0], Tensor)
            calls.keeps_shape = tensors and inputs[0].shape == output.shape
            if grid:
                sources[path] = _Grid(grid)
                latest.append(sources[path])

        handles.append(module.register_forward_hook(look))

    # what lies inside a frozen backbone never runs again once its features are kept
    backbone = cast(nn.Module, model.backbone)
    inside: Iterable[tuple[str, nn.Module]] = [("", backbone)] if isinstance(backbone, FrozenBackbone) else backbone.named_modules()
    for name, module in inside:
        watch(f"backbone.{name}".rstrip("."), module)
    if whole:
        for name, module in model.named_modules():
            if name and name.partition(".")[0] != "backbone":
                watch(name, module)
    first = next(backbone.parameters(), torch.empty(0))
    try:
        if whole:
            pass_zeros(model, image)
        else:
            with undisturbed(model):
                backbone(torch.zeros(1, 3, *image, device=first.device, dtype=first.dtype))
    finally:
        for handle in handles:
            handle.remove()
    return seen, sources


def _wrong_path(path: str, reason: str, seen: dict[str, _Calls]) -> UsageError:
    """The error for a place where no block can stand, with those where one can."""
    candidates = [name for name, calls in seen.items() if calls.count == 1 and calls.layouts]
    near = difflib.get_close_matches(path, candidates, n=4, cutoff=0.6)
    rest = sorted((name for name in candidates if name not in near), key=lambda name: name.count("."))
    shown = [*near, *rest][:_SHOWN]
    more = len(candidates) - len(shown)
    return UsageError(f"no block can stand at '{path}': {reason}. Candidates: {', '.join(shown)}{f' and {more} more' if more else ''}.")


def _layouts_at(path: str, branch: int | None, seen: dict[str, _Calls]) -> dict[int, _Layout]:
    """The outputs of the module at ``path`` that get a block."""
    calls = seen.get(path)
    if calls is None:
        raise _wrong_path(path, "the model calls no such module", seen)
    if calls.count > 1:
        raise _wrong_path(path, f"the module runs {calls.count} times in one pass", seen)
    if not calls.layouts:
        raise _wrong_path(path, "its output is no feature map", seen)
    if branch is None:
        return calls.layouts
    if branch == -1:
        branch = max(calls.layouts)
    if branch not in calls.layouts:
        raise UsageError(f"'{path}' has no branch {branch}. Its branches: {', '.join(map(str, calls.layouts))}.")
    return {branch: calls.layouts[branch]}


def _inside(seen: dict[str, _Calls]) -> str | None:
    """Where a backbone returns no map but a class token: the layer before the last, which is the last that the token still attends to."""
    layers = [name for name, calls in seen.items() if name.rpartition(".")[2].isdecimal() and name.count(".") == 2 and calls.layouts]
    return layers[-2] if len(layers) > 1 else None


def _each(places: list[dict[str, Any]], seen: dict[str, _Calls]) -> Iterator[dict[str, Any]]:
    """The places, one for each module that a path with ``*`` or ``?`` fits and where a block can stand."""
    for place in places:
        path = place["path"]
        if not any(mark in path for mark in "*?["):
            yield place
            continue
        fitting = [name for name, calls in seen.items() if fnmatchcase(name, path) and calls.count == 1 and calls.layouts]
        if not fitting:
            raise _wrong_path(path, "it fits no module that returns a map", seen)
        yield from ({**place, "path": name} for name in fitting)


def insert_blocks(model: nn.Module, places: list[dict[str, Any]], input_size: tuple[int, int]) -> None:
    """Put attention blocks behind modules of a model, in place; one pass of zeros tells their widths.

    Args:
        model: an OpenMMLab model (or any module) with a ``backbone`` that takes (B, 3, H, W).
        places: ``path`` (dotted, from the model; ``*`` and ``?`` fit anything), ``branch`` (which output, where a module returns
            several; -1 the last, all of them if ``None``; each gets a block of its own), ``replace`` (the block stands in the
            module's stead), ``before`` (it stands before the module), ``plugin`` (a loaded plugin of the ``block`` slot) and
            ``params``.
        input_size: (H, W) of the images the model sees, for the dry run that finds the widths.

    Raises:
        UsageError: a place where no block can stand (the sentence lists candidates), a place given twice, or a
            plugin that cannot be built.
    """
    if not places:
        return
    if not isinstance(getattr(model, "backbone", None), nn.Module):
        raise UsageError(f"{type(model).__name__} has no backbone, so no block can be inserted.")
    outside = {name for name, _ in model.named_modules() if name.partition(".")[0] != "backbone"}
    # a pattern that begins with one is of the backbone
    heads = {name.partition(".")[0] for name in outside}
    beyond = [place["path"] for place in places if place["path"].partition(".")[0] in heads]
    whole = any(fnmatchcase(name, path) for path in beyond for name in outside)
    seen, sources = _dry_run(model, cast(tuple[int, int], tuple(input_size)), whole)
    blocks = nn.ModuleDict()
    for place in _each(places, seen):
        path, replace, before, fillings = place["path"], place.get("replace", False), place.get("before", False), {}
        if path == "backbone" and path in seen and not seen[path].layouts:
            path = _inside(seen) or path
        if before and not (path in seen and seen[path].keeps_shape):
            raise _wrong_path(path, "a block before a module needs one that keeps the shape of its single input", seen)
        for index, layout in _layouts_at(path, place.get("branch"), seen).items():
            key = f"{path.replace('.', '-')}@{index}"
            if key in blocks:
                raise UsageError(f"a block is inserted twice at '{path}'. Delete one of the two places.")
            blocks[key] = slots.build(place["plugin"], place.get("params") or {}, channels=layout.channels)
            fillings[index] = (blocks[key], layout)
        if replace and not seen[path].keeps_shape:
            raise UsageError(f"no block can replace '{path}': its output has another shape than its input. Insert it after that module.")
        if replace:
            model.set_submodule(path, nn.Identity())
        if before:
            model.get_submodule(path).register_forward_pre_hook(_Before(*fillings[0]))
        else:
            model.get_submodule(path).register_forward_hook(_Place(fillings))
    model.add_module(NAME, blocks)
    for path, grid in sources.items():
        # first of its hooks: a block behind the patch embedding itself already finds the grid there
        model.get_submodule(path).register_forward_hook(grid, prepend=True)
