"""Load pretrained weights into a backbone, without executing anything the file holds."""

from __future__ import annotations

import copy
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmcv.cnn.bricks import Conv2dAdaptivePadding
from torch import Tensor, nn

from harness.benchmarks import weights as source
from harness.benchmarks.options import Weights
from harness.benchmarks.parts.checkpoint import part_of, read
from harness.benchmarks.parts.deeper import cuts, homeless
from harness.errors import UsageError, did_you_mean
from harness.texts import few

_SHOWN = 3
_COUNTER = "num_batches_tracked"
"""Not a weight: many files lack it, and with a momentum given nothing depends on it."""


@dataclass(frozen=True)
class _Match:
    """A network in a file that has the backbone's shapes."""

    place: str
    """What the names of its tensors begin with, without the last dot."""
    names: dict[str, str]
    """Name in the backbone -> name in the file."""
    by_order: bool = False


def load_backbone(backbone: nn.Module, weights: dict[str, Any], tell: Callable[[str, str], None] = lambda what, mend: None) -> str:
    """Load a checkpoint into ``backbone``.

    Any nesting of mappings is looked through (``state_dict``, ``model``, ``teacher``, ...), and any prefix of the names
    (``module.``, ``backbone.``, ...). A network of other names, as another library calls the same layers, is matched in the
    order of its tensors, if every ending (``weight``, ``running_mean``, ...) and every shape agrees. Each tensor of the
    backbone must be found; what the file holds besides is left aside.

    Args:
        weights: see :class:`harness.benchmarks.options.Weights`.
        tell: is told, as a clause and its mend, of a backbone that ends before the file's does, whose blocks lack parts of the file's, or
            that pads in another way than the file's library.

    Returns:
        What was loaded, and what of the file was not.

    Raises:
        UsageError: not a checkpoint, an unsafe one, one of another or a deeper network, or several networks and no ``key``.
    """
    chosen = Weights.model_validate(weights)
    file = source.find(chosen)
    state = read(file)
    own = {name: value for name, value in backbone.state_dict().items() if not name.endswith(_COUNTER)}
    named = _by_name(own, state)
    found = _whole(own, state, named)
    inner = _common([name.split(".")[:-1] for name in own])
    if inner and not found:  # a network of another library in a module around it, which its files do not know
        bare = {name[len(inner) + 1 :]: value for name, value in own.items()}
        named = {place: {f"{inner}.{n}": full for n, full in names.items()} for place, names in _by_name(bare, state).items()}
        found = _whole(own, state, named)
    if not found:
        found = [*_by_order(own, state, named)]
    if not found:
        found = [match for match in _but_for_positions(own, state, named) if _resizes(backbone, _taken(match, state))]
    if not found:
        mend = _OTHER_SIZE if any(_but_for_positions(own, state, named)) else part_of(file)
        raise UsageError(f"model.weights: {file} is of another network: {_difference(own, state, named)}{mend}")
    match = _one(found, chosen.key, file)
    used = [match.names[name] for name in own]
    shorter = cuts(used, state, match.place)
    rows = few((f"{cut.used} of {cut.there} blocks in {cut.row}" for cut in shorter), _SHOWN)
    if not all(cut.last for cut in shorter):
        mend = "Take weights of this backbone, or give the backbone the depth of the file's."
        raise UsageError(f"model.weights: {file} is of a deeper network: the backbone would take {rows}. {mend}")
    if shorter:
        tell(f"the backbone takes the first {rows} of {file.name}", "give it the depth of the file's, unless it is cut on purpose")
    if lost := homeless(used, state, match.place):
        some = few(lost, _SHOWN)
        tell(f"of the tensors of {file.name} in blocks that the backbone takes {len(lost)} have no place there: {some}", _PARTS)
    if match.by_order and any(isinstance(part, Conv2dAdaptivePadding) for part in backbone.modules()):
        tell(f"the backbone pads as TensorFlow does, and {file.name}, by its names, is of another library", _EVENLY)
    loaded = _taken(match, state)
    for name, value in loaded.items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise UsageError(f"model.weights: {file}: '{match.names[name]}' holds values that are not finite. Take another checkpoint.")
        if name.endswith("running_var") and (value < 0).any():
            raise UsageError(f"model.weights: {file}: '{match.names[name]}' holds variances below zero. Take another checkpoint.")
    matrices = [name for name, value in loaded.items() if value.ndim > 1 and name.endswith("weight")]
    if zero := [match.names[name] for name in matrices if not loaded[name].any()]:
        if len(zero) == len(matrices):
            raise UsageError(f"model.weights: {file}: the weights of all layers are zero. Take another checkpoint.")
        what = f"of {len(matrices)} layers' weights {len(zero)} in {file.name} are zero throughout: {few(zero, _SHOWN)}"
        tell(what, "take another checkpoint, unless these layers are meant to do nothing")
    # each of its names is given; a hook of mmpretrain's SwinTransformerV2 takes away tables that it works out anew, and is not refused that
    backbone.load_state_dict({**backbone.state_dict(), **loaded}, strict=False)
    changed = [f"{name} resized from {tuple(value.shape)} to {tuple(own[name].shape)}" for name, value in loaded.items()
               if value.shape != own[name].shape]  # fmt: skip
    return "; ".join([_report(file, match, loaded, state), *changed[:_SHOWN]])


