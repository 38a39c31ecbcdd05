"""Workers on clusters: each trial once, with the numbers of a run on this machine, and nothing left behind."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from harness.engine.launchers.bound import Bound
from harness.engine.submit import Lost, submit
from harness.errors import UsageError
from harness.store import open_store

REGISTRY = (Path(__file__).parents[1] / "tiny.yaml").read_text()
SELECTED = ("-b", "tiny", "-m", "gap", "-m", "gem", "--seeds", "2")


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("submit")
    (folder / "registry.yaml").write_text(REGISTRY)
    return folder


def begin(place: Path, *args: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "HARNESS_CACHE": str(place / "cache"), "COLUMNS": "100"}
    command = [sys.executable, "-m", "harness", *args]
    return subprocess.Popen(command, cwd=place, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def harness(place: Path, *args: str) -> tuple[int, str]:
    process = begin(place, *args)
    said = process.communicate()[1]
    return process.returncode, said


def metrics(place: Path, name: str) -> dict[str, dict[str, float]]:
    store = open_store(f"sqlite:///{place}/{name}.db", read_only=True)
    assert {row.attempts for row in store.trials()} == {1}
    return {result.digest: dict(result.metrics) for result in store.results()}


@pytest.fixture(scope="module")
def here(place) -> dict[str, dict[str, float]]:
    """What `harness run` measures."""
    code, said = harness(place, "run", *SELECTED, "--device", "cpu", "--db", "sqlite:///here.db")
    assert code == 0, said
    return metrics(place, "here")


@pytest.fixture(scope="module")
def ray_address() -> Iterator[str]:
    """Of a Ray cluster of two nodes on this machine, with a core each."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed: pip install 'attention-harness[ray]'")
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    cluster.add_node(num_cpus=1)
    yield cluster.address
    cluster.shutdown()


@pytest.fixture(params=["ray", "slurm"])
def where(request: pytest.FixtureRequest) -> tuple[str, ...]:
    if request.param == "ray":
        return ("--ray", request.getfixturevalue("ray_address"))
    pytest.importorskip("submitit", reason="submitit is not installed: pip install 'attention-harness[slurm]'")
    return ("--slurm", "local", "--workers", "2")


@pytest.mark.slow
def test_a_cluster_measures_what_this_machine_does(place, here, where):
    name = where[0].strip("-")
    code, said = harness(place, "submit", *SELECTED, *where, "--db", f"sqlite:///{name}.db")
    assert code == 0 and "4 of 4 trials are done (0 were before)" in said, said
    assert metrics(place, name) == here
    before = time.monotonic()
    code, said = harness(place, "submit", *SELECTED, *where, "--db", f"sqlite:///{name}.db")
    assert code == 0 and "(4 were before)" in said and time.monotonic() - before < 60, said


