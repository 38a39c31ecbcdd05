"""How torch is set up for a trial on a GPU, without one: flags, and what is said of operations without a deterministic form."""

from __future__ import annotations

import warnings

import pytest
import torch

from harness.errors import HarnessError


def flags():
    backends = torch.backends
    return (
        *(backends.cuda.matmul.allow_tf32, backends.cudnn.allow_tf32, backends.cudnn.deterministic),
        *(torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()),
    )


@pytest.mark.parametrize("tf32", [True, False])
def test_tf32_is_what_was_asked_for_and_set_back(openmmlab, tf32):
    from harness.engine.computing import computing

    before = flags()
    with computing("cuda:0", tf32=tf32) as how:
        assert flags()[:2] == (tf32, tf32)
        assert how.report() == {"tf32": tf32, "deterministic": False}
    assert flags() == before


def test_a_cpu_computes_as_ever(openmmlab):
    from harness.engine.computing import computing

    before = flags()
    with computing("cpu", tf32=True, deterministic=True) as how:
        assert flags() == before and how.report() == {} and how.notes() == []


def test_operations_without_a_deterministic_form_are_named(openmmlab, monkeypatch):
    from harness.engine.computing import computing

    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    before = flags()
    with warnings.catch_warnings(record=True) as others:
        warnings.simplefilter("always")
        with computing("cuda:0", deterministic=True) as how:
            assert flags()[2:] == (True, True, True)
            said = "does not have a deterministic implementation, but you set 'torch.use_deterministic_algorithms(True, warn_only=True)'"
            for operation in ("cumsum_cuda_kernel", "nll_loss2d_forward_out_cuda_template", "cumsum_cuda_kernel"):
                warnings.warn(f"{operation} {said}", UserWarning, stacklevel=1)
            warnings.warn("something else", UserWarning, stacklevel=1)
    assert [str(warning.message) for warning in others] == ["something else"]
    assert flags() == before
    assert how.report() == {
        "tf32": False,
        "deterministic": True,
        "cublas_workspace": ":4096:8",
        "not_deterministic": ["cumsum_cuda_kernel", "nll_loss2d_forward_out_cuda_template"],
    }
    assert how.notes() == [
        "not deterministic, since these operations have no such form on a GPU: cumsum_cuda_kernel, nll_loss2d_forward_out_cuda_template"
    ]


@pytest.mark.parametrize(
    "said",
    [
        "CUDA out of memory. Tried to allocate 2.00 GiB.",
        "CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "cuDNN error: CUDNN_STATUS_NOT_INITIALIZED",
        "[enforce fail at alloc_cpu.cpp:119] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes",
    ],
)
def test_every_spelling_of_a_shortage_is_known(openmmlab, said):
    from harness.engine.trial import kind_of

    assert kind_of(RuntimeError(said)) == "out-of-memory"
    assert kind_of(ValueError(said)) == "error"


def test_other_errors_are_no_shortage(openmmlab):
    from harness.engine.trial import kind_of
    from harness.errors import TrialError

    assert kind_of(RuntimeError("CUDA error: device-side assert triggered")) == "error"
    assert kind_of(TrialError("the loss is nan")) == "no-result"
    assert kind_of(MemoryError()) == kind_of(torch.OutOfMemoryError("x")) == "out-of-memory"


def test_fp16_is_refused_on_a_cpu(openmmlab, tmp_path):
    from engine_fakes import make_trial

    from harness.engine.trial import run_trial

    with pytest.raises(HarnessError, match=r"schedule\.precision: fp16 needs a GPU.*bf16"):
        run_trial(make_trial(config={"precision": "fp16"}), data=tmp_path, work_dir=tmp_path, device="cpu")


def test_a_seed_draws_what_mmengines_draws(openmmlab):
    import random

    import numpy as np
    from mmengine.runner import set_random_seed

    from harness.engine.hooks import seed_generators

    drawn = []
    for seed in (set_random_seed, seed_generators):
        seed(7)
        drawn.append((random.random(), np.random.rand(), torch.rand(3).tolist()))
    assert drawn[0] == drawn[1]


def test_a_floor_computes_on_one_thread():
    """Also with libraries that it is the first to import."""
    from harness.engine import isolate
    from harness.engine.threads import one_thread

    def threads() -> list[int]:
        one_thread()
        import scipy.linalg  # noqa: F401
        from threadpoolctl import threadpool_info

        return [pool["num_threads"] for pool in threadpool_info()]

    assert {*isolate.start(threads).result()} == {1}


@pytest.mark.parametrize("who", ["a trial", "kept weights", "kept features", "a config file"])
def test_whatever_repeats_a_trial_computes_on_one_thread(openmmlab, monkeypatch, tmp_path, who):
    """Scores are products of NumPy's, whose last digits depend on the number of its threads."""
    from types import SimpleNamespace

    from threadpoolctl import threadpool_info, threadpool_limits

    from harness.engine import alone, features, threads, trained, trial

    class ThreadsSet(Exception):
        pass

    def stop(*_args, **_options):
        raise ThreadsSet

    for module, after in ((trained, "bare_config"), (features, "bare_config"), (trial, "begun"), (alone, "channels_last")):
        monkeypatch.setattr(module, after, stop)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "2")
    run = SimpleNamespace(before=None, config={"model": {"frozen": True}, "train_dataloader": {}}, benchmark="b", seed=0)
    model = torch.nn.Linear(2, 2)
    model.backbone = None
    begins = {
        "a trial": lambda: trial.run_trial(run, data=tmp_path, work_dir=tmp_path, device="cpu"),
        "kept weights": lambda: trained.loaded(run, tmp_path, data=tmp_path, work_dir=tmp_path, device="cpu"),
        "kept features": lambda: features.build(run, data=tmp_path, device="cpu", told=lambda *_: None),
        "a config file": lambda: alone.AsInTrial(0).before_run(SimpleNamespace(model=model)),
    }
    threads.thread_pools.cache_clear()
    with threadpool_limits(2):
        assert {pool["num_threads"] for pool in threadpool_info()} == {2}
        with pytest.raises(ThreadsSet):
            begins[who]()
        assert {pool["num_threads"] for pool in threadpool_info()} == {1} and torch.get_num_threads() == 1


def test_a_trial_starts_no_threads_of_a_library_again():
    """They would spin beside the trial."""
    import os
    import subprocess
    import sys

    code = """
import os
import numpy as np
from harness.engine import isolate
from harness.engine.threads import one_thread

before = len(os.listdir("/proc/self/task"))
one_thread()
print(before, isolate.start(lambda: (one_thread(), len(os.listdir("/proc/self/task")))).result()[1])
"""
    free = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    before, after = map(int, subprocess.check_output([sys.executable, "-c", code], env=free).split())
    if before == 1:
        pytest.skip("no library has a pool of threads here")
    assert after == 1
