"""Multi-Scene PoseNet."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from harness import slots
from proofs.models import CHANNELS, SCENES, dense, features
from proofs.proof import EquationProof
from proofs.slow import State

HIDDEN = 16


def build(channels: tuple[int, int] = CHANNELS, scenes: int = SCENES, **options: int) -> nn.Module:
    torch.manual_seed(0)
    return slots.build("multi-scene-posenet", {"hidden": HIDDEN, **options}, channels=channels, scenes=scenes).eval()


def posenet(coarse: Tensor, state: State, scenes: list[int] | None) -> dict[str, Tensor]:
    """One image at a time, as the paper describes it, in float64."""
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


def equals_its_description() -> None:
    for scenes in (None, [2, 0, 2, 1]):
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


PROOFS = {
    # 1024 hidden units and the contract's three scenes
    "mspn-multi-scene-posenet": EquationProof(
        equation=equals_its_description,
        flops=lambda d, n: 2 * d * 1024 + 2 * 1024 * 7 * SCENES + 2 * d * SCENES,
        offers="a convolutional network with linear layers",
    )
}