def _workers(url: str) -> list[str]:
    """Command lines of the workers on a database."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().decode().split("\0")
        except (OSError, ValueError):
            continue
        if "worker" in words and url in words:
            found.append(" ".join(words))
    return found


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="finds processes through /proc")
def test_ctrl_c_ends_the_workers_and_gives_their_trials_back(place, where):
    url = f"sqlite:///{place}/stopped-{where[0].strip('-')}.db"
    process = begin(place, "submit", *SELECTED, "--set", "schedule.epochs=3000", *where, "--db", url)
    give_up = time.monotonic() + 120
    while "running" not in open_store(url, read_only=True).states().values():
        assert process.poll() is None and time.monotonic() < give_up, process.communicate()
        time.sleep(0.2)
    assert _workers(url)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130, said
    give_up = time.monotonic() + 30
    while _workers(url) and time.monotonic() < give_up:
        time.sleep(0.2)
    assert _workers(url) == []
    assert all(row.state == "planned" or not row.alive for row in open_store(url, read_only=True).trials())


class Processes:
    """A cluster that is this machine, with room for two workers."""

    device = "cpu"

    def __init__(self, memory: int | None = None) -> None:
        self.memory = memory
        self.started: list[Bound] = []
        self.parts: list[tuple[float | None, list[str]]] = []

    def gpu_memory(self) -> int | None:
        return self.memory

    def room(self, gpus: float | None = None) -> int:
        return 2

    def start(self, arguments: Sequence[str], folder: str, environment: Mapping[str, str], gpus: float | None = None) -> Bound:
        self.started.append(Bound(arguments, folder, environment))
        self.parts.append((gpus, [name for option, name in pairwise(arguments) if option == "-b"]))
        return self.started[-1]

    def close(self) -> None:
        self.closed = True


def _planned(db: str, *benchmarks: str) -> Callable[..., object]:
    from harness.cli.planning import asked

    options = {
        "suite": None,
        "methods": ("gap",),
        "benchmarks": benchmarks or ("tiny",),
        "seeds": 3,
        "overrides": (),
        "tune": None,
        "tune_seeds": None,
    }
    found = asked(**options, data_root=None, db=db, plugins=(), configs=(), retry_failed=False, keep=False)
    found.prepare()
    return found


def test_workers_that_end_without_a_trial_are_not_started_for_ever(place, monkeypatch):
    monkeypatch.chdir(place)
    url, cluster = f"sqlite:///{place}/lost.db", Processes()
    found = _planned(url)
    with pytest.raises(Lost, match=r"exit code 2.*no database at"):
        submit(found.plan, url, lambda: cluster, ["worker", "--db", "sqlite:///nowhere.db"], data_dirs=found.folders)
    assert 6 <= len(cluster.started) <= 8 and cluster.closed and all(one.poll() for one in cluster.started)
    assert set(open_store(url).states().values()) == {"planned"}


@pytest.mark.slow
def test_a_worker_that_is_killed_is_started_again(place, monkeypatch):
    monkeypatch.chdir(place)
    url, cluster = f"sqlite:///{place}/killed.db", Processes()
    found = _planned(url)

    def kill_one(event) -> None:
        if event.kind == "tick" and event.progress.running and len(cluster.started) == 2 and cluster.started[0].poll() is None:
            os.kill(cluster.started[0]._process.pid, signal.SIGKILL)

    summary = submit(
        found.plan, url, lambda: cluster, ["worker", "--db", url, "--workers", "1"], data_dirs=found.folders, on_event=kill_one
    )
    assert (summary.done, summary.ran, summary.exit_code) == (3, 3, 0)
    assert len(cluster.started) >= 3 and all(one.poll() for one in cluster.started)


@pytest.mark.slow
def test_benchmarks_get_the_part_of_a_gpu_that_their_trials_took_before(place, tmp_path, monkeypatch):
    """`tiny` is known to take little; what `scenes-classification` takes nobody knows, so a worker of it gets a whole one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "registry.yaml").write_text(REGISTRY)
    url, cluster = f"sqlite:///{tmp_path}/parts.db", Processes(memory=8 << 30)
    known = _planned(url)
    known.plan.trials = known.plan.trials[:1]
    first = Processes(memory=8 << 30)
    assert submit(known.plan, url, lambda: first, ["worker", "--db", url, "--workers", "1"], data_dirs=known.folders).exit_code == 0
    assert first.parts == [(1.0, ["tiny"])]
    assert 0 < max(open_store(url).peaks().values()) < 500
    found = _planned(url, "tiny", "scenes-classification")

    def end(event) -> None:
        if event.kind == "tick" and len(cluster.parts) == 4:
            raise KeyboardInterrupt

    summary = submit(found.plan, url, lambda: cluster, ["worker", "--db", url], data_dirs=found.folders, on_event=end)
    assert summary.interrupted and all(one.poll() for one in cluster.started)
    assert cluster.parts == [(1.0, ["scenes-classification"])] * 2 + [(0.125, ["tiny"])] * 2


@pytest.mark.slow
def test_ray_gives_a_part_of_a_gpu(tmp_path):
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'attention-harness[ray]'")
    from ray.cluster_utils import Cluster

    from harness.engine.launchers import Need
    from harness.engine.launchers.ray import RayCluster

    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 8, "num_gpus": 1, "include_dashboard": False})
    nodes.add_node(num_cpus=8, num_gpus=2)
    try:
        ray = RayCluster(nodes.address, Need(cpus=0.1), {})
        assert (ray.room(), ray.room(0.25), ray.room(0.125), ray.device) == (3, 12, 24, "cuda")
        assert ray.gpu_memory() is None, "there is no GPU behind it"
        workers = [ray.start(["worker", "--help"], str(tmp_path), {}, gpus) for gpus in (0.25, 0.25, 0.5, None, 0.3333)]
        give_up = time.monotonic() + 120
        while any(worker.poll() is None for worker in workers) and time.monotonic() < give_up:
            time.sleep(0.2)
        assert [worker.poll()[0] for worker in workers] == [0] * 5
        ray.close()
    finally:
        nodes.shutdown()


def test_what_is_no_cluster_is_said(place, monkeypatch):
    from harness.engine.launchers import Need, cluster, launcher

    with pytest.raises(UsageError, match="`harness run` is what starts"):
        cluster("local")
    with pytest.raises(UsageError, match="`harness submit` starts workers there"):
        launcher("ray")
    with pytest.raises(UsageError, match="Did you mean"):
        cluster("rai")
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setitem(sys.modules, "submitit", None)
    for name in ("ray", "slurm"):
        with pytest.raises(UsageError, match=rf"is not installed. Run `pip install 'attention-harness\[{name}\]'`"):
            cluster(name)("auto", Need(), {})
    for words in (("-s", "quick"), ("-s", "quick", "--ray", "--slurm")):
        code, said = harness(place, "submit", *words)
        assert code == 2 and "one of --ray, --slurm and --launcher" in said
