"""The checks of a slot's contract, by name.

A check is a function of a :class:`Subject` that returns a detail for the table, or raises :class:`Violation` (or
anything else) where the plugin breaks the contract, or :class:`Skip` where the check does not apply.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any, cast

import torch
from torch import Tensor, nn

from harness import slots
from harness.plugin_tools import offers
from harness.plugin_tools.probes import tensors
from harness.plugin_tools.subject import Skip, Subject, Violation

ODD = (7, 9)
LEAVES_OUT = ("encoder_attention", "relation", "region_features", "duplicate_removal", "model", "detector")
"""Slots whose plugins need not use, or not differentiate, all that they are given: positions, boxes, features."""


def _form(subject: Subject) -> str:
    output = subject.run(subject.build(), subject.inputs())
    return ", ".join(str(tuple(t.shape)) for t in tensors(output)) or "a function"


def _untouched(subject: Subject) -> str:
    inputs = subject.inputs()
    before = copy.deepcopy(inputs)
    subject.run(subject.build(), inputs)
    if any(not torch.equal(a, b) for a, b in zip(tensors(inputs), tensors(before), strict=True)):
        raise Violation("the input was changed in place; others still read it")
    return ""


def _odd_sizes(subject: Subject) -> str:
    for size in (ODD, (1, 5)):
        subject.run(subject.build(), subject.inputs(size=size))
    return "7x9, 1x5"


def _batch_of_one(subject: Subject) -> str:
    subject.run(subject.build(), subject.inputs(batch=1))
    return ""


def _types(output: Any, *wanted: torch.dtype) -> list[str]:
    """The floating-point types in an output that are none of those ``wanted``."""
    return sorted({_name(t.dtype) for t in tensors(output) if t.is_floating_point() and t.dtype not in wanted})


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _single(subject: Subject) -> str:
    if others := _types(subject.run(subject.build(), subject.inputs()), torch.float32):
        raise Violation(f"float32 in, {', '.join(others)} out: return x's dtype")
    return ""


def _double(subject: Subject) -> str:
    module, inputs = subject.module().double(), subject.inputs()
    if not any(t.is_floating_point() for t in tensors(inputs)):
        raise Skip("no floating-point input")
    output = subject.run(module, _as(torch.float64, inputs))
    if any(t.dtype != torch.float64 for t in tensors(output)):
        raise Violation("float64 in, another type out")
    return ""


def _autocast(subject: Subject) -> str:
    module = subject.module()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = subject.run(module, subject.inputs(size=(3, 5)))  # many processors are slow at it
    if others := _types(output, torch.float32, torch.bfloat16):
        raise Violation(f"{', '.join(others)} out under bfloat16 autocast: return x's dtype, or that of a layer's output")
    floating = [t for t in tensors(output) if t.is_floating_point() and t.requires_grad]
    if floating:
        cast("Any", sum(t.float().sum() for t in floating)).backward()
    if any(p.grad is not None and not p.grad.isfinite().all() for p in module.parameters()):
        raise Violation("a gradient is not finite")
    return ", ".join(sorted({_name(t.dtype) for t in tensors(output)}))


def _gradients(subject: Subject) -> str:
    module = subject.module().train()
    there = {name for name, _ in module.named_parameters()}
    inputs = subject.inputs(batch=4)
    leaves = [t.requires_grad_() for t in tensors(inputs) if t.is_floating_point()]
    outputs = [t for t in tensors(subject.run(module, inputs)) if t.is_floating_point()]
    outputs = [t for t in outputs if t.requires_grad]
    if made := [name for name, _ in module.named_parameters() if name not in there]:
        raise Violation(f"made in the first pass, so that no optimiser sees them: {', '.join(made)}. Make them in the constructor")
    if not outputs:
        if any(p.requires_grad for p in module.parameters()):
            raise Violation("the output has no gradient")
        raise Skip("nothing to learn")
    # weighted, since the plain sum of a normalised output is constant
    cast("Any", sum((t * torch.randn_like(t)).sum() for t in outputs)).backward()
    inert = getattr(module, "inert", ())
    wanting = [
        name
        for name, p in module.named_parameters()
        if p.requires_grad and name not in inert and (p.grad is None or not p.grad.isfinite().all() or not p.grad.any())
    ]
    if wanting:
        raise Violation(f"no gradient reaches {', '.join(wanting)}")
    reached = [leaf.grad is not None for leaf in leaves]
    if not (any(reached) if subject.slot in LEAVES_OUT else all(reached)):
        raise Violation("no gradient reaches the input")
    return f"{sum(1 for _ in module.parameters())} parameters"


def _deterministic(subject: Subject) -> str:
    if subject.declares("stochastic", False):
        raise Skip("declared stochastic")
    module = subject.build()
    if not isinstance(module, nn.Module):
        raise Skip("not a module")
    twice = [subject.inputs() for _ in range(2)]  # beforehand: they seed, and equal seeds would hide what is drawn in a pass
    first, second = (tensors(module(*inputs)) for inputs in twice)
    if any(not torch.allclose(a, b, rtol=0, atol=0, equal_nan=True) for a, b in zip(first, second, strict=True)):
        raise Violation("two passes in eval mode differ; declare `stochastic = True` if that is meant")
    return ""


def _batch_independent(subject: Subject) -> str:
    if not subject.probe.batched:
        raise Skip("no batch")
    if not subject.declares("batch_independent", True) or subject.declares("stochastic", False):
        raise Skip("declared otherwise")
    module = subject.module()
    together = [t[:1] for t in tensors(subject.run(module, subject.inputs()))]
    for a, b in zip(together, tensors(subject.run(module, tuple(_first(value) for value in subject.inputs()))), strict=True):
        if not torch.allclose(a, b, rtol=1e-4, atol=1e-5):
            raise Violation("an image's output depends on its batch mates; declare `batch_independent = False` if that is meant")
    return ""


def _state(subject: Subject) -> str:
    module, stochastic = subject.module(), subject.declares("stochastic", False)
    seeds = (0, 2) if stochastic else (99, 77)  # with the same ones, what begins at random would be alike though no state dict held it
    for _ in range(_STEPS):
        subject.run(module.train(), subject.inputs(batch=4))
    module.eval()
    twin = subject.build(seeds[0])
    try:
        twin.load_state_dict(module.state_dict())
    except RuntimeError as error:
        raise Violation(f"a fresh instance cannot take the state dict: {' '.join(str(error).split())}") from None
    expected = list(tensors(subject.run(module, subject.inputs())))
    if not _same(expected, subject.run(twin, subject.inputs(), seeds[1])):
        raise Violation(
            "a fresh instance with the state dict has another output: something is kept in neither a parameter nor a buffer "
            "(a Python list of layers, a plain tensor, a number). Use nn.ModuleList, nn.Parameter or register_buffer"
        )
    module = subject.module()
    clone = copy.deepcopy(module)
    if not _same(tensors(subject.run(module, subject.inputs())), subject.run(clone, subject.inputs())):
        raise Violation("copy.deepcopy changes the output")
    return f"{len(module.state_dict())} entries"


_STEPS = 3
"""Passes in training mode after which what a plugin counts or averages would show."""


def _same(expected: Iterable[Tensor], output: Any) -> bool:
    return all(torch.equal(a, b) for a, b in zip(expected, tensors(output), strict=True))


def _observed(subject: Subject) -> str:
    offered: dict[str, Any] = {}

    def observer(_module: Any, values: dict[str, Any]) -> None:
        offered.update({name: slots.value_of(value) for name, value in values.items()})

    module = subject.build()
    plain = list(tensors(subject.run(module, subject.inputs(size=ODD))))
    with slots.observing(observer):
        watched = list(tensors(subject.run(module, subject.inputs(size=ODD))))
    if any(not torch.allclose(a, b, rtol=1e-4, atol=1e-5) for a, b in zip(plain, watched, strict=True)):
        raise Violation("the output changes when someone observes")
    if wrong := offers.wrong(offered, subject.slot, ODD):
        raise Violation(wrong)
    shown = [f"{name} {tuple(value.shape) if isinstance(value, Tensor) else value}" for name, value in sorted(offered.items())]
    return "; remark: ".join([", ".join(shown) or "nothing offered", *offers.remarks(offered, subject.slot, ODD)])


def _compiles(subject: Subject) -> str:
    if not subject.declares("compiles", True):
        raise Skip("declared unsupported")
    module = subject.module()
    torch.compiler.reset()
    # traced and differentiated as a whole; which kernels are then made is the compiler's affair
    compiled = torch.compile(module, backend="aot_eager", fullgraph=True)
    pairs = zip(tensors(subject.run(module, subject.inputs())), tensors(subject.run(compiled, subject.inputs())), strict=True)
    if any(not torch.allclose(a, b, rtol=1e-4, atol=1e-5) for a, b in pairs):
        raise Violation("the compiled output differs")
    return "full graph"


def _exports(subject: Subject) -> str:
    if not subject.declares("exports", True):
        raise Skip("declared unsupported")
    module, inputs = subject.module(), subject.inputs()
    if not all(isinstance(value, Tensor) for value in inputs):
        raise Skip("the slot's inputs are not plain tensors")
    program = torch.export.export(module, inputs, strict=False)
    pairs = zip(tensors(subject.run(module, subject.inputs())), tensors(program.module()(*subject.inputs())), strict=True)
    if any(not torch.allclose(a, b, rtol=1e-4, atol=1e-5) for a, b in pairs):
        raise Violation("the exported output differs")
    return ""


def _cost(subject: Subject) -> str:
    from torch.utils.flop_counter import FlopCounterMode

    from harness.engine.cost import CPU_ATTENTION

    module = subject.module()
    with FlopCounterMode(display=False, custom_mapping=CPU_ATTENTION) as counter, torch.no_grad():
        subject.run(module, subject.inputs(batch=1))
    parameters = sum(p.numel() for p in module.parameters())
    return f"{parameters:,} parameters, {counter.get_total_flops() / 1e6:.2f} MFLOPs at {subject.channels} channels, 14x14"


def _as(dtype: torch.dtype, value: Any) -> Any:
    """``value`` with its floating-point tensors cast."""
    value = copy.deepcopy(value)
    for tensor in tensors(value):
        if tensor.is_floating_point():
            tensor.data = tensor.data.to(dtype)
    return value


def _first(value: Any) -> Any:
    """The first image of a batch; what has no batch axis (a position encoding) stays."""
    if isinstance(value, Tensor):
        return value[:1]
    return tuple(_first(item) for item in value) if isinstance(value, tuple) else value


CHECKS: dict[str, Callable[[Subject], str]] = {
    "shapes": _form,
    "input untouched": _untouched,
    "odd sizes": _odd_sizes,
    "batch of one": _batch_of_one,
    "float32": _single,
    "float64": _double,
    "bf16 autocast": _autocast,
    "gradients": _gradients,
    "deterministic in eval": _deterministic,
    "batch independence": _batch_independent,
    "state dict": _state,
    "attention maps": _observed,
    "torch.compile": _compiles,
    "torch.export": _exports,
    "cost": _cost,
}
FIRST = "shapes"
"""What a plugin that cannot be built, or does not run, fails in; the other checks would only repeat it."""
SLOW = ("torch.compile", "torch.export")