_PARTS = (
    "without them the network computes something else: configure the backbone as the file's is (layer_scale_init_value, qkv_bias, ...), "
    "or take weights of this one"
)

_EVENLY = (
    "torchvision's EfficientNets pad evenly and have another eps, so that their features are some hundredths off here: with "
    "model.backbone=torchvision:NAME they are theirs"
)

_POSITIONS = re.compile(r"pos_?embed|position_embed|relative_position|pos_table|rel_pos")
"""Names of tensors whose shape follows from the size of images or windows."""

_OTHER_SIZE = " Make the images the size that it was trained with, or resize these tables beforehand."


def _taken(match: _Match, state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: state[there] for name, there in match.names.items()}


def _but_for_positions(own: dict[str, Tensor], state: dict[str, Tensor], named: dict[str, dict[str, str]]) -> Iterator[_Match]:
    """Those places that have all of the backbone's tensors, where only tables of positions are of another size."""
    for place, names in named.items():
        if len(names) == len(own) and all(_POSITIONS.search(name) for name in _unlike(own, state, names)):
            yield _Match(place, names)


def _resizes(backbone: nn.Module, loaded: dict[str, Tensor]) -> bool:
    """Whether the backbone's own way to load makes such tables fit, as a hook of mmpretrain's transformers does."""
    tried = copy.deepcopy(backbone)  # loading fails half-way
    try:
        tried.load_state_dict({**tried.state_dict(), **loaded}, strict=False)
    except Exception:  # of a hook that cannot, or of torch, which finds another shape
        return False
    return True


def _by_name(own: dict[str, Tensor], state: dict[str, Tensor]) -> dict[str, dict[str, str]]:
    """Place in the file -> the backbone's names that stand there, with their full names."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for full in state:
        parts = full.split(".")
        for start in range(len(parts)):
            name = ".".join(parts[start:])
            if name in own:
                found[".".join(parts[:start])][name] = full
    return found


def _whole(own: dict[str, Tensor], state: dict[str, Tensor], named: dict[str, dict[str, str]]) -> list[_Match]:
    """Those places that have all of the backbone's tensors in its shapes."""
    return [_Match(place, names) for place, names in named.items() if len(names) == len(own) and not _unlike(own, state, names)]


def _unlike(own: dict[str, Tensor], state: dict[str, Tensor], names: dict[str, str]) -> list[str]:
    """Names whose tensors differ in shape or kind of number."""
    pairs = ((name, own[name], state[full]) for name, full in names.items())
    return [name for name, a, b in pairs if a.shape != b.shape or a.is_floating_point() != b.is_floating_point()]


def _by_order(own: dict[str, Tensor], state: dict[str, Tensor], named: dict[str, dict[str, str]]) -> Iterator[_Match]:
    """Runs of tensors whose endings and shapes are the backbone's, one after the other.

    A file sorted by name tells no order, and names that do agree must not be contradicted.
    """
    theirs = [name for name in state if not name.endswith(_COUNTER)]
    if theirs == sorted(theirs):
        return
    likeness = [(_ending(name), tuple(state[name].shape), state[name].is_floating_point()) for name in theirs]
    wanted = [(_ending(name), tuple(value.shape), value.is_floating_point()) for name, value in own.items()]
    agreed = max(named.values(), key=len, default={})
    agreed = agreed if 2 * len(agreed) >= len(own) else {}
    start = 0
    while own and start + len(own) <= len(theirs):
        run = theirs[start : start + len(own)]
        names = dict(zip(own, run, strict=True))
        if likeness[start : start + len(own)] != wanted or not _counts_up(run) or any(names[n] != full for n, full in agreed.items()):
            start += 1
            continue
        yield _Match(_common([name.split(".")[:-1] for name in run]), names, by_order=True)
        start += len(own)


