"""The registry: what ships is sound, and what a folder adds is merged by clear rules."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.benchmarks import family, hosts, task
from harness.benchmarks.hosts import standing
from harness.catalog import load_catalog, read_registry
from harness.catalog.adopt import adopt
from harness.catalog.code import code
from harness.catalog.plugins import discover, owners
from harness.catalog.sources import file_digest
from harness.errors import HarnessError, UsageError
from harness.listing import list_plugins
from harness.slots import SLOTS


def test_shipped_methods_name_plugins_that_fill_their_slot():
    plugins = owners(discover())
    for method in load_catalog().methods.values():
        for slot, filling in method.slots.items():
            assert filling.plugin in plugins, f"{method.id}: no plugin file defines {filling.plugin}"
            assert plugins[filling.plugin].names[filling.plugin] in {slot, "block"}, f"{method.id}: {filling.plugin} is for another slot"


def test_every_shipped_plugin_has_a_method_or_is_a_baseline():
    named = {filling.plugin for method in load_catalog().methods.values() for filling in method.slots.values()}
    baselines = {slot.baseline for slot in SLOTS.values()}
    unnamed = {name for file in discover() if file.origin == "shipped" for name in file.names} - named - baselines
    assert not unnamed, "add an entry to registry.yaml"


def test_shipped_benchmarks_have_sound_options_and_a_known_primary_metric():
    for bench in load_catalog().benchmarks.values():
        found = task(bench)
        assert found.primary in {metric.name for metric in found.metrics}, bench.id


def test_a_method_waits_until_a_family_offers_what_it_fills(monkeypatch):
    """Not a word in the registry, which would be wrong from that day on."""
    catalog = load_catalog()
    offers = {task(bench).slots for bench in catalog.benchmarks.values()}
    waiting = {m.id for m in catalog.methods.values() if m.slots and not any(m.fill(offered) for offered in offers)}
    assert {m.id for m in catalog.methods.values() if standing(m)[0] == "waits"} == waiting
    assert standing(catalog.methods["gap"]) == ("works", None)
    monkeypatch.setattr(hosts, "family", lambda name: replace(family(name), slots=tuple({*family(name).slots} - {"pooling"})))
    state, lacks = standing(catalog.methods["gap"])
    assert state == "waits" and "pooling" in lacks


def _registry(folder: Path, text: str) -> None:
    (folder / "registry.yaml").write_text(text, encoding="utf-8")


OWN = """
benchmarks:
  mine: {family: classification, data: {format: image-folder, root: pets}}
methods:
  my-gem: {title: Mine, slots: {pooling: {plugin: gem, power: 4}}}
suites:
  mine: {benchmarks: [mine], methods: {classification: [my-gem, gap], mine: [gap]}}
"""


def test_a_folder_adds_its_own_entries(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _registry(tmp_path, OWN)
    catalog = load_catalog()
    assert catalog.methods["my-gem"].slots["pooling"].params == {"power": 4}
    assert "gap" in catalog.methods
    assert catalog.suites["mine"].methods_of(catalog.benchmarks["mine"]) == ["gap"], "a benchmark's own list wins"


def test_names_are_defined_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _registry(tmp_path, "methods:\n  gap: {title: Mine, slots: {pooling: {plugin: gap}}}\n")
    with pytest.raises(UsageError, match=r"method 'gap' is defined in .* and in registry\.yaml"):
        load_catalog()


def test_errors_name_file_line_and_key(tmp_path):
    _registry(tmp_path, "benchmarks:\n  a:\n    family: classification\n    data: {format: x}\n    titel: A\n")
    with pytest.raises(UsageError, match=r"registry.yaml: line 5, benchmarks.a.titel: unknown key 'titel'. Did you mean 'title'"):
        read_registry(tmp_path / "registry.yaml")


def test_aliases_that_multiply_are_refused_at_once(tmp_path):
    levels = "\n".join(f"  a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12))
    _registry(tmp_path, f"methods:\n  a0: &a0 [1]\n{levels}\n")
    with pytest.raises(UsageError, match="nested aliases"):
        read_registry(tmp_path / "registry.yaml")


PLUGIN = """
import torch
from harness.slots import attention_method
@attention_method("{name}", slot="{slot}")
class Mine(torch.nn.Module):
    pass
