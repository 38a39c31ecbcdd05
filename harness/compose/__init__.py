"""Method x benchmark x seed -> a trial: its mmengine config and its digest."""

from harness.compose.plan import Selection, plan
from harness.compose.setting import NUMERICS
from harness.compose.trial import Trial, compose

__all__ = ["NUMERICS", "Selection", "Trial", "compose", "plan"]
