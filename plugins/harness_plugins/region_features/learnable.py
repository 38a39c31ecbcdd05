"""Region features whose weights are learnt, from where a region lies and from what the image looks like."""

from __future__ import annotations

import torch
from harness_plugins.relation.geometry import waves
from torch import Tensor, nn
from torch.nn import functional as F

from harness import slots
from harness.slots import attention_method


@attention_method("learnable-region-features", slot="region_features")
class LearnableRegionFeatures(nn.Module):
    """Learnable region features: each part of a region attends to points inside and outside of it.

    Every region has the same parts as RoIAlign has bins, each with weights of its own: it is learnt where a part looks. Points are a
    regular grid inside the region and one over the whole image. The geometry of a point is the sum of a term in x and a term in y, so a
    grid of n² points needs 2n embeddings. The appearance of a point counts alike for all regions.

    Formula:
        y_k(b) = Σ_p w_k(b, p) x(p);  w_k = softmax over p of ⟨W_k V ε(b), U ε(p)⟩ + A_k x(p),  k = 1 … size²

        ε: of each coordinate (x, y of a point; x0, y0, x1, y1 of a region, in pixels) E sines and cosines, wavelengths from 1 to 1000

    Shapes:
        Map (B, C, H, W), R regions (R, 5): image, x0, y0, x1, y1 → (R, C, size, size).

    Parameters:
        4E² + size² D E + 2DE, and size² C for the appearance; E = 2C, D = C (512 and 256 at C = 256).

    Map:
        ``attention`` (R, 1, size², P) over P = inside² + outside² points, the inner ones first; rows sum to 1.

    Source:
        Gu, Hu, Wang, Wei, Dai, ECCV 2018, of which the equations and the wavelengths are. No code of theirs was published. The product
        W_k V, E = 512 and D = 256 are those of a class ``LearnableRoIPool`` in public code of someone else, which was written after the
        paper and attends to every position of the map; of other C than 256 both go along with it here, which is a choice. So are the
        number of points, their places on two regular grids and starting from N(0, 0.01²).

    Args:
        channels: C.
        size: parts of a region, in each direction.
        stride: pixels of the network's input for each position of the map.
        form: ``both`` terms, ``geometry`` alone (the same for all images) or ``appearance`` alone (the parts of a region differ by what
            they look for, not by where they lie).
        inside: points of a region, in each direction.
        outside: points of the image, in each direction; 0 for none.
        embedding: E, an even number; 2C without it.
        width: D; C without it.
    """

    # how many regions each image has depends on their first column
    compiles = exports = False

    def __init__(
        self,
        channels: int,
        size: int = 7,
        stride: int = 16,
        form: str = "both",
        inside: int = 14,
        outside: int = 10,
        embedding: int | None = None,
        width: int | None = None,
    ) -> None:
        super().__init__()
        if form not in ("both", "geometry", "appearance"):
            raise ValueError(f"form is '{form}'; it must be both, geometry or appearance")
        if inside < 1 or outside < 0:
            raise ValueError(f"inside is {inside} and outside is {outside}; they must be at least 1 and 0")
        self.size, self.stride, self.inside, self.outside = size, stride, inside, outside
        self.embedding = embedding or 2 * channels
        width = width or channels
        self.geometry, self.appearance = form != "appearance", form != "geometry"
        if self.geometry:
            if self.embedding % 2:
                raise ValueError(f"embedding is {self.embedding}; it must be even, sines and cosines")
            self.region = nn.Linear(4 * self.embedding, self.embedding, bias=False)
            self.parts = nn.Linear(self.embedding, size * size * width, bias=False)
            self.point = nn.Linear(2 * self.embedding, width, bias=False)
        if self.appearance:
            self.look = nn.Conv2d(channels, size * size, 1, bias=False)
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=0.01)

    def forward(self, x: Tensor, rois: Tensor) -> Tensor:
        """(B, C, H, W), (R, 5) -> (R, C, size, size)."""
        image, boxes = rois[:, 0].round().long(), rois[:, 1:]
        seen = torch.cat([x, self.look(x)], 1) if self.appearance else x
        points = self.inside**2 + self.outside**2
        weights = boxes.new_empty(len(boxes), self.size**2, points)
        y = x.new_empty(len(boxes), self.size**2, x.shape[1])
        for number, one in enumerate(seen):
            (mine,) = torch.where(image == number)
            if len(mine):
                found, shares = self.of_image(one, boxes[mine], x.shape[1])
                # under autocast each has a type of its own
                y[mine], weights[mine] = found.to(y.dtype), shares.to(weights.dtype)
        slots.observe(self, attention=lambda: weights.unsqueeze(1), queries="parts of a region", keys="points")
        return y.mT.unflatten(2, (self.size, self.size))

    def of_image(self, seen: Tensor, boxes: Tensor, channels: int) -> tuple[Tensor, Tensor]:
        """Features (R, size², C) of the regions of one image and their weights (R, size², P); its map has the appearance behind C."""
        parts = self.parts(self.region(waves(boxes, self.embedding).flatten(1))).unflatten(1, (self.size**2, -1)) if self.geometry else None
        pixels = seen.new_tensor([seen.shape[2], seen.shape[1]]) * self.stride
        values, logits = [], []
        # the points of the image are the same for all its regions
        for area, count in ((boxes, self.inside), (torch.cat([0 * pixels, pixels])[None].to(boxes), self.outside)):
            if count:
                points = middles(area, count)
                sampled = sample(seen, 2 * points / pixels[:, None] - 1)
                values.append(sampled[..., :channels])
                logits.append(self.logits(parts, points, sampled[..., channels:], len(boxes)))
        weights = torch.cat(logits, 2).softmax(2)
        shares = weights.to(seen.dtype).split([part.shape[2] for part in logits], 2)
        # the second is one matrix for all regions
        y = shares[0] @ values[0]
        return (y if len(values) == 1 else y + shares[1] @ values[1][0]), weights

    def logits(self, parts: Tensor | None, points: Tensor, looks: Tensor, regions: int) -> Tensor:
        """What the parts of each region find in the points, (R, size², n²)."""
        total = looks.mT.expand(regions, -1, -1)
        if parts is None:
            return total
        horizontal, vertical = (
            parts @ F.linear(waves(line, self.embedding), weight).mT
            for line, weight in zip(points.unbind(1), self.point.weight.chunk(2, 1), strict=True)
        )
        where = (vertical.unsqueeze(3) + horizontal.unsqueeze(2)).flatten(2)
        return total + where if self.appearance else where


def sample(x: Tensor, points: Tensor) -> Tensor:
    """A map (C, H, W) at grids of points, bilinearly, (R, 2, n) x and y from -1 to 1 -> (R, n², C), rows of a grid first."""
    regions, _, n = points.shape
    grid = torch.stack([points[:, 0, None, :].expand(-1, n, -1), points[:, 1, :, None].expand(-1, -1, n)], -1)
    # all regions as one tall picture, so that the map is not copied for each
    found = F.grid_sample(x[None], grid.view(1, -1, n, 2).to(x.dtype), padding_mode="border", align_corners=False)
    return found.view(-1, regions, n * n).permute(1, 2, 0)


def middles(areas: Tensor, count: int) -> Tensor:
    """x and y of the middles of ``count`` equal cells in each direction, (R, 4) -> (R, 2, count)."""
    steps = (torch.arange(count, device=areas.device, dtype=areas.dtype) + 0.5) / count
    return areas[:, :2, None] + (areas[:, 2:] - areas[:, :2])[:, :, None] * steps
