"""Slots: the places of a model where an attention method plugs in, and the contract of each.

A plugin is one ``nn.Module`` (a callable for ``masking``) registered under a name for one slot::

    @attention_method("my-pool", slot="pooling")
    class MyPool(nn.Module):
        def __init__(self, channels: int, temperature: float = 1.0): ...
        def forward(self, x): ...      # (B, C, H, W) -> (B, C)

What a plugin has trained apart from the rest it says with :func:`harness.marks.mark`, which is offered here too. Importing this
module imports neither torch nor mmengine.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from harness.marks import TRAINING, mark

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Slot:
    """A place where a method plugs in."""

    name: str
    contract: str
    """Shapes in and out."""
    arguments: tuple[str, ...]
    """What the harness passes to every plugin's constructor, besides the method's own parameters."""
    baseline: str | None
    """The plugin that stands in the slot when no method fills it."""
    place: str
    offered: tuple[str, ...] = ()
    """What it passes besides to a constructor that names it."""

    @property
    def given(self) -> tuple[str, ...]:
        """Arguments that are the harness's, so that no method may set them."""
        return self.arguments + self.offered


SLOTS: dict[str, Slot] = {
    slot.name: slot
    for slot in (
        Slot("pooling", "(B,C,H,W) -> (B,C)", ("channels",), "gap", "replaces global average pooling after the last stage"),
        Slot("block", "(B,C,H,W) -> (B,C,H,W)", ("channels",), None, "after a named module of any backbone"),
        Slot(
            "context",
            "(B,C,H,W) -> (B,C,H,W)",
            ("channels",),
            None,
            "between the convolutions of a segmentation head",
            offered=("num_classes", "low_channels", "in_channels"),
        ),
        Slot(
            "encoder_attention",
            "(B,N,D), Position -> (B,N,D)",
            ("dim", "heads", "ffn_dim", "dropout", "depth"),
            "encoder-layer",
            "one layer of a transformer encoder",
        ),
        Slot("position_encoding", "(H, W) -> Position", ("dim", "heads"), "learnable-pe", "a transformer encoder"),
        Slot("attention_loss", "[AttentionState, ...] -> scalar", (), None, "added to the training loss"),
        Slot("masking", "(B,N) attention -> (B,N) bool mask", (), "random-block-wise-masking", "self-supervised pre-training"),
        Slot(
            "relation",
            "(R,C), boxes (R,4) -> (R,C), all regions of one image",
            ("channels",),
            None,
            "after each fully-connected layer of a detector's box head, and in its mask head",
        ),
        Slot(
            "region_features",
            "(B,C,H,W), regions (R,5) -> (R,C,size,size)",
            ("channels", "size", "stride"),
            "roi-align",
            "what a detector's box and mask heads read of each level for a region",
        ),
        Slot(
            "duplicate_removal",
            "(R,C), boxes (R,K,4), scores (R,K) -> scores (R,K), all regions of one image",
            ("channels",),
            "nms",
            "the end of a detector's box head",
        ),
        Slot(
            "detector",
            "[(B,C_i,H_i,W_i), ...], padding (B,H,W) -> logits (L,B,Q,K+1), boxes (L,B,Q,4)",
            ("channels", "classes"),
            None,
            "everything behind a detector's backbone",
        ),
        Slot("model", "a whole model", ("channels", "scenes"), None, "the benchmark's model"),
    )
}


# What the shapes of the detection slots leave open.
#
# relation: boxes are x0, y0, x1, y1 in pixels of the network's input. R is 0 where an image has no region. In a mask head the features
#     of a region are the mean of its map, and what comes out takes its place.
# region_features: a region is the index of its image in the batch, then its box in pixels of the network's input; the map's cells are
#     `stride` pixels wide. One plugin is built for each level of a feature pyramid, and R is 0 where no region belongs to it.
# duplicate_removal: K classes, without background; a score of 0 says that a box is the duplicate of another, or none. A plugin that is
#     trained has `loss(features, boxes, scores, gt_boxes (G,4), gt_labels (G,)) -> {"loss_...": scalar}`, called once for each training
#     image with the head's own predictions, of which no gradient reaches the detector unless the plugin lets it.
# detector: `padding` is true where a pixel of the batch is none of the image; boxes are centre and size as shares of the image without
#     its padding. L layers are trained alike, matched one to one with the objects, and the last is tested. K+1 logits have "no object"
#     last and are trained as DETR's; K logits are trained with the focal loss, as those of Deformable DETR.


