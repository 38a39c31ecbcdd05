"""Every method that is a whole model: values, gradients, parameters, invariants."""

from __future__ import annotations

import pytest
import torch
from cases import names, subject
from torch import Tensor, nn

from harness import slots

CHANNELS, SCENES, HIDDEN = (6, 10), 3, 16
State = dict[str, Tensor]


@pytest.fixture(scope="module", autouse=True)
def _plugins(openmmlab):
    for name in names("model"):
        subject(name)


def build(channels: tuple[int, int] = CHANNELS, scenes: int = SCENES, **options: int) -> nn.Module:
    torch.manual_seed(0)
    return slots.build("multi-scene-posenet", {"hidden": HIDDEN, **options}, channels=channels, scenes=scenes).eval()


def features(images: int = 4) -> tuple[Tensor, Tensor]:
    draws = torch.Generator().manual_seed(1)
    return tuple(torch.randn(images, c, *size, generator=draws) for c, size in zip(CHANNELS, ((6, 8), (3, 4)), strict=True))


def dense(state: State, name: str, v: Tensor) -> Tensor:
    weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
    return torch.stack([sum(weight[i, j] * v[j] for j in range(len(v))) + bias[i] for i in range(len(weight))])


def posenet(coarse: Tensor, state: State, scenes: list[int] | None) -> dict[str, Tensor]:
    """Multi-Scene PoseNet one image at a time, as its paper describes it, in float64."""
    rows: dict[str, list[Tensor]] = {"position": [], "quaternion": [], "scene": []}
    for number, image in enumerate(coarse):
        pooled = sum(image[:, i, j] for i in range(image.shape[1]) for j in range(image.shape[2])) / image[0].numel()
        scores = dense(state, "classify", pooled)
        scene = max(range(len(scores)), key=lambda s, scores=scores: scores[s].item()) if scenes is None else scenes[number]
        hidden = dense(state, "hidden", pooled)
        hidden = torch.stack([h if h > 0 else 0 * h for h in hidden])
        rows["position"].append(dense(state, f"position.{scene}", hidden))
        rows["quaternion"].append(dense(state, f"orientation.{scene}", hidden))
        rows["scene"].append(scores - torch.log(sum(torch.exp(s) for s in scores)))
    return {name: torch.stack(values) for name, values in rows.items()}


def test_every_model_has_a_proof():
    assert names("model") == ["mspn-multi-scene-posenet"]


@pytest.mark.parametrize("scenes", [None, [2, 0, 2, 1]])
def test_posenet_equals_its_description(scenes):
    module, inputs = build(), features()
    inputs[1].requires_grad_()
    ours = module(inputs, None if scenes is None else torch.tensor(scenes))
    state = {key: value.detach().double().requires_grad_() for key, value in module.state_dict().items()}
    slow = inputs[1].detach().double().requires_grad_()
    theirs = posenet(slow, state, scenes)
    for out in (ours, theirs):
        sum((out[name] * torch.arange(1, out[name].shape[1] + 1)).sum() for name in sorted(out)).backward()
    for name, exact in theirs.items():
        assert (ours[name] - exact).norm() <= 1e-5 * exact.norm()
    pairs = [(inputs[1].grad, slow.grad), *((p.grad, state[key].grad) for key, p in module.named_parameters())]
    for mine, exact in pairs:
        if exact is None:  # the regressor of a scene that was not chosen
            assert not mine.any()
        else:
            assert (mine - exact).norm() <= 1e-5 * exact.norm()


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
    order = torch.randperm(12, generator=torch.Generator().manual_seed(0))
    shuffled = module((fine + 1, coarse.flatten(2)[..., order].view_as(coarse)))
    chosen = module((fine, coarse), expected["scene"].argmax(-1))
    for name, value in expected.items():
        torch.testing.assert_close(shuffled[name], value)
        torch.testing.assert_close(chosen[name], value)
    torch.testing.assert_close(expected["scene"].exp().sum(-1), torch.ones(4))
