"""What plugins say of themselves, read without running them."""

from __future__ import annotations

import textwrap

from harness.catalog.documented import Option, documented, plain
from harness.catalog.plugins import discover, owners

SOURCE = '''
    import torch.no_such_module
    from typing import Literal

    Kind = Literal["soft", "hard"]

    class Base:
        """What both share.

        Args:
            kind: how keys
                are weighed.
        """

        def __init__(self, channels: int, kind: Kind = "soft", scales: Sequence[int] = (1, 2)):
            raise SystemExit

    @attention_method("mine", slot="pooling")
    class Mine(Base):
        """Weigh :class:`~a.b.Keys` by ``softmax``.

        Formula:
            z = Σ_i
                a_i

        Args:
            scales: of the pyramid.
        """
'''


def test_a_file_that_cannot_run_still_tells_its_formula_and_options(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(textwrap.dedent(SOURCE))
    told = documented(file, "mine")
    assert plain(told.text) == "Weigh Keys by softmax." and told.sections["Formula"] == "z = Σ_i\n    a_i"
    assert told.options == (
        Option("kind", "`soft` or `hard`", "soft", "how keys are weighed."),
        Option("scales", "list of int", "[1, 2]", "of the pyramid."),
    )
    assert documented(file, "other") is None and documented(tmp_path / "none.py", "mine") is None
    file.write_text("def broken(:")
    assert documented(file, "mine") is None


def test_options_that_the_harness_adds_are_told_with_those_of_the_plugin():
    file = owners(discover())["simpool"]
    told = documented(file.path, "simpool", file.parameters["simpool"])
    assert [option.name for option in told.options][-3:] == ["transformer", "lr_mult", "decay_mult"]
    assert "lr_mult" not in {option.name for option in documented(file.path, "simpool").options}
