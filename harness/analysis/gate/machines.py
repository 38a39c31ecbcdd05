"""Which environments compute the same digits, and which of them cost the same.

A trial's numbers follow from its digest, and in their last digits from the machine: instruction sets and package versions round
differently, and training makes a large difference of a small one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from harness.digests import digest_of
from harness.texts import few

if TYPE_CHECKING:
    from harness.store import Result, TrialRow

_HARDWARE = ("machine", "cpu", "cpu_isa", "device_name")

_COMPUTED = ("draws", "tf32", "deterministic", "devices")
"""How it computed (docs/gpu.md); a trial on one CPU without loader workers says nothing of it."""

UNKNOWN = ""
"""Machine of a trial that does not say where it ran; it is not the same as any, itself included."""


def machine_of(environment: Mapping[str, Any]) -> dict[str, Any]:
    """What the digits of a trial depend on besides its digest: processor, device and installed packages.

    The harness's own version is left out; what it changes of numbers is in the digest.
    """
    if not environment.get("cpu"):
        return {}
    packages = {name: version for name, version in environment.get("packages", {}).items() if name != "attention-harness"}
    computed = {name: environment[name] for name in _COMPUTED if name in environment}
    return {**_hardware(environment), **computed, "cuda": environment.get("cuda"), "packages": packages}


def machines_of(trials: Iterable[Result | TrialRow], environments: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Digest of a trial -> where it ran.

    Args:
        environments: digest of an environment -> what is behind it.
    """
    known = {digest: machine_of(content) for digest, content in environments.items()}
    return {trial.digest: known.get(trial.environment_digest or "", {}) for trial in trials}


def _hardware(environment: Mapping[str, Any]) -> dict[str, Any]:
    device = str(environment.get("device") or "").partition(":")[0]
    return {"device": device, **{name: environment.get(name) for name in _HARDWARE}}


def known_as(machine: Mapping[str, Any]) -> str:
    """The digest by which a machine is known; :data:`UNKNOWN` for one of which nothing is known."""
    return digest_of(dict(machine)) if machine else UNKNOWN


def device_class(machine: Mapping[str, Any]) -> str:
    """What times and memory depend on: the hardware, whatever is installed; :data:`UNKNOWN` where nothing is known."""
    return digest_of(_hardware(machine)) if machine else UNKNOWN


def difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """How a machine differs from another one, in a few words."""
    if not one or not other:
        return "a machine that is not recorded"
    if one.get("cpu") != other.get("cpu") or one.get("device_name") != other.get("device_name"):
        return " ".join(str(part) for part in (one.get("cpu"), one.get("device_name")) if part)
    packages, before = one.get("packages", {}), other.get("packages", {})
    changed = [f"{name} {packages.get(name, 'absent')}" for name in sorted({*packages, *before}) if packages.get(name) != before.get(name)]
    if changed:
        return few(changed, 3)
    for name in _COMPUTED:
        if one.get(name) != other.get(name):
            return f"{name} {one.get(name, 'as ever')}"
    return "other instructions of the processor" if one.get("cpu_isa") != other.get("cpu_isa") else "another device"
