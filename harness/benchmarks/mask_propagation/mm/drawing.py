"""Strips of frames with propagated masks beside what is true."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from harness.benchmarks.mask_propagation.pictures import strip
from harness.diagnostics.places import looked_at
from harness.images import write_image

_VIDEOS = 6
"""Whose strips are drawn, spread evenly over the test set."""


@HOOKS.register_module()
class DrawPropagated(Hook):
    """Writes ``propagated-VIDEO.jpg`` into the trial's ``artifacts`` for some videos."""

    def after_test_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        folder = Path(runner.work_dir, "artifacts")
        wanted = looked_at(len(runner.test_dataloader.dataset), _VIDEOS)
        for sample in outputs or ():
            if sample.sample_idx in wanted:
                film = sample.film
                folder.mkdir(parents=True, exist_ok=True)
                name = re.sub("[^A-Za-z0-9_-]+", "_", film.video.name)
                write_image(folder / f"propagated-{name}.jpg", strip(film.video, film.decoding, sample.propagated), quality=90)
