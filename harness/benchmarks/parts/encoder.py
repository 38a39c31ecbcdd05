"""Attention layers, positions and an alignment loss in the transformer encoder of any OpenMMLab model (ViT, SETR, DETR)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from harness import slots
from harness.benchmarks.parts.insert import grid_of, pass_zeros
from harness.errors import UsageError
from harness.slots import AttentionState, Position

_EXTRA = 8
"""Most tokens (class, distillation, registers) that stand before those of the grid."""


@dataclass
class _Grid:
    """Forward hook of the module whose output has the tokens' rows and columns."""

    size: tuple[int, int]

    def __call__(self, _module: nn.Module, _inputs: Any, output: Any) -> None:
        self.size = _grid(output) or self.size


class _Layer(nn.Module):
    """A plugin in the place of one of the model's own encoder layers.

    Forward: (B, N, D), the encoder's own position of the tokens where it adds one in each layer, (B, N, D), and which tokens are padding,
    (B, N), of images of several sizes in one batch (DETR) -> (B, N, D). Nothing attends to padding, which stays as it is.
    """

    def __init__(self, method: nn.Module, position: nn.Module | None, grid: _Grid, norm: nn.Module):
        super().__init__()
        self.method, self.norm = method, norm
        self.__dict__["place"] = position, grid  # the position is one module for all layers

    def forward(
        self, query: Tensor, query_pos: Tensor | None = None, key_padding_mask: Tensor | None = None, *_args: Any, **_options: Any
    ) -> Tensor:
        _, grid = self.__dict__["place"]
        padding = None if key_padding_mask is None else key_padding_mask.bool()
        if padding is None or not padding.any():
            return cast(Tensor, self.norm(self._attended(query, query_pos, grid.size)))
        result = query.clone()
        # images of one size pass together, without their padding: a plugin that takes no mask cannot look there
        for mine in torch.unique(padding, dim=0):
            images = (padding == mine).all(1).nonzero()
            own = (~mine).nonzero()[:, 0]
            rows = int((~mine).view(grid.size).any(1).sum())
            placed = None if query_pos is None else query_pos[images, own]
            result[images, own] = self._attended(query[images, own], placed, (rows, len(own) // rows)).to(result.dtype)
        return cast(Tensor, self.norm(result))

    def _attended(self, tokens: Tensor, placed: Tensor | None, size: tuple[int, int]) -> Tensor:
        """Of images that all have ``size`` rows and columns of tokens."""
        position, _ = self.__dict__["place"]
        where = Position(additive=placed) if position is None else _behind(position(*size), tokens.shape[1], size)
        return cast(Tensor, self.method(tokens, where))


def _behind(position: Position, tokens: int, grid: tuple[int, int]) -> Position:
    """The position of all tokens; those that stand before the grid's have none."""
    extra = tokens - grid[0] * grid[1]
    if not extra:
        return position
    rotate = position.rotate
    return Position(
        None if position.additive is None else F.pad(position.additive, (0, 0, extra, 0)),
        None if position.bias is None else F.pad(position.bias, (extra, 0, extra, 0)),
        None if rotate is None else lambda x: torch.cat([x[..., :extra, :], rotate(x[..., extra:, :])], dim=-2),
    )


def fill_encoder(
    model: nn.Module,
    image: tuple[int, int],
    layers: str,
    attention: dict[str, Any] | None = None,
    position: dict[str, Any] | None = None,
    loss: dict[str, Any] | None = None,
) -> None:
    """Replace the layers of an encoder, in place, give them another position, and add a loss over their queries and keys.

    Args:
        model: of any toolbox.
        image: (H, W) of its input.
        layers: path of the list of layers: ``backbone.layers`` of a ViT, ``encoder.layers`` of DETR.
        attention: ``{"plugin": ..., "params": {...}}`` of the ``encoder_attention`` slot, which stands for every layer. With a
            ``position`` alone it is the slot's baseline, since the model's own layers know no other.
        position: plugin of the ``position_encoding`` slot, in the place of the model's own.
        loss: plugin of the ``attention_loss`` slot; reads the queries and keys of the plugins, or of the model's own attention.

    Raises:
        UsageError: there is no list of encoder layers at ``layers``.
    """
    stack = _stack(model, layers)
    if position and not attention:
        attention = {"plugin": cast(str, slots.SLOTS["encoder_attention"].baseline)}
    if attention:
        _replace(model, layers, stack, image, attention, position)
    else:
        _offer_own(stack)
    if loss:
        model.add_module("attention_loss", slots.build(loss["plugin"], loss.get("params") or {}))
        _add_loss(model, stack)


def _stack(model: nn.Module, layers: str) -> nn.ModuleList:
    try:
        found = model.get_submodule(layers)
    except AttributeError:
        found = None
    if isinstance(found, (nn.ModuleList, nn.Sequential)) and len(found):
        return cast(nn.ModuleList, found)
    lists = [name for name, module in model.named_modules() if isinstance(module, (nn.ModuleList, nn.Sequential)) and _heads(module)]
    raise UsageError(f"'{layers}' is no list of encoder layers. Candidates: {', '.join(lists[:12]) or 'none'}.")


def _heads(layer: nn.Module) -> int:
    return next((int(heads) for module in layer.modules() if isinstance(heads := getattr(module, "num_heads", None), int)), 0)


def _replace(
    model: nn.Module, path: str, stack: nn.ModuleList, image: tuple[int, int], attention: dict[str, Any], position: dict[str, Any] | None
) -> None:
    width, grid = _look(model, path, stack, image)
    heads = _heads(stack[0])
    if not heads:
        raise UsageError(f"the layers at '{path}' have no attention that tells its number of heads. Name an encoder of a transformer.")
    hidden = next((int(cast(int, m.feedforward_channels)) for m in stack[0].modules() if hasattr(m, "feedforward_channels")), 4 * width)
    dropout = next((module.p for module in stack[0].modules() if isinstance(module, nn.Dropout)), 0.0)
    placed = None
    if position:
        placed = slots.build(position["plugin"], position.get("params") or {}, dim=width, heads=heads)
        model.add_module("attention_position", placed)
        own = getattr(model.get_submodule(path.rpartition(".")[0]), "pos_embed", None)
        if isinstance(own, nn.Parameter):  # the model's own, added to the tokens once
            own.data.zero_()
            own.requires_grad_(False)
    given = {"dim": width, "heads": heads, "ffn_dim": hidden, "dropout": dropout, "depth": len(stack)}
    *_, last = stack[0].modules()
    after = type(last) is nn.LayerNorm  # layers that end with a norm leave none to the model behind them
    for index in range(len(stack)):
        norm = nn.LayerNorm(width) if after and index == len(stack) - 1 else nn.Identity()
        stack[index] = _Layer(slots.build(attention["plugin"], attention.get("params") or {}, **given), placed, grid, norm)


def _grid(output: Any) -> tuple[int, int] | None:
    if isinstance(output, Tensor) and output.ndim == 4:
        return int(output.shape[-2]), int(output.shape[-1])
    return grid_of(output)


def _look(model: nn.Module, path: str, stack: nn.ModuleList, image: tuple[int, int]) -> tuple[int, _Grid]:
    """Width of the tokens, and their grid, kept up to date by a hook at the module that tells it."""
    before: list[tuple[nn.Module, tuple[int, int]]] = []
    tokens: list[Tensor] = []

    def tells(module: nn.Module, _inputs: Any, output: Any) -> None:
        if not tokens and (size := _grid(output)):
            before.append((module, size))

    def enters(_module: nn.Module, inputs: tuple[Any, ...], options: dict[str, Any]) -> None:
        tokens.append(inputs[0] if inputs else options["query"])

    hooks = [module.register_forward_hook(tells) for module in model.modules()]
    hooks.append(stack[0].register_forward_pre_hook(enters, with_kwargs=True))
    try:
        pass_zeros(model, image)
    finally:
        for hook in hooks:
            hook.remove()
    if not tokens or tokens[0].ndim != 3 or tokens[0].shape[0] != 1:
        raise UsageError(f"the layers at '{path}' do not take tokens (images, tokens, width), so no plugin can stand for them.")
    count = tokens[0].shape[1]
    for module, (height, width) in reversed(before):
        if 0 <= count - height * width <= _EXTRA:
            grid = _Grid((height, width))
            module.register_forward_hook(grid)
            return tokens[0].shape[2], grid
    raise UsageError(f"the {count} tokens of '{path}' are no grid that a module before it returns, so they have no position.")


def _offer_own(stack: nn.Module) -> None:
    """Have the model's own attention offer its queries and keys, as plugins do."""
    for module in stack.modules():
        if isinstance(module, nn.MultiheadAttention) and module.in_proj_weight is not None:
            module.register_forward_pre_hook(_offer_projected, with_kwargs=True)
        elif isinstance(qkv := getattr(module, "qkv", None), nn.Linear) and _heads(module):
            qkv.register_forward_hook(_OfferSplit(_heads(module)))


def _offer_projected(module: nn.Module, inputs: tuple[Any, ...], options: dict[str, Any]) -> None:
    attention, width = cast(nn.MultiheadAttention, module), cast(int, module.embed_dim)

    def projected(index: int, name: str) -> Tensor:
        side: Tensor = inputs[index] if index < len(inputs) else options[name]
        rows = slice(index * width, (index + 1) * width)
        bias = None if attention.in_proj_bias is None else attention.in_proj_bias[rows]
        tokens = side if attention.batch_first else side.transpose(0, 1)
        return torch.unflatten(F.linear(tokens, attention.in_proj_weight[rows], bias), -1, (attention.num_heads, -1)).transpose(1, 2)

    slots.observe(module, q=lambda: projected(0, "query"), k=lambda: projected(1, "key"))


@dataclass
class _OfferSplit:
    """Forward hook of a projection to queries, keys and values side by side."""

    heads: int

    def __call__(self, module: nn.Module, _inputs: Any, output: Tensor) -> None:
        q, k, _ = torch.unflatten(output, -1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        slots.observe(module, q=q, k=k)


def _add_loss(model: nn.Module, stack: nn.Module) -> None:
    inner, inside = cast(Any, model).loss, {id(module) for module in stack.modules()}

    def with_attention(*args: Any, **options: Any) -> dict[str, Tensor]:
        states: list[AttentionState] = []

        def collect(module: Any, values: dict[str, Any]) -> None:
            if id(module) in inside and "q" in values and "k" in values:
                states.append(AttentionState(slots.value_of(values["q"]), slots.value_of(values["k"])))

        with slots.observing(collect):
            losses: dict[str, Tensor] = inner(*args, **options)
        if states:
            losses["loss_attention"] = cast(Any, model).attention_loss(states)
        return losses

    model.loss = with_attention  # type: ignore[assignment]  # what every toolbox's forward calls in training