@dataclass
class Position:
    """What a position encoding gives to an encoder of N = H·W tokens; every part may be absent.

    Attributes:
        additive: (N, D), added to the inputs of the query and key projections, never to the values.
        bias: (heads, N, N), added to the attention logits.
        rotate: maps per-head queries or keys (B, heads, N, d_h) to the same shape; a rotation, or a scale.
    """

    additive: Tensor | None = None
    bias: Tensor | None = None
    rotate: Callable[[Tensor], Tensor] | None = None


@dataclass
class AttentionState:
    """Queries and keys of one attention layer, (B, heads, N, d_h): after the bias, before any rotation and 1/sqrt(d_h)."""

    q: Tensor
    k: Tensor


@cache
def registry() -> Any:
    """The mmengine registry of all plugins (children of no other, scope ``harness``)."""
    from mmengine.registry import Registry

    return Registry("attention method", scope="harness")


def attention_method(name: str, /, *, slot: str) -> Callable[[type], type]:
    """Register a module as the plugin ``name`` of ``slot``.

    The class may declare, as class attributes, what its contract test should know:

    * ``batch_independent = False``: an image's output may depend on its batch mates (in training mode,
      batch normalisation never counts);
    * ``stochastic = True``: two passes in eval mode may differ;
    * ``inert``: names of parameters that cannot change the output (a bias that the mathematics cancels);
    * ``compiles = False`` / ``exports = False``: ``torch.compile`` / ``torch.export`` are not supported;
    * ``contract_channels``: a channel count the contract test should use (default 64).

    And what the harness does with it:

    * ``query_key``: names of its query and key projections (parameters, or modules that hold them), stated in the class itself or
      set in its constructor. The plugin then has the options ``lr_mult`` and ``decay_mult``, see :func:`build`;
    * ``shared = True`` (``position_encoding``): one instance serves all branches of a model.

    Raises:
        ValueError: an unknown slot.
        KeyError: the name is taken.
    """
    if slot not in SLOTS:
        raise ValueError(f"unknown slot '{slot}'; known: {', '.join(SLOTS)}")

    def register(cls: Any) -> Any:
        cls.slot = slot
        cls.plugin_name = name
        registry().register_module(name=name, module=cls)
        return cls

    return register


@contextmanager
def _own_draws() -> Iterator[None]:
    """Random numbers of a plugin's constructor come from a stream of its own, which follows from that of the model.

    So the layers around it start alike for every method of one seed, however many numbers a method draws, and one that seeds
    the generators in its constructor seeds its own only.
    """
    import random

    import numpy as np
    import torch

    seed = int(torch.randint(1 << 62, ()))
    kept = random.getstate(), np.random.get_state(), torch.get_rng_state()
    random.seed(seed)
    np.random.seed(seed % (1 << 32))
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(kept[0])
        np.random.set_state(kept[1])
        torch.set_rng_state(kept[2])


def build(plugin: str, params: dict[str, Any], **context: Any) -> nn.Module:
    """Build the plugin ``plugin`` with its method's parameters and the slot's ``context``.

    Of a plugin that names its query and key projections (``query_key``), the options of :data:`TRAINING` mark them.

    Raises:
        UsageError: no such plugin is loaded, or it does not take these parameters.
    """
    from harness.errors import UsageError, did_you_mean

    cls = registry().module_dict.get(plugin)
    if cls is None:
        raise did_you_mean(plugin, registry().module_dict, "plugin", "harness list plugins")
    try:
        # a plugin with options of these names keeps them
        taken = inspect.signature(cls).parameters
        training = {name: params[name] for name in TRAINING if name in params and name not in taken}
        with _own_draws():
            built: nn.Module = cls(**context, **{name: value for name, value in params.items() if name not in training})
        if training:
            names = getattr(built, "query_key", ())
            if not names:
                raise ValueError(f"it has no query and key projections, so {' and '.join(training)} would change nothing; leave it out")
            mark(built, *names, **training)
    except (TypeError, ValueError) as error:
        mend = _mend(cls, context, params)
        raise UsageError(f"plugin '{plugin}' cannot be built with {params or 'no parameters'}: {error}{mend}") from error
    return built


