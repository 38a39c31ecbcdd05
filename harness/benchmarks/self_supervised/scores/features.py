"""Numbers about features themselves: how many directions they use, and whether they tell images apart at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

_SMALL = 1e-7
"""RankMe's epsilon, for shares of zero."""

ALIKE = 1e-4
"""Spread below which features are one and the same for all images, but for rounding."""


def rankme(features: np.ndarray) -> float:
    """exp of the entropy of singular values, from 1 to the width of the features.

    Garrido et al., "RankMe", ICML 2023, equation 1: p_k = s_k / sum s + 1e-7 of the singular values s of the features as they are, not
    centred.

    Args:
        features: (N, D).
    """
    import numpy as np

    values = np.linalg.svd(np.asarray(features, np.float64), compute_uv=False)
    share = values / max(values.sum(), 1e-300) + _SMALL
    return float(np.exp(-(share * np.log(share)).sum()))


def spread(features: np.ndarray) -> float:
    """Root mean square distance of (N, D) features from their mean, as a share of their root mean square length."""
    import numpy as np

    found = np.asarray(features, np.float64)
    length = float(np.sqrt((found**2).sum(axis=1).mean()))
    return float(np.sqrt(((found - found.mean(axis=0)) ** 2).sum(axis=1).mean())) / length if length else 0.0
