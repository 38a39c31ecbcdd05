"""The blocks as their papers and codes print them: one image and one position at a time, every position projected, in float64.

Each function takes a map (B, d, H, W), the plugin's state dict and its parameters, and returns (B, d, H, W). Nothing is
folded, fused or shared with the plugins.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

State = dict[str, Tensor]


def _per_image(block: Callable[[list[Tensor]], list[Tensor]], x: Tensor) -> Tensor:
    """Apply ``block`` to the positions of each image, in row-major order."""
    height, width = x.shape[2:]
    images = []
    for image in x:
        out = block([image[:, i, j] for i in range(height) for j in range(width)])
        images.append(torch.stack(out, dim=1).reshape(-1, height, width))
    return torch.stack(images)


def _conv(state: State, name: str, v: Tensor) -> Tensor:
    """A 1x1 convolution (or linear layer) on one position."""
    weight = state[f"{name}.weight"]
    out = weight.reshape(weight.shape[0], -1) @ v
    return out + state[f"{name}.bias"] if f"{name}.bias" in state else out


def _layer_norm(state: State, name: str, v: Tensor) -> Tensor:
    centred = v - v.sum() / len(v)
    unit = centred / torch.sqrt((centred * centred).sum() / len(v) + 1e-5)
    return unit * state[f"{name}.weight"].flatten() + state[f"{name}.bias"].flatten()


def _batch_norm(state: State, name: str, v: Tensor) -> Tensor:
    unit = (v - state[f"{name}.running_mean"]) / torch.sqrt(state[f"{name}.running_var"] + 1e-5)
    return unit * state[f"{name}.weight"] + state[f"{name}.bias"]


def _sigmoid(v: Tensor) -> Tensor:
    return 1 / (1 + torch.exp(-v))


def _relu(v: Tensor) -> Tensor:
    return torch.where(v > 0, v, torch.zeros_like(v))


def _softmax(scores: list[Tensor]) -> list[Tensor]:
    top = max(s.item() for s in scores)
    powers = [torch.exp(s - top) for s in scores]
    return [p / sum(powers) for p in powers]


def _mean(vectors: list[Tensor]) -> Tensor:
    return sum(vectors) / len(vectors)


def _weighted(weights: list[Tensor], vectors: list[Tensor]) -> Tensor:
    return sum(w * v for w, v in zip(weights, vectors, strict=True))


def identity(x: Tensor, state: State) -> Tensor:
    return x


def se(x: Tensor, state: State, ratio: int = 16, divisor: int = 1, residual: bool = False) -> Tensor:
    def block(positions: list[Tensor]) -> list[Tensor]:
        gate = _sigmoid(_conv(state, "conv2.conv", _relu(_conv(state, "conv1.conv", _mean(positions)))))
        return [_relu(v + v * gate) if residual else v * gate for v in positions]

    return _per_image(block, x)


def cbam(x: Tensor, state: State, ratio: int = 16, bias: bool = True, kernel_size: int = 7) -> Tensor:
    def mlp(v: Tensor) -> Tensor:
        return _conv(state, "mlp.2", _relu(_conv(state, "mlp.0", v)))

    def channel(positions: list[Tensor]) -> list[Tensor]:
        top = torch.stack(positions).max(0).values
        gate = _sigmoid(mlp(_mean(positions)) + mlp(top))
        return [v * gate for v in positions]

    u = _per_image(channel, x)
    images = []
    for image in u:
        pair = torch.stack([image.max(0).values, image.sum(0) / len(image)])
        images.append(_correlate(pair, state["conv.weight"][0]))
    gate = torch.stack(images)[:, None]
    return u * _sigmoid(_batch_norm(state, "norm", gate))


def _correlate(image: Tensor, kernel: Tensor) -> Tensor:
    """(C, H, W) with a kernel (C, k, k), zero outside, to (H, W)."""
    _, height, width = image.shape
    half = kernel.shape[-1] // 2
    rows = []
    for i in range(height):
        row = []
        for j in range(width):
            total = image.new_zeros(())
            for a in range(-half, half + 1):
                for b in range(-half, half + 1):
                    if 0 <= i + a < height and 0 <= j + b < width:
                        total = total + (image[:, i + a, j + b] * kernel[:, a + half, b + half]).sum()
            row.append(total)
        rows.append(torch.stack(row))
    return torch.stack(rows)


def gather_excite(
    x: Tensor, state: State, extent: int = 2, gather: str = "conv", mlp: bool = True, ratio: int = 16, residual: bool = False
) -> Tensor:
    images = []
    for image in x:
        height, width = image.shape[1:]
        gate = _gather(image, state, extent, gather)
        if mlp:
            hidden = torch.stack([_relu(_conv(state, "mlp.0", v)) for v in gate.flatten(1).T])
            gate = torch.stack([_conv(state, "mlp.2", v) for v in hidden], dim=1).reshape(gate.shape)
        gate = _sigmoid(gate)
        rows = [[gate[:, i * gate.shape[1] // height, j * gate.shape[2] // width] for j in range(width)] for i in range(height)]
        y = image * torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)
        images.append(_relu(image + y) if residual else y)
    return torch.stack(images)


def _gather(image: Tensor, state: State, extent: int, gather: str) -> Tensor:
    if gather == "conv":
        for step in range(int(math.log2(extent))):
            layer = 3 * step  # ReLU, convolution, norm; no ReLU before the first
            image = _relu(image) if step else image
            kernels = state[f"gather.{layer}.weight"][:, 0]
            full = torch.stack([_correlate(plane[None], kernel[None]) for plane, kernel in zip(image, kernels, strict=True)])
            normed = [_batch_norm(state, f"gather.{layer + 1}", v) for v in full[:, ::2, ::2].flatten(1).T]
            image = torch.stack(normed, dim=1).reshape(len(image), *full[:, ::2, ::2].shape[1:])
        return image
    if extent == 0:
        return image.flatten(1).sum(1).div(image[0].numel())[:, None, None]
    height, width = image.shape[1:]
    reach = extent - 1
    rows = []
    for i in range(0, height, extent):
        row = []
        for j in range(0, width, extent):
            window = image[:, max(i - reach, 0) : i + reach + 1, max(j - reach, 0) : j + reach + 1]
            row.append(window.flatten(1).sum(1) / window[0].numel())
        rows.append(torch.stack(row, dim=1))
    return torch.stack(rows, dim=1)


def non_local(
    x: Tensor, state: State, mode: str = "embedded-gaussian", reduction: int = 2, use_scale: bool = False, norm: bool = False
) -> Tensor:
    def weights(i: int, positions: list[Tensor], theta: list[Tensor], phi: list[Tensor]) -> list[Tensor]:
        count = len(positions)
        if mode == "gaussian":
            return _softmax([(positions[i] * v).sum() for v in positions])
        if mode == "embedded-gaussian":
            scale = 1 / math.sqrt(len(theta[i])) if use_scale else 1
            return _softmax([(theta[i] * k).sum() * scale for k in phi])
        if mode == "dot-product":
            return [(theta[i] * k).sum() / count for k in phi]
        w = state["concat_project.conv.weight"].flatten()
        return [_relu((w * torch.cat([theta[i], k])).sum()) / count for k in phi]

    def block(positions: list[Tensor]) -> list[Tensor]:
        theta, phi = ([] if mode == "gaussian" else [_conv(state, f"{n}.conv", v) for v in positions] for n in ("theta", "phi"))
        g = [_conv(state, "g.conv", v) for v in positions]
        out = []
        for i, v in enumerate(positions):
            z = _conv(state, "conv_out.conv", _weighted(weights(i, positions, theta, phi), g))
            out.append(v + (_batch_norm(state, "conv_out.bn", z) if norm else z))
        return out

    return _per_image(block, x)


def _context(state: State, positions: list[Tensor]) -> Tensor:
    return _weighted(_softmax([_conv(state, "conv_mask", v)[0] for v in positions]), positions)


def gc_block(x: Tensor, state: State, ratio: float = 1 / 16, fusion: str = "add") -> Tensor:
    def block(positions: list[Tensor]) -> list[Tensor]:
        branch = f"channel_{fusion}_conv"
        hidden = _layer_norm(state, f"{branch}.1", _conv(state, f"{branch}.0", _context(state, positions)))
        change = _conv(state, f"{branch}.3", _relu(hidden))
        return [v + change if fusion == "add" else v * _sigmoid(change) for v in positions]

    return _per_image(block, x)


def simplified_non_local(x: Tensor, state: State) -> Tensor:
    def block(positions: list[Tensor]) -> list[Tensor]:
        change = _conv(state, "channel_add_conv", _context(state, positions))
        return [v + change for v in positions]

    return _per_image(block, x)


def dnl(
    x: Tensor,
    state: State,
    terms: str = "add-disentangled-key",
    flavour: str = "mmseg",
    reduction: int = 2,
    temperature: float | None = None,
    normalisation: str = "separate",
) -> Tensor:
    bottleneck = flavour in ("mmseg", "det")

    def block(positions: list[Tensor]) -> list[Tensor]:
        q, k, g = ([_conv(state, name, v) for v in positions] for name in ("theta", "phi", "g"))
        width = len(q[0])
        factor = {"mmseg": width**-0.5, "seg-bn": width**-0.5, "seg-nowd": 1.0, "det": width**0.5}[flavour]
        # temperatures and the bare unary product: nonlocal_block.py and its NL_fcn and NLunary_fcn settings for Cityscapes
        hot = 1.0 if terms == "joint" or flavour == "seg-nowd" else 0.06 if terms == "add-shared-key" else 0.05
        pair_scale = factor / (temperature or hot)
        mu_q, mu_k = _mean(q), _mean(k)
        if flavour == "seg-nowd":
            white_q, white_k = [v - mu_q.mean() for v in q], [v - mu_k.mean() for v in k]
        elif flavour == "det":
            white_q, white_k = [v - v.mean() for v in q], [v - mu_k for v in k]
        else:
            white_q, white_k = [v - mu_q for v in q], [v - mu_k for v in k]
        if terms == "joint":
            white_q, white_k = q, k
        own_key = terms == "add-disentangled-key"
        unary = [_conv(state, "mask", v)[0] for v in positions] if own_key else [(mu_q * key).sum() for key in k]
        out = []
        for i, v in enumerate(positions):
            pair = [(white_q[i] * key).sum() * pair_scale for key in white_k]
            if normalisation == "joint":
                both = _softmax(pair + unary)
                y_pair, y_unary = _weighted(both, g + g), torch.zeros_like(g[0])
            else:
                y_pair = _weighted(_softmax(pair), g) if terms != "unary-only" else torch.zeros_like(g[0])
                y_unary = _weighted(_softmax(unary), g) if terms.startswith(("unary", "add")) else torch.zeros_like(g[0])
            out.append(v + (_conv(state, "out", y_pair + y_unary) if bottleneck else state.get("gain", 0) * y_pair + y_unary))
        return out

    return _per_image(block, x)


def psa(x: Tensor, state: State, variant: str = "official_p") -> Tensor:
    def channel(positions: list[Tensor]) -> list[Tensor]:
        attention = _softmax([_conv(state, "channel_query", v)[0] for v in positions])
        context = _weighted(attention, [_conv(state, "channel_value", v) for v in positions])
        if variant == "official_p":
            up = _conv(state, "up", context)
        elif variant == "official_s":
            up = _conv(state, "up.3", _relu(_layer_norm(state, "up.1", _conv(state, "up.0", context))))
        else:
            up = _layer_norm(state, "up.1", _conv(state, "up.0", context))
        return [v * _sigmoid(up) for v in positions]

    def spatial(positions: list[Tensor]) -> list[Tensor]:
        query = _mean([_conv(state, "spatial_query", v) for v in positions])
        keys = [_conv(state, "spatial_value", v) for v in positions]
        if variant == "official_s":
            columns = torch.stack([torch.stack(_softmax(list(channel))) for channel in torch.stack(keys, dim=1)])
            logits = [(query * column).sum() for column in columns.T]
        else:
            if variant.startswith("paper"):
                query = torch.stack(_softmax(list(query)))
            logits = [(query * key).sum() for key in keys]
            logits = _softmax(logits) if variant == "official_p" else logits
        return [v * _sigmoid(a) for v, a in zip(positions, logits, strict=True)]

    if variant.endswith("_s"):
        return _per_image(lambda positions: spatial(channel(positions)), x)
    return _per_image(channel, x) + _per_image(spatial, x)


def local_relation(x: Tensor, state: State, kernel_size: int = 7, group: int = 8, similarity: str = "squared-difference") -> Tensor:
    half = kernel_size // 2
    compare = {
        "squared-difference": lambda q, k: -((q - k) ** 2),
        "absolute-difference": lambda q, k: -abs(q - k),
        "product": lambda q, k: q * k,
    }[similarity]

    def prior(a: int, b: int) -> Tensor:
        offset = x.new_tensor([a / max(half, 1), b / max(half, 1)])
        return _conv(state, "geometry.2", _relu(_conv(state, "geometry.0", offset)))

    images = []
    for image in x:
        height, width = image.shape[1:]
        rows = []
        for i in range(height):
            row = []
            for j in range(width):
                window = [
                    (a, b) for a in range(-half, half + 1) for b in range(-half, half + 1) if 0 <= i + a < height and 0 <= j + b < width
                ]
                q = _conv(state, "query", image[:, i, j])
                logits = [compare(q, _conv(state, "key", image[:, i + a, j + b])) + prior(a, b) for a, b in window]
                y = []
                for m in range(len(image) // group):
                    weights = _softmax([logit[m] for logit in logits])
                    y.append(_weighted(weights, [image[m * group : (m + 1) * group, i + a, j + b] for a, b in window]))
                row.append(_conv(state, "out", torch.cat(y)))
            rows.append(torch.stack(row, dim=1))
        images.append(torch.stack(rows, dim=1))
    return torch.stack(images)
