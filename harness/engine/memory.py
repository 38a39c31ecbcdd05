"""How much memory a computation holds at most: by its tensors on a CPU, by the allocator's count on a GPU."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from harness.garbage import uncollected


class _LiveTensors(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's __init_subclass__ has no types
    """Counts the bytes of all tensors that operations make, until they are freed; views cost nothing.

    What a kernel uses and frees within itself is not seen. Unlike the size of the process, the count is the same each time.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's has no types
        self.now = self.peak = 0
        self._known: dict[int, weakref.finalize[..., torch.UntypedStorage]] = {}

    def ignore(self, tensors: Iterable[Tensor]) -> None:
        """These were there before: an operation that returns one of them makes nothing."""
        for tensor in tensors:
            self._add(tensor, 0)

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing is compiled here, and torch's guard against that costs more than the count

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.ignore(_tensors(args))
        self.ignore(_tensors((kwargs or {}).values()))
        out = func(*args, **(kwargs or {}))
        for tensor in _tensors((out,)):
            self._add(tensor)
        return out

    def _add(self, tensor: Tensor, size: int | None = None) -> None:
        try:
            storage = tensor.untyped_storage()
        except NotImplementedError:  # sparse ones have none
            return
        key = storage._cdata
        if key in self._known:
            return
        size = storage.nbytes() if size is None else size
        self._known[key] = weakref.finalize(storage, self._free, key, size)
        self.now += size
        self.peak = max(self.peak, self.now)

    def _free(self, key: int, size: int) -> None:
        self.now -= size
        del self._known[key]


def _tensors(values: Iterable[Any]) -> list[Tensor]:
    """Those that an operation is given or returns, alone or in lists; torch's own walk, which knows all containers, takes far longer."""
    found: list[Tensor] = []
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, (list, tuple)):
            found += _tensors(value)
    return found


def size_of(tensors: Iterable[Tensor]) -> int:
    """Bytes of tensors, each storage once."""
    return sum({storage._cdata: storage.nbytes() for storage in (tensor.untyped_storage() for tensor in tensors)}.values())


def peak_mb(held: Iterable[Tensor], compute: Callable[[], Any], device: str) -> float:
    """MB (2^20 bytes) that ``compute`` holds at most, with what it works on.

    Args:
        held: tensors that are there all the while: parameters, buffers, the optimizer's state.
        device: ``cpu`` or ``cuda[:N]``.
    """
    with _steady(device):
        if device.startswith("cuda"):
            torch.cuda.reset_peak_memory_stats()
            before = torch.cuda.memory_allocated()
            compute()
            torch.cuda.synchronize()
            more = torch.cuda.max_memory_allocated() - before
        else:
            with _LiveTensors() as live:
                compute()
            more = live.peak
    return (size_of(held) + more) / 2**20


@contextmanager
def _steady(device: str) -> Iterator[None]:
    # when garbage in circles is collected depends on all that the process did before; what is garbage already is not counted
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    with uncollected():
        yield