def _ending(name: str) -> str:
    return name.rpartition(".")[2]


def _counts_up(names: list[str]) -> bool:
    """Whether numbered parts come as 1, 2, ..., 10 and not as 1, 10, 2, as sorting by name leaves them."""
    last: dict[tuple[str, ...], int] = {}
    for name in names:
        parts = name.split(".")
        for place, part in enumerate(parts):
            if part.isdecimal():
                above = tuple(parts[:place])
                if int(part) < last.get(above, 0):
                    return False
                last[above] = int(part)
    return True


def _common(paths: list[list[str]]) -> str:
    """The parts that all paths begin with, dotted."""
    same = []
    for parts in zip(*paths, strict=False):
        if len(set(parts)) > 1:
            break
        same.append(parts[0])
    return ".".join(same)


def _one(found: list[_Match], key: str | None, file: Path) -> _Match:
    """The match that ``key`` names, or the only one.

    Raises:
        UsageError: there are several, or ``key`` names none.
    """
    labels = _labels([match.place for match in found])
    if key is None:
        chosen = found
    else:
        wanted = key.strip(".")
        chosen = [match for match, label in zip(found, labels, strict=True) if key == label or (wanted and wanted == match.place)]
        chosen = chosen or [match for match in found if wanted and f".{wanted}." in f".{match.place}."]
    if len(chosen) == 1:
        return chosen[0]
    if not chosen and len(found) == 1:
        raise UsageError(f"model.weights.key: {file.name} holds a single network, and '{key}' is not in its names. Leave the key out.")
    if not chosen:
        raise UsageError(f"model.weights.key: {file.name}: {did_you_mean(key or '', labels, 'network')}")
    raise UsageError(f"model.weights: {file} holds {len(found)} networks: {', '.join(labels)}. Say which with model.weights.key=NAME.")


def _labels(places: list[str]) -> list[str]:
    """What tells the places apart; ``.`` for names that stand on their own."""
    paths = [place.split(".") if place else [] for place in places]
    head = len(_common(paths).split(".")) if len(paths) > 1 and _common(paths) else 0
    rests = [path[head:] for path in paths]
    same = _common([rest[::-1] for rest in rests])
    tail = len(same.split(".")) if len(paths) > 1 and same else 0
    return [".".join(rest[: len(rest) - tail]) or place or "." for rest, place in zip(rests, places, strict=True)]


def _difference(own: dict[str, Tensor], state: dict[str, Tensor], named: dict[str, dict[str, str]]) -> str:
    """Why a file does not fit: a wrong shape, missing tensors or other names altogether."""
    best = max(named.values(), key=len, default={})
    if wrong := _unlike(own, state, best):
        name = wrong[0]
        there = state[best[name]]
        more = f" And {len(wrong) - 1} more differ." if len(wrong) > 1 else ""
        kind = "" if there.is_floating_point() == own[name].is_floating_point() else f" of {str(there.dtype).removeprefix('torch.')}"
        return f"'{name}' has shape {tuple(own[name].shape)}, the file has {tuple(there.shape)}{kind} in its place.{more}"
    if best:
        missing = [name for name in own if name not in best]
        return f"of the backbone's {len(own)} tensors it lacks {few(missing, _SHOWN)}."
    return (
        f"none of its names ({few(state, _SHOWN)}) is one of the backbone's ({few(own, _SHOWN)}), and in their order "
        "the tensors have other endings or shapes. Rename them to the backbone's names."
    )


def _report(file: Path, match: _Match, loaded: dict[str, Tensor], state: dict[str, Tensor]) -> str:
    used = {*match.names.values()}
    rest = [name for name in state if name not in used and not name.endswith(_COUNTER)]
    renamed = next((f" ({there} for {own})" for own, there in match.names.items() if not there.endswith(own)), "")
    how = f"in their order, by other names{renamed}" if match.by_order else "by name"
    where = f" under '{match.place}'" if match.place else ""
    kinds = sorted({str(value.dtype).removeprefix("torch.") for value in loaded.values()} - {"float32", "int64"})
    cast = f", cast from {', '.join(kinds)}" if kinds else ""
    unexpected = f"{len(rest)} unexpected" + (f" ({few(rest, _SHOWN)})" if rest else "")
    return f"weights {file.name}: {len(loaded)} tensors loaded {how}{where}{cast}; 0 missing, {unexpected}"
