"""mmengine's Runner as trials use it."""

from __future__ import annotations

from pprint import pformat
from typing import Any, cast

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.runner import Runner
from mmengine.visualization import Visualizer
from torch import nn
from torch.utils.data import DataLoader

from harness.benchmarks.base import SPLITS, Split
from harness.benchmarks.parts.layout import channels_last
from harness.engine.hooks import seed_generators
from harness.engine.loading import Loading
from harness.engine.lookup import Lookup
from harness.engine.loop import FeatureEpochs
from harness.engine.recompute import recompute_activations


class PlainConfig(Config):
    """A config that is written as Python without a code formatter, which mmengine lays it out with four times a trial: 0.1 to 3 s."""

    @property
    def pretty_text(self) -> str:
        told: str | None = self.__dict__.get("_told")
        if told is None:  # once: what a runner is built from does not change any more
            told = "\n".join(f"{name} = {pformat(value, width=120, sort_dicts=False)}" for name, value in self.to_dict().items()) + "\n"
            self.__dict__["_told"] = told
        return told


class Undrawn(Visualizer):
    """mmengine's own visualizer, which logs scalars here: the axes it makes for drawing take a tenth of what a trial adds to training."""

    def _initialize_fig(self, fig_cfg: dict[str, Any]) -> tuple[Any, Any, None]:
        return _CANVAS, _CANVAS.figure, None


_CANVAS = FigureCanvasAgg(Figure())
"""Made once, before trials are forked: nothing is drawn on it."""


class TrialRunner(Runner):
    """mmengine's Runner, with our loaders, and without the survey of the machine it writes into each log: the record keeps one."""

    loading: Loading | None = None
    lookup: Lookup | None = None

    def wrap_model(self, model_wrapper_cfg: dict[str, Any] | None, model: nn.Module) -> nn.Module:
        # before it is wrapped for several processes, which lay gradients out as they find the parameters
        backbone = cast(nn.Module, model.backbone)
        if self.cfg["channels_last"]:
            channels_last(backbone)
        if self.cfg["recompute"]:
            recompute_activations(backbone)
        wrapped: nn.Module = super().wrap_model(model_wrapper_cfg, model)
        return wrapped

    def build_dataloader(self, dataloader: Any, seed: int | None = None, diff_rank_seed: bool = False) -> DataLoader[Any]:
        made: DataLoader[Any] = super().build_dataloader(dataloader, seed, diff_rank_seed)
        split: Split = next((name for name in SPLITS if dataloader is getattr(self, f"_{name}_dataloader")), "test")
        if self.lookup is not None and (numbers := self.lookup.loader(made, split)) is not None:
            return numbers
        return made if self.loading is None else self.loading.loader(made, split == "train")

    def build_train_loop(self, loop: Any) -> Any:
        if self.lookup is None or not isinstance(loop, dict) or not loop.get("by_epoch"):
            return super().build_train_loop(loop)
        return FeatureEpochs(self, self._train_dataloader, **{name: value for name, value in loop.items() if name != "by_epoch"})

    def build_visualizer(self, visualizer: Any = None) -> Visualizer:
        if visualizer is None:
            backends = [{"type": "LocalVisBackend"}]
            return cast(Visualizer, Undrawn.get_instance(name=self._experiment_name, vis_backends=backends, save_dir=self._log_dir))
        return cast(Visualizer, super().build_visualizer(visualizer))

    def set_randomness(self, seed: int, **more: Any) -> None:
        if more or get_device() != "cpu":
            super().set_randomness(seed, **more)
            return
        seed_generators(seed)
        self._deterministic, self._seed = False, seed

    def _log_env(self, env_cfg: dict[str, Any]) -> None:
        pass
