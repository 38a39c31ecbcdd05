"""The collector of garbage in circles, kept from going through what holds none."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """While many objects are made, which hold no circles: the collector would go through all of them again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextmanager
def importing() -> Iterator[None]:
    """While much is imported, which stays: the collector does not go through it, neither now, nor later, until :func:`gc.unfreeze`."""
    with uncollected():
        yield
        gc.freeze()