def _mend(cls: Any, context: dict[str, Any], params: dict[str, Any]) -> str:
    """What to change in a constructor that does not take what it is given; nothing where it does."""
    takes = inspect.signature(cls).parameters
    named = {name: p for name, p in takes.items() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    if (lacking := [name for name in context if name not in named]) and not any(p.kind is p.VAR_KEYWORD for p in takes.values()):
        return f". Add {', '.join(lacking)} to its constructor; the harness passes {', '.join(context)} to every plugin of this slot."
    wanting = [name for name, p in named.items() if p.default is p.empty and name not in {*context, *params}]
    if not wanting:
        return ""
    entry = f"{cls.slot}: {{plugin: {cls.plugin_name}, {', '.join(f'{name}: …' for name in wanting)}}}"
    return f". Give {', '.join(wanting)} a default, or a value in the method's entry in registry.yaml, `slots: {{{entry}}}`."


READ = ("q", "k", "attention", "map", "keys", "queries", "boxes")
"""Names of :func:`observe` that diagnostics, localization or pictures read."""

UNREAD = ("channel", "neighbours")
"""Names with a fixed meaning that only observers of your own read."""

_observers: list[Callable[[Any, dict[str, Any]], None]] = []


def observe(module: Any, **values: Any) -> None:
    """Offer what a module attended to; costs one truth test when nobody listens.

    Names with a fixed meaning:

    * ``q``, ``k``: (B, heads, N, d_h), the projections of the tokens after their bias, before any rotation and the
      1/sqrt(d_h) scale;
    * ``attention``: (B, heads, N_q, N_k), which key each query attends to;
    * ``keys``: what the keys are, where they are no positions of the input ("bases");
    * ``queries``: what the queries are, where they are none ("regions");
    * ``boxes``: (B, N, 4), where those queries lie, x0, y0, x1, y1 in pixels of the network's input;
    * ``map``: (B, M, H, W), M maps over positions that do not depend on a query (a pooling's attention, a
      spatial gate, a unary term);
    * ``channel``: (B, C, 1, 1), a gate of channels, and ``neighbours``: (B, M, N, K), the attention of each position to those
      around it. Nothing of the harness reads these two, nor any other name.

    A value may be a function without arguments: it is called only by an observer that wants it (:func:`value_of`), so a
    fused attention computes its map only when asked for.
    """
    if _observers:
        _report(module, values)


def value_of(offered: Any) -> Any:
    """What an observer got in one of the ``values`` of :func:`observe`, computed now if it was offered as a function."""
    return offered() if callable(offered) else offered


def _report(module: Any, values: dict[str, Any]) -> None:
    """Tell all observers, unless a checkpoint is being recomputed in a backward pass: the forward pass has told them."""
    import torch

    if torch.compiler.is_compiling():
        for observer in _observers:
            observer(module, values)
    elif torch._C._current_graph_task_id() == -1:  # no backward pass is running
        # what an observer computes is saved for its own backward pass, not counted among what a checkpoint will recompute
        with torch.autograd.graph.saved_tensors_hooks(_as_it_is, _as_it_is):
            for observer in _observers:
                observer(module, values)


def _as_it_is(tensor: Tensor) -> Tensor:
    return tensor


@contextmanager
def observing(observer: Callable[[Any, dict[str, Any]], None]) -> Iterator[None]:
    """Call ``observer(module, values)`` for each :func:`observe` inside the block.

    Under ``torch.compile`` the observer is compiled along, also by a model that was compiled before. Under gradient
    checkpointing it hears of each forward pass once, not again when the backward pass recomputes it; with
    ``use_reentrant=True`` that forward pass has no gradients, and neither have the values.
    """
    _observers.append(observer)
    try:
        yield
    finally:
        _observers.remove(observer)
