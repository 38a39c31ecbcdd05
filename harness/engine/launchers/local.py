"""The parent's loop: take trials from the queue, fork them, and see how they end."""

from __future__ import annotations

import contextlib
import gc
import signal
import time
from collections import Counter
from dataclasses import replace
from multiprocessing.connection import wait

from harness.compose import Trial
from harness.engine.child import Child, Job, TrialFunction, start
from harness.engine.janitor import Janitor
from harness.engine.launchers import Launched, Settings
from harness.engine.places import Places
from harness.engine.prepare import end_thread_pools
from harness.engine.progress import EventKind, Tally
from harness.engine.signals import interruptible
from harness.engine.threads import one_thread
from harness.store import Store, StoreError
from harness.store.process import holder, new_lease
from harness.store.queue import HEARTBEAT

TRIES = 3
"""How often a trial that something kills is started in one run."""

SILENCE = 1800.0
"""Seconds without a sign of life after which a trial is stopped; where all of it is expected to take longer, so many."""

_POLL = 0.1
"""Seconds between two looks at all trials, where none of them ends."""
_EXIT = 0.002
"""Seconds that a process takes, about, from its last word to its end."""
_TICK = 1.0
_LOOK_AGAIN = 2.0
"""Seconds between two looks at trials that another run holds."""
_STALE = 200
"""So many trials before the one that could be taken are looked at again: others may have finished them."""
_STORE_FAILURES = 5
_STORE_PAUSE = 5.0
_BESIDE_OTHERS = "ran out of memory beside other trials on the device, and was run again alone there"
_FROM_OUTSIDE = {signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGXCPU}
"""Signals that say nothing about the trial itself; any other is a crash."""


def launch(store: Store, trials: list[Trial], settings: Settings, function: TrialFunction, tally: Tally) -> Launched:
    """Run trials on this machine, up to ``settings.workers`` at a time, each in a process forked from this one."""
    pool = Pool(store, trials, settings, function, tally)
    pool.launched.interrupted = not pool.run()
    return pool.launched


