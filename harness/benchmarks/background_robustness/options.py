"""What a benchmark of background robustness may say about its data, whatever its format; its model is that of classification."""

from __future__ import annotations

from harness.benchmarks.classification.options import ClassificationData, ClassificationModel

__all__ = ["BackgroundData", "ClassificationModel"]


class BackgroundData(ClassificationData):
    """Common to all formats."""

    @property
    def test_folder(self) -> str:
        """Folder of the variants of the test images."""
        raise NotImplementedError

    @property
    def val_folder(self) -> str | None:
        """Folder of those for validation, where there are some."""
        return None

    @property
    def groups(self) -> list[str]:
        """Folders of the classes that test images have, in label order."""
        raise NotImplementedError
