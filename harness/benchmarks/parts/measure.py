"""Width and stride of each output of a network, asked by a process that imports no torch itself.

``python -m harness.benchmarks.parts.measure`` reads the backbone's config as JSON and prints ``[[width, stride], ...]`` or a sentence.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any


def main() -> None:
    """Answer on what was stdout; all else goes to stderr."""
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    told: Any
    try:
        from harness import openmmlab
        from harness.benchmarks import register

        config = json.loads(sys.stdin.read())
        if "." in config["type"]:
            register.setup()
        else:  # of another library: the toolboxes take ten seconds to import
            openmmlab.mend()
        from mmengine.registry import MODELS

        from harness.benchmarks.parts.foreign import maps_of

        with openmmlab.explained():
            told = maps_of(MODELS.build(config))
    except Exception as error:
        told = str(error) if type(error).__name__ == "UsageError" else f"model.backbone: {type(error).__name__}: {error}"
    json.dump(told, answer)
    answer.close()


if __name__ == "__main__":
    main()