class Pool:
    """Runs trials, up to ``settings.workers`` at a time.

    It has no threads and keeps no connection open: both would be copied into the trials' processes.
    """

    def __init__(self, store: Store, trials: list[Trial], settings: Settings, function: TrialFunction, tally: Tally):
        self._store = store
        self._settings = settings
        self._function = function
        self._tally = tally
        self._lease = new_lease()
        self._trials = {trial.digest: trial for trial in trials}
        # long ones first, so that no long one is left over at the end while the other workers idle
        self._waiting = [t.digest for t in sorted(trials, key=lambda t: -t.cost)]
        self._running: dict[str, Child] = {}
        self._tries: Counter[str] = Counter()
        self._places = Places(settings.devices, settings.memory, settings.per_device)
        self._alone: list[Job] = []
        self._learned: set[str] = set()
        self._look_at = self._tick_at = 0.0
        self._renew_at = time.monotonic() + HEARTBEAT
        self._store_failures = 0
        self._awaited = 0
        self._heard_at = time.monotonic()
        self.launched = Launched()

    def run(self) -> bool:
        """Do all trials; ``False`` if interrupted, with everything given back to the queue.

        Raises:
            StoreError: the database failed for good; running trials have been stopped and will be taken up again.
        """
        end_thread_pools()
        if self._settings.devices[0].startswith("cpu"):
            one_thread()
        self._janitor = Janitor()
        gc.freeze()  # keeps the collector of a child from copying the parent's pages
        with interruptible():
            try:
                while self._running or self._alone or (self._waiting and not self._enough()):
                    self._start()
                    self._start_alone()
                    if wait([child.pipe for child in self._running.values()], _POLL):
                        time.sleep(_EXIT)
                    self._reap()
                    self._renew()
                    if time.monotonic() >= self._tick_at:
                        self._tick_at = time.monotonic() + _TICK
                        self._tell("tick")
            except KeyboardInterrupt:
                return False
            finally:
                self._stop()
                self._janitor.close()
                gc.unfreeze()
        return True

    def _tell(self, kind: EventKind, trial: Trial | None = None, message: str = "") -> None:
        now = time.monotonic()
        running = [(child.job.trial, now - child.since) for child in self._running.values()]
        self._tally.tell(kind, (self._trials[d] for d in self._waiting), running, trial, message)

    def _enough(self) -> bool:
        """Whether no other trial is to be begun."""
        most, until = self._settings.most, self._settings.until
        return (most is not None and self.launched.begun >= most) or (until is not None and time.monotonic() >= until)

    def _start(self) -> None:
        while not self._enough() and len(self._running) < self._settings.workers and self._waiting and time.monotonic() >= self._look_at:
            device = self._places.free(self._trials[self._waiting[0]].benchmark, [*self._running.values()])
            if device is None:
                return
            try:
                ready = self._ready()
                digest = self._store.claim(ready, self._lease, self._settings.folder) if ready else None
                if digest is None:
                    self._others()
                self._store_failures = 0
            except StoreError as error:
                self._store_failures += 1
                if self._store_failures >= _STORE_FAILURES:
                    raise
                self._look_at = time.monotonic() + _STORE_PAUSE
                self._tell("warning", message=str(error))
                return
            if digest is None:
                return
            place = self._waiting.index(digest)
            del self._waiting[place]
            if place > _STALE:
                with contextlib.suppress(StoreError):
                    self._drop_ended(self._waiting[:place])
            self._tries[digest] += 1
            self.launched.begun += 1
            trial = self._trials[digest]
            self._fork(
                Job(
                    trial=trial,
                    token=self._lease.token,
                    url=self._settings.url,
                    data=self._settings.data[trial.benchmark],
                    folder=self._settings.folder / digest,
                    device=device,
                    options=self._settings.options,
                    notes=tuple(self._settings.notes.get(trial.benchmark, ())),
                )
            )
            self._tell("started", trial)

    def _ready(self) -> list[str]:
        """Those of the waiting ones that begin with nothing that is still to be learned; what never will be is given up."""
        wanted = {digest: before for digest in self._waiting if (before := self._trials[digest].before) and before not in self._learned}
        if not wanted:
            return self._waiting
        states = self._store.states(digests={*wanted.values()})
        # one that nobody knows may have left a file all the same; one of ours has ended when its process has, and that was told
        ended = {before for before in wanted.values() if states.get(before, "done") == "done"}
        self._learned |= ended.difference(self._running)
        for digest, before in wanted.items():
            if states.get(before) == "failed" or before in self.launched.unsaved:
                self._waiting.remove(digest)
                self.launched.unsaved[digest] = f"trial {before}, whose weights it begins with, did not end well"
                self._tell("warning", self._trials[digest], self.launched.unsaved[digest])
        return [digest for digest in self._waiting if digest not in wanted or wanted[digest] in self._learned]

    def _others(self) -> None:
        """Nothing could be claimed: drop what other runs have finished, and look at the rest again later."""
        self._drop_ended(self._waiting)
        self._look_at = time.monotonic() + _LOOK_AGAIN
        if not self._settings.patient:
            self._waiting.clear()
        if len(self._waiting) not in (0, self._awaited) and not self._running:
            self._awaited = len(self._waiting)
            who = sorted({holder(row) for row in self._store.trials(digests=self._waiting, states=["running"])})
            self._tell("waiting", message=f"for {' and '.join(who) or 'others'}; trials left there: {len(self._waiting)}")

    def _drop_ended(self, digests: list[str]) -> None:
        """Wait no longer for those of ``digests`` that others have finished."""
        states = self._store.states(digests=digests)
        ended = {digest for digest in digests if states.get(digest) not in ("planned", "running")}
        failed = sum(states.get(digest) == "failed" for digest in ended)
        self._waiting = [digest for digest in self._waiting if digest not in ended]
        self._tally.done, self._tally.failed = self._tally.done + len(ended) - failed, self._tally.failed + failed

    def _start_alone(self) -> None:
        """Trials that ran out of memory beside others, once nothing else waits."""
        while self._alone and (not self._waiting or self._enough()) and (device := self._places.alone([*self._running.values()])):
            self._fork(replace(self._alone.pop(0), device=device))

    def _fork(self, job: Job) -> None:
        self._running[job.trial.digest] = start(job, self._function, self._janitor)

    def _reap(self) -> None:
        now = time.monotonic()
        passed, self._heard_at = min(now - self._heard_at, _TICK), now  # while this process was stopped, it heard nothing of any
        for digest, child in list(self._running.items()):
            ended = child.poll()
            silence = max(SILENCE, child.job.trial.cost)
            limits = [limit for limit in (child.job.trial.time_limit, self._settings.time_limit) if limit is not None]
            if ended is None and limits and now - child.since > min(limits):
                child.kill()
                del self._running[digest]
                self._fail(child.job.trial, "timeout", f"stopped after {min(limits):g} s, its time limit")
            elif ended is None and child.listen(passed) > silence:
                child.kill()
                del self._running[digest]
                self._fail(child.job.trial, "timeout", f"stopped after {silence:g} s without a sign of life: no forward pass ended")
            elif ended is not None:
                del self._running[digest]
                self._ended(child, *ended)

    def _ended(self, child: Child, code: int, said: dict[str, str]) -> None:
        job, status, reason = child.job, said.get("status"), said.get("reason", "")
        if status == "done":
            self._tally.estimate.learn(job.trial.benchmark, job.trial.cost, time.monotonic() - child.since)
            self._count_done(job.trial)
        elif status == "failed":
            self._tally.failed += 1
            self._tell("failed", job.trial, reason)
        elif status == "out-of-memory":
            self._out_of_memory(job, reason)
        elif status == "unsaved":
            self._give_up(job.trial, reason, kind=None)
        elif status == "lost":
            self._give_up(job.trial, "its process found the database without its lease, and nobody has taken it", kind=None)
        elif code >= 0:
            self._fail(job.trial, "crash", f"its process ended with exit code {code} and without a word")
        elif -code in _FROM_OUTSIDE:
            self._killed(job.trial, signal.Signals(-code).name)
        else:
            self._fail(job.trial, "crash", f"crashed with {signal.Signals(-code).name}")

    def _out_of_memory(self, job: Job, reason: str) -> None:
        """Try it again: alone on its device, where others were there; then with less to remember; then with half the batch."""
        others = [child.job.trial.digest for child in self._running.values() if child.job.device == job.device]
        if others and job.batch_divisor == 1 and _BESIDE_OTHERS not in job.notes:
            self._alone.append(replace(job, notes=(*job.notes, _BESIDE_OTHERS)))
            self._tell("again", job.trial, f"{reason}; it waits until the device is free")
            return
        config = job.trial.config
        batch = config.get("train_dataloader", {}).get("batch_size", 1) // len(job.device.split(","))
        trains = batch > 0 and not config.get("model", {}).get("frozen")
        if trains and not job.options.get("recompute") and not job.device.startswith("cpu"):
            note = "ran out of memory; the backbone's activations were computed again for the backward pass"
            again = replace(job, options={**job.options, "recompute": True}, notes=(*job.notes, note))
            self._tell("again", job.trial, f"{reason}; trying with activations computed twice")
        else:
            divisor = 2 * job.batch_divisor
            if divisor > batch:
                self._fail(job.trial, "out-of-memory", reason)
                return
            again = replace(job, batch_divisor=divisor, last=2 * divisor > batch)
            self._tell("again", job.trial, f"{reason}; trying half the batch")
        self._fork(again)

    def _count_done(self, trial: Trial) -> None:
        self._tally.done += 1
        self.launched.ran.add(trial.digest)
        self._look_at = 0.0  # what comes after it need not wait for the next look
        self._tell("done", trial)

    def _fail(self, trial: Trial, kind: str, reason: str) -> None:
        try:
            failed = self._store.fail(trial.digest, self._lease.token, kind, reason)
        except StoreError as error:
            self._give_up(trial, f"{reason}; and this could not be recorded: {error}", kind=kind)
            return
        if failed:
            self._tally.failed += 1
            self._tell("failed", trial, reason)
        else:  # its result had been stored just before
            self._settle(trial)

    def _killed(self, trial: Trial, name: str) -> None:
        tries = self._tries[trial.digest]
        reason = f"killed by {name}" if tries < TRIES else f"killed by {name}, {tries} times; was memory short?"
        if tries >= TRIES:
            self._give_up(trial, reason, kind="killed")
            return
        try:
            released = self._store.release(trial.digest, self._lease.token, kind="killed", reason=reason)
        except StoreError as error:
            self._give_up(trial, f"{reason}; {error}", kind="killed")
            return
        if not released:
            self._settle(trial)
            return
        self._waiting.append(trial.digest)
        self._waiting.sort(key=lambda digest: -self._trials[digest].cost)
        self._tell("again", trial, reason)

    def _settle(self, trial: Trial) -> None:
        """The trial has ended otherwise than this process thought: see how."""
        with contextlib.suppress(StoreError):
            if self._store.states(digests=[trial.digest]).get(trial.digest) == "done":
                self._count_done(trial)
                return
        self._waiting.append(trial.digest)  # the next look at the queue tells

    def _give_up(self, trial: Trial, reason: str, kind: str | None) -> None:
        """Leave a trial to a later run."""
        self.launched.unsaved[trial.digest] = reason
        with contextlib.suppress(StoreError):  # the lease is void anyway once this process has ended
            if not self._store.release(trial.digest, self._lease.token, kind=kind, reason=reason):
                del self.launched.unsaved[trial.digest]
                self._settle(trial)
                return
        self._tell("warning", trial, reason)

    def _renew(self) -> None:
        if (self._running or self._alone) and time.monotonic() >= self._renew_at:
            self._renew_at = time.monotonic() + HEARTBEAT
            with contextlib.suppress(StoreError):  # the next heartbeat comes before the lease expires
                self._store.renew(self._lease)

    def _stop(self) -> None:
        """End what still runs and give it back."""
        for child in self._running.values():
            child.kill()
        for digest in (*self._running, *(job.trial.digest for job in self._alone)):
            with contextlib.suppress(StoreError):
                self._store.release(digest, self._lease.token)
        self._running.clear()
        self._alone.clear()