"""


def test_plugins_without_an_entry_become_methods(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(PLUGIN.format(name="mine", slot="pooling"))
    catalog = adopt(load_catalog(), discover((tmp_path / "mine.py",)))
    assert catalog.methods["mine"].slots["pooling"].plugin == "mine"
    (tmp_path / "mine.py").write_text(PLUGIN.format(name="gap", slot="pooling"))
    with pytest.raises(HarnessError, match="plugin 'gap' is defined in"):
        discover((tmp_path / "mine.py",))


def test_a_plugin_may_take_the_name_of_a_planned_method_but_of_no_other(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file, catalog = tmp_path / "mine.py", load_catalog()
    planned = next(method.id for method in catalog.methods.values() if method.state == "planned")
    file.write_text(PLUGIN.format(name=planned, slot="block"))
    assert adopt(catalog, discover((file,))).methods[planned].slots["block"].plugin == planned
    file.write_text(PLUGIN.format(name="gc-block-mul", slot="block"))
    with pytest.raises(UsageError, match=r"mine.py: 'gc-block-mul' is the name of a method of the registry, .* Rename the plugin"):
        adopt(catalog, discover((file,)))
    (tmp_path / "plugins").mkdir()
    file.rename(tmp_path / "plugins" / "mine.py")
    assert adopt(catalog, discover()).methods["gc-block-mul"] == catalog.methods["gc-block-mul"]
    [row] = [row for row in list_plugins() if row["name"] == "gc-block-mul"]
    assert row["state"] == "broken" and "Rename the plugin" in row["error"]


def test_digest_follows_the_source_and_not_the_place(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.py").write_text(PLUGIN.format(name="mine", slot="pooling"))
    first, second = tmp_path / "a" / "mine.py", tmp_path / "b" / "mine.py"
    assert file_digest(first, "mine") == file_digest(second, "mine")
    second.write_text(second.read_text() + "# changed\n")
    assert file_digest(first, "mine") == file_digest(second, "mine")
    second.write_text(second.read_text() + "changed = 1\n")
    assert file_digest(first, "mine") != file_digest(second, "mine")


def test_comments_and_docstrings_are_no_code():
    bare = 'import a\n\nclass A(B):\n    x = """ä\n\n    # kept """\n    def f(self): \n        return "#" + self.x\n'
    full = (
        '# ä one\nimport a  # ä two\n\nclass A(B):\n    """Of\n\n    three lines."""\n    x = """ä\n\n    # kept """  # "x"\n'
        '    """ä, an attribute."""\n    def f(self): \n        # four\n        return "#" + self.x\n'
    )
    assert code(full.encode()) == code(bare.encode()) == bare.encode()
    for broken in (b"def f(:\n  # x", b"\x00", "# ä".encode("latin-1"), b"x = (1,\n"):
        assert code(broken) == broken
    marked = "\ufeffx = 1  # one\n".encode()
    latin = '# coding: latin-1\ny = "éééééé"; x = 1  # one\n'.encode()
    assert code(marked) == marked and code(latin) == latin
    for file in discover():
        assert code(code(file.path.read_bytes())) == code(file.path.read_bytes()) != file.path.read_bytes()


