"""Every method that is a whole model: values, gradients, parameters, invariants."""

from __future__ import annotations

import pytest
import torch
from cases import subject
from proofs.encoder.layer import encoder_layer
from proofs.models import CHANNELS, SCENES, dense, features
from proofs.models.multi_scene_posenet import HIDDEN, build
from proofs.position.additive import learnable
from proofs.slow import State, gelu
from torch import Tensor

from harness.slots import Position

HEADS, DEPTH = 4, 2


@pytest.fixture(scope="module", autouse=True)
def _plugins(openmmlab):
    subject("mspn-multi-scene-posenet")


@pytest.mark.parametrize(("channels", "scenes", "hidden"), [((40, 112), 4, 1024), ((40, 1280), 7, 512)])
def test_posenet_parameter_count(channels, scenes, hidden):
    c = channels[1]
    count = sum(p.numel() for p in build(channels, scenes, hidden=hidden).parameters())
    assert count == c * hidden + hidden + scenes * (7 * hidden + 7) + c * scenes + scenes


def test_posenet_learns_only_the_regressor_of_the_true_scene():
    module = build().train()
    out = module(features(), torch.ones(4, dtype=torch.long))
    (out["position"].sum() + out["quaternion"].sum()).backward()
    for heads in (module.position, module.orientation):
        assert [bool(head.weight.grad.any()) for head in heads] == [False, True, False]
    assert module.classify.weight.grad is None


def test_posenet_pools_its_coarse_map():
    """Neither the order of the positions nor the fine map counts; the likeliest scene is chosen at test."""
    module, (fine, coarse) = build(), features()
    expected = module((fine, coarse))
    order = torch.randperm(6, generator=torch.Generator().manual_seed(0))
    shuffled = module((fine + 1, coarse.flatten(2)[..., order].view_as(coarse)))
    chosen = module((fine, coarse), expected["scene"].argmax(-1))
    for name, value in expected.items():
        torch.testing.assert_close(shuffled[name], value)
        torch.testing.assert_close(chosen[name], value)
    torch.testing.assert_close(expected["scene"].exp().sum(-1), torch.ones(4))


def part(state: State, prefix: str) -> State:
    return {key.removeprefix(prefix + "."): value for key, value in state.items() if key.startswith(prefix + ".")}


def normed(state: State, name: str, v: Tensor) -> Tensor:
    centred = v - v.mean(-1, keepdim=True)
    return centred / torch.sqrt(centred.square().mean(-1, keepdim=True) + 1e-5) * state[f"{name}.weight"] + state[f"{name}.bias"]


def heads_apart(state: State, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention of one image, (S, d) x (N, d) -> (S, d), one head and one query after the other."""
    (w_q, w_k, w_v), (b_q, b_k, b_v) = (state[f"in_proj_{kind}"].chunk(3) for kind in ("weight", "bias"))
    q, k, v, width = q @ w_q.T + b_q, k @ w_k.T + b_k, v @ w_v.T + b_v, len(w_q) // HEADS
    rows = []
    for one in q:
        parts = []
        for channels in (slice(a * width, (a + 1) * width) for a in range(HEADS)):
            powers = torch.exp(k[:, channels] @ one[channels] / width**0.5)
            parts.append((powers[:, None] * v[:, channels]).sum(0) / powers.sum())
        rows.append(state["out_proj.weight"] @ torch.cat(parts) + state["out_proj.bias"])
    return torch.stack(rows)


def branch(feature: Tensor, state: State) -> Tensor:
    """One transformer of the Multi-Scene Transformer, (B, C, H, W) -> (B, S, d), after ``transformer.py`` of the authors."""
    height, width = feature.shape[2:]
    additive = learnable(height, width, part(state, "position"))
    x = torch.einsum("oc,bcn->bno", state["project.weight"].flatten(1), feature.flatten(2)) + state["project.bias"]
    for layer in range(DEPTH):
        x = encoder_layer(x, Position(additive=additive), part(state, f"encoder.{layer}"), HEADS)
    outputs, queries = [], state["queries.weight"]
    for memory in normed(state, "encoder_norm", x):
        y = torch.zeros_like(queries)
        for layer in range(DEPTH):
            own = part(state, f"decoder.{layer}")
            u = normed(own, "norm1", y)
            y = y + heads_apart(part(own, "self_attention"), u + queries, u + queries, u)
            y = y + heads_apart(part(own, "cross_attention"), normed(own, "norm2", y) + queries, memory + additive, memory)
            y = y + torch.stack([dense(own, "contract", gelu(dense(own, "expand", u))) for u in normed(own, "norm3", y)])
        outputs.append(normed(state, "decoder_norm", y))
    return torch.stack(outputs)


def multi_scene_transformer(features: tuple[Tensor, Tensor], state: State, scenes: list[int]) -> dict[str, Tensor]:
    """Position from the coarse map, orientation from the fine one, both of the given scene."""
    position, orientation = branch(features[1], part(state, "position_branch")), branch(features[0], part(state, "orientation_branch"))
    scores = torch.stack([torch.stack([dense(state, "score", s)[0] for s in image]) for image in torch.cat([position, orientation], -1)])
    regressed = {
        name: torch.stack(
            [dense(state, f"{regressor}.2", gelu(dense(state, f"{regressor}.0", v[s]))) for v, s in zip(rows, scenes, strict=True)]
        )
        for name, regressor, rows in (
            ("position", "position_regressor", position),
            ("quaternion", "orientation_regressor", orientation),
        )
    }
    return {**regressed, "scene": scores - torch.log(torch.exp(scores).sum(-1, keepdim=True))}


def test_the_transformer_that_hosts_the_encoder_methods_equals_the_authors():
    """Encoder, decoder, scene choice and regressors of the Multi-Scene Transformer, values and gradients."""
    from harness.benchmarks.camera_localization.mm.transformer import MultiSceneTransformer

    for name in ("encoder-layer", "learnable-pe"):
        subject(name)
    torch.manual_seed(0)
    sizes = {"dim": 16, "heads": HEADS, "depth": (DEPTH, DEPTH), "ffn_dim": 12, "dropout": 0.1, "hidden": HIDDEN}
    filling = {"encoder": {"plugin": "encoder-layer", "params": {}}, "position": {"plugin": "learnable-pe", "params": {}}}
    module = MultiSceneTransformer(CHANNELS, SCENES, **sizes, **filling).eval()
    with torch.no_grad():
        for value in module.parameters():
            value += 0.1 * torch.randn_like(value)
    fine, coarse = (feature[:2].requires_grad_() for feature in features())
    scenes = [2, 0]
    ours = module((fine, coarse), torch.tensor(scenes))
    state = {key: value.detach().double().requires_grad_() for key, value in module.state_dict().items()}
    # one table encodes both maps
    state |= {
        key.replace("position_branch", "orientation_branch"): v for key, v in state.items() if key.startswith("position_branch.position")
    }
    slow = tuple(feature.detach().double().requires_grad_() for feature in (fine, coarse))
    theirs = multi_scene_transformer(slow, state, scenes)
    for out in (ours, theirs):
        sum((out[name] * torch.arange(1, out[name].shape[1] + 1)).sum() for name in sorted(out)).backward()
    for name, exact in theirs.items():
        assert (ours[name] - exact).norm() <= 1e-5 * exact.norm()
    pairs = [*zip((fine, coarse), slow, strict=True), *((p, state[key]) for key, p in module.named_parameters())]
    total = max(exact.grad.norm() for _, exact in pairs)
    for mine, exact in pairs:
        assert (mine.grad - exact.grad).norm() <= 1e-5 * max(exact.grad.norm(), 0.01 * total)
