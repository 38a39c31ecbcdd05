"""What a method's state is once it is known which families can host it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import families
from harness.benchmarks import family

if TYPE_CHECKING:
    from harness.catalog import Method


def standing(method: Method) -> tuple[str, str | None]:
    """A method's state and what it lacks.

    ``waits`` where it works but no family offers the slots it fills, so that no benchmark can run it; otherwise the registry's.
    """
    if method.slots and not any(method.fill(family(name).slots) for name in families.names()):
        return "waits", f"a benchmark family with the slot {' and '.join(method.slots)}"
    return method.state, method.missing
