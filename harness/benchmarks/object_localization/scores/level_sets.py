"""Bounding boxes of the contours of a grey map at every level at once.

MaxBoxAccV2 thresholds a map at 1,000 values, but a map of 8 bits has at most 256 level sets, and from one level to
the next a level set only grows and merges. So instead of tracing contours a thousand times, the component tree is
built once, from the few pixels that matter: *peaks*, which have no higher neighbour; *joints*, whose higher
neighbours lie in several groups, so that components can merge there; and *rims*, which no higher neighbour reaches
beyond to one side, so that they can bound a component on that side.

Pixels of equal value are ordered by position, which leaves every plateau one peak or few.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

LEVELS = 255
"""A level set ``value > level`` of an 8-bit map can be non-empty for levels 0 to 254."""

# the eight neighbours in a circle, one bit of a mask each; those with an odd number share a side with the pixel
_RING = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))
_SIDES = 0b10101010

# per extreme (left, top, right, bottom): the neighbours that reach at least as far to that side
_BEYOND = tuple(
    sum(1 << bit for bit, step in enumerate(_RING) if step[axis] * sign >= 0) for axis, sign in ((1, -1), (0, -1), (1, 1), (0, 1))
)

_PEAK, _JOINT = 16, 32

_STRIDE = 32
"""Steps that one look-up climbs; a power of two."""


def contour_boxes(grey: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Boxes of all contours, outer ones and those of holes, of ``grey > level`` for every level.

    The foreground is 8-connected and a hole 4-connected, as in border following (Suzuki & Abe, CVGIP 1985). The
    contour of a hole runs through the foreground pixels around it, so its box is one pixel larger on each side.

    Args:
        grey: (H, W) uint8, at least two pixels wide and high.

    Returns:
        levels (M,) int and boxes (M, 4) int, x0 y0 x1 y1 of the first and the last pixel, both inclusive.
    """
    height, width = grey.shape
    higher, inside = _higher_neighbours(grey)
    outer_levels, outer = _component_boxes(grey, higher, 8)
    # background at `level` is `255 - grey > 254 - level`; upside down, the lower neighbours are the higher ones
    hole_levels, holes = _component_boxes(255 - grey, ~higher & inside, 4)
    hidden = (holes[:, 0] > 0) & (holes[:, 1] > 0) & (holes[:, 2] < width - 1) & (holes[:, 3] < height - 1)
    holes = holes[hidden] + np.array([-1, -1, 1, 1])
    return np.concatenate([outer_levels, LEVELS - 1 - hole_levels[hidden]]), np.concatenate([outer, holes])