def test_a_trial_remembers_the_overrides_that_changed_something():
    from harness.compose import Selection, plan

    def remembered(*overrides: str) -> tuple[str, ...]:
        chosen = Selection(methods=("gem",), benchmarks=("scenes-classification",), overrides=overrides)
        return plan(chosen, load_catalog(), discover()).trials[0].overrides

    epochs = load_catalog().benchmarks["scenes-classification"].schedule["epochs"]
    assert remembered() == remembered(f"schedule.epochs={epochs}") == ()
    assert remembered("data.cue=true") == ()  # the default, though the entry does not say it
    assert remembered("schedule.epochs=1", "method.p=2") == ("schedule.epochs=1", "method.p=2")


def test_a_parameter_goes_to_every_plugin_of_a_method_or_to_the_one_in_a_slot():
    from harness.compose import Selection, plan

    def model(*overrides: str):
        chosen = Selection(methods=("qk-alignment-plus-fixed-pe",), benchmarks=("rooms",), overrides=overrides)
        return plan(chosen, load_catalog(), discover()).trials[0].config["model"]

    assert str(model("method.attention_loss.weight=0.7")).count("'weight': 0.7") == 1
    with pytest.raises(
        HarnessError, match=r"plugin 'fixed-sine-2d-pe': unknown parameter 'weight'\. .* `--set method\.attention_loss\.weight"
    ):
        model("method.weight=0.7")


def test_what_a_method_cannot_be_built_from_is_refused_before_any_trial(tmp_path, monkeypatch):
    from harness.compose import Selection, plan

    monkeypatch.chdir(tmp_path)
    (tmp_path / "registry.yaml").write_text("""methods:
  wrong-slot: {title: W, slots: {pooling: {plugin: qk-alignment-loss}}}
  wrong-parameter: {title: W, slots: {block: {plugin: se, ration: 4}}, stands_in: [pooling]}
  unknown-constructor: {title: U, slots: {pooling: {plugin: inherits, what: 1}}}
""")
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "mine.py").write_text(PLUGIN.format(name="inherits", slot="pooling"))

    def planned(method: str):
        return plan(Selection(methods=(method,), benchmarks=("scenes-classification",)), load_catalog(), discover())

    with pytest.raises(HarnessError, match="'qk-alignment-loss' into its slot pooling, but it is made for attention_loss"):
        planned("wrong-slot")
    with pytest.raises(HarnessError, match=r"unknown parameter 'ration'\. Did you mean 'ratio'"):
        planned("wrong-parameter")
    assert len(planned("unknown-constructor").trials) == 1


def test_every_registered_method_can_be_built_from_its_entry():
    from harness.compose.plan import check_filling

    files = discover()
    known = owners(files)
    for method in load_catalog().methods.values():
        for slot in method.slots:
            check_filling(method, slot, known, files)


def test_two_methods_of_the_same_plugin_are_two_rows(tmp_path, monkeypatch):
    from harness.compose import Selection, plan

    monkeypatch.chdir(tmp_path)
    (tmp_path / "registry.yaml").write_text("methods: {gap-again: {title: G, slots: {pooling: {plugin: gap}}}}")

    def trials(*overrides: str, methods: tuple[str, ...]):
        chosen = Selection(methods=methods, benchmarks=("scenes-classification",), overrides=overrides)
        return {trial.digest: trial.method for trial in plan(chosen, load_catalog(), discover()).trials}

    assert [*trials(methods=("gap", "gap-again")).values()] == ["gap", "gap-again"]
    with pytest.raises(UsageError, match="Run that method"):
        trials("method.plugin=max-pool", methods=("gap",))


def test_numbers_are_keys_of_label_maps(tmp_path):
    entry = "benchmarks:\n  a: {family: segmentation, data: {format: mmseg-folder, root: a, classes: [x, y], labels: {%s}}}\n"
    _registry(tmp_path, entry % "0: x, 255: y")
    catalog = read_registry(tmp_path / "registry.yaml")
    assert catalog.benchmarks["a"].data["labels"] == {"0": "x", "255": "y"}
    _registry(tmp_path, entry % '0: x, "0": y')
    with pytest.raises(UsageError, match="'0' is given twice"):
        read_registry(tmp_path / "registry.yaml")
