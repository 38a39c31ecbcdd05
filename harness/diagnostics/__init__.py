"""Numbers and pictures that describe the attention itself, for any method that offers q, k, an attention matrix or a map."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class Measure:
    """A number that describes attention; a line of :data:`MEASURES`."""

    of: tuple[str, ...] = ()
    """What a module offers that ``function`` is called with, in this order: ``q`` and ``k`` (B, heads, N, D), ``attention``
    (B, heads, N, M), ``map`` (B, M, H, W), ``boxes`` (B, N, 4). Nothing for those that the collector measures on its way."""
    function: str = ""
    """``module:name`` below this package; gives (B,) or, with a column per head, (B, heads) values, NaN where there is none."""

    def __call__(self, *offered: Any) -> Any:
        """Its values for what :attr:`of` names."""
        module, name = self.function.split(":")
        return getattr(import_module(f"{__name__}.{module}"), name)(*offered)


MEASURES: dict[str, Measure] = {
    "entropy": Measure(),
    "entropy_uniform": Measure(),
    "unary_entropy": Measure(),
    "unary_entropy_uniform": Measure(),
    "attended_share": Measure(),
    "attended_keys": Measure(),
    "purity": Measure(),
    "purity_sphere_mean": Measure(),
    "purity_sphere_p95": Measure(),
    "purity_nearest": Measure(),
    "qk_distance": Measure(("q", "k"), "measures:qk_distance"),
    "qk_distance_at_start": Measure(),
    "qk_distance_after_epoch": Measure(),
    "map_cosine_distance": Measure(("attention",), "measures:map_cosine_distance"),
    "input_cosine_distance": Measure(),
    "output_cosine_distance": Measure(),
    "pairwise_share": Measure(),
    "unary_share": Measure(),
    "attended_distance": Measure(("attention", "boxes"), "relations:attended_distance"),
    "attended_distance_uniform": Measure(("attention", "boxes"), "relations:uniform_distance"),
    "within_category_mass": Measure(),
    "within_category_random": Measure(),
    "boundary_mass": Measure(),
    "boundary_random": Measure(),
}
"""In the order they are shown (docs/diagnostics.md says what they are)."""
