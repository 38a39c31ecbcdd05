"""Duplicate removal that is learnt, by relations between the detections of a class."""

from __future__ import annotations

import torch
from harness_plugins.duplicate_removal.soft_nms import overlaps
from harness_plugins.relation.geometry import waves
from harness_plugins.relation.object_relation import GeometricWeight, related, start
from torch import Tensor, nn
from torch.nn import functional as F

from harness.slots import attention_method, mark


class RankedRelation(nn.Module):
    """Object relations among detections: queries and keys wider than the features, h heads, (B, n, d) and (B, n, 4) -> (B, n, d)."""

    def __init__(self, channels: int, keys: int, relations: int) -> None:
        super().__init__()
        self.relations = relations
        self.query, self.key, self.value = nn.Linear(channels, keys), nn.Linear(channels, keys), nn.Linear(channels, channels)
        self.geometric = GeometricWeight(relations)

    def forward(self, features: Tensor, boxes: Tensor) -> Tensor:
        """(B, n, d), (B, n, 4) -> (B, n, d)."""
        return features + related(self, features, boxes)


@attention_method("orm-duplicate-removal", slot="duplicate_removal")
class RelationDuplicateRemoval(nn.Module):
    """Learned duplicate removal: of the detections of a class, relations say which is the one to keep.

    The best detections of each class, by their place in the order of scores and what their regions look like, relate to each other;
    for each threshold of overlap a probability is learnt that a detection is the best of its object. It multiplies the score, and the
    product is trained as a whole, so that the detector learns through it. There is no greedy step and no threshold to choose.

    Formula:
        s_n ← s_n · mean over t of σ(W_s ReLU(u_n + R(u)_n) + b)_t,  u_n = W_f f_n + W_r ε(rank n);  R: object relations among n' ≤ N

        loss = Σ_n,t [-4 y log(s p) - (1 - y) log(1 - s p)] / (N T): y_nt = 1 for the best of those detections whose overlap with an
        object is above t and with no other of its class larger

    Shapes:
        Features of R regions (R, C), refined boxes (R, K, 4) and scores (R, K) of K classes → scores (R, K), 0 beyond the N best.

    Parameters:
        d(C + 1) + d(1024 + 1) + 2k(d + 1) + d² + d + 65h + T(d + 1): 544,789 at C = 1024, with width d = 128, keys k = 1024, h = 16.

    Map:
        ``attention`` (K, h, N, N), with ``q``, ``k`` (K, h, N, k/h) and the ``boxes`` (K, N, 4); each class is a set of its own.

    Source:
        Hu, Gu, Zhang, Dai, Wei, CVPR 2018, section 4.3; ``learn_nms``, ``nms_multi_target`` and the symbol of
        msracver/Relation-Networks-for-Object-Detection, which count what should be kept four times and start with a bias of -3.

    Args:
        channels: C.
        first: N.
        thresholds: T overlaps, from 0.5 to 0.9 in steps of 0.1.
        merge: ``mean`` over the thresholds, or ``max``.
        width: d.
        keys: k, of all relations together.
        relations: h; it divides d and k.
        positives: how often a detection that is to be kept counts in the loss.
        least: classes in which no score reaches this are left at 0 when testing.
        rank_lr: learning rate of W_r, as a multiple of the schedule's. ε has 1024 entries, none of them small: at 1, which is right for
            the authors' SGD, each step of an Adam moves u so far that all probabilities end at 1 and stay there.
    """

    query_key = ("relation.query", "relation.key")
    # which classes are looked at depends on the scores
    compiles = exports = False

    def __init__(
        self,
        channels: int,
        first: int = 100,
        thresholds: tuple[float, ...] = (0.5, 0.6, 0.7, 0.8, 0.9),
        merge: str = "mean",
        width: int = 128,
        keys: int = 1024,
        relations: int = 16,
        positives: float = 4.0,
        least: float = 0.01,
        rank_lr: float = 1.0,
    ) -> None:
        super().__init__()
        if merge not in ("mean", "max"):
            raise ValueError(f"merge is '{merge}'; it must be mean or max")
        if relations < 1 or width % relations or keys % relations:
            raise ValueError(f"relations is {relations}; it must divide the width, {width}, and the keys, {keys}")
        if first < 1 or not thresholds:
            raise ValueError("first and the number of thresholds must be at least 1")
        self.first, self.thresholds, self.merge, self.positives, self.least = first, tuple(thresholds), merge, positives, least
        self.region = nn.Linear(channels, width)
        self.rank = nn.Linear(1024, width)
        self.relation = RankedRelation(width, keys, relations)
        self.keep = nn.Linear(width, len(thresholds))
        start(self)
        nn.init.constant_(self.keep.bias, -3)
        if rank_lr != 1:
            mark(self, "rank", lr_mult=rank_lr)

    def forward(self, features: Tensor, boxes: Tensor, scores: Tensor) -> Tensor:
        """(R, C), (R, K, 4), (R, K) -> (R, K)."""
        if not scores.numel():
            return scores
        highest = scores.detach().amax(0)
        (chosen,) = torch.where(highest >= highest.amax().clamp_max(self.least))
        order, _, products = self.products(features, boxes[:, chosen], scores[:, chosen])
        merged = products.mean(-1) if self.merge == "mean" else products.amax(-1)
        kept = torch.zeros_like(scores)
        kept[order, chosen] = merged
        return kept

    def products(self, features: Tensor, boxes: Tensor, scores: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What is decided about the best detections of each class.

        Returns:
            Their regions (n, K), best first, their boxes (n, K, 4), and scores times probabilities (n, K, T); n = min(N, R).
        """
        best, order = scores.topk(min(self.first, len(scores)), 0)
        boxes = boxes.gather(0, order.unsqueeze(-1).expand(-1, -1, 4))
        rank = waves(torch.arange(len(order), device=boxes.device, dtype=boxes.dtype), 1024)
        u = self.region(features)[order] + self.rank(rank).unsqueeze(1)
        related = self.relation(u.transpose(0, 1), boxes.transpose(0, 1)).transpose(0, 1)
        return order, boxes, best.unsqueeze(-1) * self.keep(F.relu(related)).sigmoid()

    def loss(self, features: Tensor, boxes: Tensor, scores: Tensor, gt_boxes: Tensor, gt_labels: Tensor) -> dict[str, Tensor]:
        """What training adds; the boxes are taken as they are.

        Args:
            features: (R, C).
            boxes: (R, K, 4), refined.
            scores: (R, K) probabilities, in single precision or double.
            gt_boxes: (G, 4).
            gt_labels: (G,) from 0 to K - 1.

        Returns:
            ``loss_kept`` and ``loss_removed``: of the detections to be kept, and of the others.
        """
        _, boxes, products = self.products(features, boxes.detach(), scores)
        target = targets(boxes, gt_boxes, gt_labels, self.thresholds)
        share = 1 / (self.first * len(self.thresholds))
        eps = 1e-8
        kept = -(target * (products + eps).log()).sum() * share
        removed = -((1 - target) * (1 - products + eps).log()).sum() * share
        return {"loss_kept": self.positives * kept, "loss_removed": removed}


def targets(boxes: Tensor, gt_boxes: Tensor, gt_labels: Tensor, thresholds: tuple[float, ...]) -> Tensor:
    """Which detections are to be kept at each threshold of overlap.

    Of the detections that overlap an object of their class more than the threshold, and no other object of it more than this one,
    the best scored.

    Args:
        boxes: (n, K, 4), in each class the best scored first.
        gt_boxes: (G, 4).
        gt_labels: (G,) their classes.

    Returns:
        (n, K, T) of 0 and 1.
    """
    n, classes = boxes.shape[:2]
    target = torch.zeros(n, classes, len(thresholds), device=boxes.device)
    if not len(gt_boxes) or not n:
        return target
    overlap = overlaps(boxes[:, gt_labels], gt_boxes)  # (n, G): each object with the detections of its class
    other = gt_labels[:, None] != gt_labels
    nearest = overlap.unsqueeze(1).masked_fill(other, -1).argmax(2) == torch.arange(len(gt_boxes), device=boxes.device)
    for number, threshold in enumerate(thresholds):
        candidates = (overlap > threshold) & nearest
        first = candidates.float().argmax(0)
        found = candidates.any(0)
        target[first[found], gt_labels[found], number] = 1
    return target
