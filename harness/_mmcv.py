"""What stands in for compiled operations of mmcv that detectors cannot do without, with the signatures of ``mmcv._ext``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from harness import regions


def nms(boxes: Tensor, scores: Tensor, *, iou_threshold: float, offset: int) -> Tensor:
    """Indices of the boxes that are kept."""
    return regions.nms(boxes, scores, iou_threshold, offset)


def roi_align_forward(
    x: Tensor,
    rois: Tensor,
    output: Tensor,
    _argmax_y: Tensor,
    _argmax_x: Tensor,
    *,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Fill ``output`` (R, C, aligned_height, aligned_width)."""
    _means_only(pool_mode)
    output.copy_(regions.roi_align(x, rois, (aligned_height, aligned_width), spatial_scale, sampling_ratio, aligned))


def roi_align_backward(
    grad_output: Tensor,
    rois: Tensor,
    _argmax_y: Tensor,
    _argmax_x: Tensor,
    grad_input: Tensor,
    *,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Fill ``grad_input`` (B, C, H, W)."""
    _means_only(pool_mode)
    with torch.enable_grad():
        # means of samples are linear: the gradient is the same at every map
        x = torch.zeros_like(grad_input).requires_grad_()
        read = regions.roi_align(x, rois, (aligned_height, aligned_width), spatial_scale, sampling_ratio, aligned)
    grad_input.copy_(torch.autograd.grad(read, x, grad_output)[0])


def _means_only(pool_mode: int) -> None:
    if not pool_mode:
        raise RuntimeError("RoIAlign with pool_mode 'max' needs the full mmcv. Write pool_mode: avg, which detectors use.")


def sigmoid_focal_loss_forward(logits: Tensor, target: Tensor, weight: Tensor, output: Tensor, *, gamma: float, alpha: float) -> None:
    """Fill ``output`` (N, K): −α_t (1 − p_t)^γ log p_t (Lin et al., ICCV 2017), a target of K meaning none."""
    output.copy_(_focal(logits, target, weight, gamma, alpha))


def sigmoid_focal_loss_backward(logits: Tensor, target: Tensor, weight: Tensor, grad_input: Tensor, *, gamma: float, alpha: float) -> None:
    """Fill ``grad_input`` (N, K) with the derivative of each loss by its logit."""
    with torch.enable_grad():
        leaf = logits.detach().requires_grad_()
        total = _focal(leaf, target, weight, gamma, alpha).sum()
    grad_input.copy_(torch.autograd.grad(total, leaf)[0])


def _focal(logits: Tensor, target: Tensor, weight: Tensor, gamma: float, alpha: float) -> Tensor:
    classes = logits.shape[1]
    is_class = F.one_hot(target, classes + 1)[:, :classes].to(logits.dtype)
    signed = logits * (2 * is_class - 1)
    loss = -(alpha * is_class + (1 - alpha) * (1 - is_class)) * (1 - signed.sigmoid()) ** gamma * F.logsigmoid(signed)
    return loss * weight[target.clamp(max=classes - 1)][:, None] if weight.numel() else loss


OPERATIONS: dict[str, Callable[..., Any]] = {
    operation.__name__: operation
    for operation in (nms, roi_align_forward, roi_align_backward, sigmoid_focal_loss_forward, sigmoid_focal_loss_backward)
}
