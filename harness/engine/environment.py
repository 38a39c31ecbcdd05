"""Provenance of a trial: package versions, source revision, device and driver."""

from __future__ import annotations

import platform
import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import harness
from harness import paths
from harness.compose import NUMERICS

_PACKAGES = (
    *("torch", "torchvision", "timm", "numpy", "scipy", "opencv-python", "opencv-python-headless", "faster-coco-eval"),
    *("mmengine", "mmcv", "mmcv-lite", "mmsegmentation", "mmpose", "mmdet", "mmpretrain"),
)


@cache
def package_versions() -> dict[str, str]:
    """Installed versions of the packages that can change a number; absent ones are left out.

    Asked once a process, as the source's revision is: what was imported is what runs, whatever is installed meanwhile.
    """
    versions = {"attention-harness": harness.__version__, "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def _git(*command: str, folder: Path) -> str | None:
    try:
        done = subprocess.run(["git", *command], cwd=folder, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


@cache
def source_revision() -> dict[str, Any]:
    """Git sha and dirty flag of the harness's checkout; empty for an installed copy."""
    folder = paths.home()
    if not (folder / ".git").exists():
        return {}
    sha = _git("rev-parse", "HEAD", folder=folder)
    return {} if sha is None else {"git_sha": sha, "git_dirty": bool(_git("status", "--porcelain", "--untracked-files=no", folder=folder))}


_ISA = ("sse4_2", "avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "asimd", "sve")
"""Instruction sets by which numerical libraries choose their kernels, and with them how sums are rounded."""


@cache
def processor() -> dict[str, str]:
    """The processor's model and what of :data:`_ISA` it has; what is not known is left out.

    Virtual machines hide models behind names like "AMD EPYC", which is why both are needed.
    """
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    told = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    flags = {*(told.get("flags") or told.get("Features") or "").split()}
    model = told.get("model name") or platform.processor() or platform.machine()
    found = {"cpu": model, "cpu_isa": " ".join(name for name in _ISA if name in flags)}
    return {name: value for name, value in found.items() if value}


def describe(device: str) -> dict[str, Any]:
    """Everything about where a trial ran. Imports torch only for a CUDA device."""
    about: dict[str, Any] = {
        "packages": package_versions(),
        "numerics": NUMERICS,
        **source_revision(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        **processor(),
        "device": device,
        "python": sys.version.split()[0],
    }
    if device.startswith("cuda"):
        import torch

        about["device_name"] = torch.cuda.get_device_name(torch.device(device))
        about["cuda"] = torch.version.cuda
        driver = Path("/proc/driver/nvidia/version")
        about["driver"] = driver.read_text().splitlines()[0] if driver.is_file() else None
    return about
