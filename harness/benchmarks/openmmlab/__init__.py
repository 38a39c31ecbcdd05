"""OpenMMLab: anyone's config file as a benchmark, of mmseg, mmpose, mmpretrain or mmdet; data, schedule and metrics are its own."""

from harness.benchmarks.base import Family
from harness.benchmarks.openmmlab.options import ConfigModel, ConfigSchedule

FAMILY = Family(
    name="openmmlab",
    slots=("block", "pooling", "context", "encoder_attention", "position_encoding", "attention_loss"),
    primary="",
    formats={"config": ".readers.config"},
    model=ConfigModel,
    schedule=ConfigSchedule,
    instead={
        "schedule.config.optim_wrapper.optimizer.lr": "schedule.lr",
        "data.config.train_dataloader.batch_size": "schedule.batch_size",
    },
)