def _higher_neighbours(grey: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each pixel, which neighbours are higher and which exist, as masks over ``_RING`` (H, W) uint8."""
    height, width = grey.shape
    higher, inside = np.zeros_like(grey), np.full_like(grey, 255)
    for bit, (down, right) in enumerate(_RING[:4]):
        opposite = bit + 4
        # this pixel and, before it in reading order or to its right, its neighbour
        here = (slice(max(0, -down), height), slice(max(0, -right), width - max(0, right)))
        there = (slice(0, height + down), slice(max(0, right), width + min(0, right)))
        above = grey[there] > grey[here]
        higher[here] |= above.view(np.uint8) << bit
        higher[there] |= (~above).view(np.uint8) << opposite
    inside[0] &= 0b11111000
    inside[-1] &= 0b10001111
    inside[:, 0] &= 0b00111110
    inside[:, -1] &= 0b11100011
    return higher, inside


@dataclass(frozen=True)
class _Rules:
    """What a mask of higher neighbours means under one connectivity; arrays over the 256 masks."""

    groups: np.ndarray
    """(256,) number of groups of higher neighbours that are not connected around the pixel."""
    member: np.ndarray
    """(256, 4) a neighbour in each group, as a number in ``_RING``."""
    role: np.ndarray
    """(256,) uint8: bits 0 to 3 for a rim on each side, ``_PEAK``, ``_JOINT``; 0 for a pixel that does not matter."""


@cache
def _rules(connectivity: int) -> _Rules:
    near = 2 if connectivity == 8 else 1  # squared distance of connected pixels
    eligible = 0xFF if connectivity == 8 else _SIDES
    groups, member, role = np.zeros(256, np.int64), np.zeros((256, 4), np.int64), np.zeros(256, np.uint8)
    for mask in range(256):
        left = [bit for bit in range(8) if mask >> bit & 1]
        while left:
            group = [left.pop()]
            for bit in group:
                touching = [b for b in left if (_RING[b][0] - _RING[bit][0]) ** 2 + (_RING[b][1] - _RING[bit][1]) ** 2 <= near]
                group += touching
                left = [b for b in left if b not in touching]
            reachable = [bit for bit in group if eligible >> bit & 1]
            if reachable:
                member[mask, groups[mask]] = reachable[0]
                groups[mask] += 1
        rim = sum(1 << side for side, beyond in enumerate(_BEYOND) if not mask & beyond & eligible)
        role[mask] = rim | (_PEAK if groups[mask] == 0 else _JOINT if groups[mask] > 1 else 0)
    return _Rules(groups, member, role)


@dataclass
class _Tree:
    """Branches of the component tree: one per peak, from there down to where it joins another one.

    A branch has one component at each level it lives at. These are numbered branch after branch, from the peak down.
    """

    parent: np.ndarray
    """(K,) the branch each one joins; itself for one that lives down to level 0."""
    lowest: np.ndarray
    """(K,) the lowest level of each."""
    depth: np.ndarray
    """(K,) how many joints lie below each."""
    first: np.ndarray
    """(K,) a pixel of value v enters the branch with its component number ``first - v``."""
    branch: np.ndarray
    """(M,) branch of each component."""
    level: np.ndarray
    """(M,) level of each component."""


def _component_boxes(values: np.ndarray, higher: np.ndarray, connectivity: int) -> tuple[np.ndarray, np.ndarray]:
    """Levels (M,) and boxes (M, 4) of the connected components of ``values > level``."""
    rules = _rules(connectivity)
    flat, mask = values.ravel(), higher.ravel()
    offsets = np.array([down * values.shape[1] + right for down, right in _RING])
    role = rules.role.take(mask)
    role *= flat > 0  # pixels of value 0 are in no level set
    marked = np.flatnonzero(role)
    role = role[marked]
    peaks, joints = marked[(role & _PEAK) > 0], marked[(role & _JOINT) > 0]

    uphill = np.where(rules.groups > 0, offsets[rules.member[:, 0]], 0).take(mask)
    uphill += np.arange(flat.size)
    for _ in range(_STRIDE.bit_length() - 1):
        uphill = uphill.take(uphill)

    def basin(pixels: np.ndarray) -> np.ndarray:
        """The peaks reached by climbing, as numbers."""
        while True:
            further = uphill.take(pixels)
            if np.array_equal(further, pixels):
                return np.searchsorted(peaks, pixels)
            pixels = further

    # all higher groups of a joint meet the first one there
    count = rules.groups[mask[joints]] - 1
    second = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + 1
    joint = np.repeat(joints, count)
    members = rules.member[mask[joint]]
    starts = [joint + offsets[members[np.arange(len(joint)), which]] for which in (np.zeros_like(second), second)]
    found, heights = basin(np.concatenate([*starts, marked])), flat[joint].astype(np.int64)
    real, number = _absorb(flat[peaks].astype(np.int64), found[: 2 * len(joint)].reshape(2, -1), heights)
    first, other, owner = np.split(number[found], [len(joint), 2 * len(joint)])
    rims = [(role & (1 << side)) > 0 for side in range(4)]
    apart = first != other
    tree = _grow(real, np.stack([first, other], axis=1)[apart], heights[apart])
    return tree.level, _boxes(flat, values.shape, tree, [marked[rim] for rim in rims], [owner[rim] for rim in rims])


def _absorb(peaks: np.ndarray, pairs: np.ndarray, heights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Merge each basin that joins another one at its own peak, as the corners of a plateau do, into that one.

    Returns:
        the peaks (K',) that are left, and the number (K,) each basin has among them.
    """
    swap = peaks[pairs[0]] > peaks[pairs[1]]
    swap |= (peaks[pairs[0]] == peaks[pairs[1]]) & (pairs[0] > pairs[1])
    low, high = np.where(swap, pairs[1], pairs[0]), np.where(swap, pairs[0], pairs[1])
    level = heights == peaks[low]
    target = np.arange(len(peaks))
    target[low[level]] = high[level]
    while not np.array_equal(further := target[target], target):
        target = further
    left = np.flatnonzero(target == np.arange(len(peaks)))
    return peaks[left], np.searchsorted(left, target)


def _grow(peaks: np.ndarray, pairs: np.ndarray, heights: np.ndarray) -> _Tree:
    """Join branches, given by the values (K,) of their peaks, in ``pairs`` (P, 2) at ``heights`` (P,)."""
    count = len(peaks)
    root, size, parent, lowest, joined = list(range(count)), [1] * count, list(range(count)), [0] * count, []

    def find(node: int) -> int:
        while root[node] != node:
            root[node] = root[root[node]]
            node = root[node]
        return node

    order = np.argsort(-heights, kind="stable")
    for (a, b), height in zip(pairs[order].tolist(), heights[order].tolist(), strict=True):
        kept, folded = find(a), find(b)
        if kept == folded:
            continue
        # either may live on; the larger one does, so that the tree stays shallow
        if size[kept] < size[folded]:
            kept, folded = folded, kept
        root[folded] = parent[folded] = kept
        size[kept] += size[folded]
        lowest[folded] = height
        joined.append(folded)
    depth = [0] * count
    for folded in reversed(joined):
        if lowest[parent[folded]] == lowest[folded]:  # three or more meet at one height
            parent[folded] = parent[parent[folded]]
        depth[folded] = depth[parent[folded]] + 1
    bottom = np.array(lowest, np.int64)
    lengths = peaks - bottom
    ends = np.cumsum(lengths)
    branch = np.repeat(np.arange(count), lengths)
    first = ends - lengths + peaks
    return _Tree(np.array(parent, np.int64), bottom, np.array(depth), first, branch, first[branch] - 1 - np.arange(len(branch)))


def _boxes(flat: np.ndarray, shape: tuple[int, int], tree: _Tree, rims: list[np.ndarray], owners: list[np.ndarray]) -> np.ndarray:
    """The box (M, 4) of every component, from the pixels that can bound one on each side and their basins."""
    reach = np.full((4, len(tree.level)), -max(shape), np.int64)
    for side, (pixels, owner) in enumerate(zip(rims, owners, strict=True)):
        value = flat[pixels].astype(np.int64)
        # below its basin's joint a pixel belongs to the branch joined there, and so on
        low = np.flatnonzero(value <= tree.lowest[owner])
        while len(low):
            owner[low] = tree.parent[owner[low]]
            low = low[value[low] <= tree.lowest[owner[low]]]
        row, column = np.divmod(pixels, shape[1])
        np.maximum.at(reach[side], tree.first[owner] - value, (-column, -row, column, row)[side])
    boxes: np.ndarray = _accumulate(reach, tree, 4 * max(shape)).T * np.array([-1, -1, 1, 1])
    return boxes


def _accumulate(reach: np.ndarray, tree: _Tree, span: int) -> np.ndarray:
    """Running maxima (4, M) along each branch from its peak, into the branch it joins; deepest branches first."""
    # an offset that grows from branch to branch restarts the running maximum at each
    offset = tree.branch * span
    last = tree.first - 1 - tree.lowest
    into = tree.first[tree.parent] - tree.lowest
    # branches that join where they begin, as on a plateau, have no component
    joins = (tree.depth > 0) & (np.bincount(tree.branch, minlength=len(tree.parent)) > 0)
    for depth in range(int(tree.depth.max(initial=0)), -1, -1):
        reach = np.maximum.accumulate(reach + offset, axis=1) - offset
        here = np.flatnonzero(joins & (tree.depth == depth))
        for side in reach:
            np.maximum.at(side, into[here], side[last[here]])
    return reach
