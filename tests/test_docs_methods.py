"""The page of methods is current, and complete: every plugin says of itself what the page prints."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from harness import paths, slots
from harness.catalog import Method, read_registry
from harness.catalog.documented import SECTIONS, sections
from harness.plugin_tools.probes import PROBES
from harness.plugin_tools.scaffold import TEMPLATES

ROOT = paths.home()
METHODS = read_registry(ROOT / "registry.yaml").methods
BUILT = [method for method in METHODS.values() if method.state != "planned"]


@pytest.fixture(scope="module")
def docs(openmmlab) -> Iterator[SimpleNamespace]:
    """The modules that write the page, the plugins imported."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "docs")
        import make_methods
        import plugin_docs

        make_methods.shipped()
        yield SimpleNamespace(page=make_methods.page, trained_apart=make_methods.trained_apart, **vars(plugin_docs))


def _plugins(method: Method) -> list[type]:
    return [slots.registry().module_dict[filling.plugin] for filling in method.slots.values()]


def test_the_page_of_methods_is_current(docs):
    assert (ROOT / "docs" / "methods.md").read_text(encoding="utf-8") == docs.page(), "run `python docs/make_methods.py`"


def test_the_page_has_an_entry_for_every_method():
    page = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
    headings = re.findall(r"^### (.+)$", page, flags=re.M)
    assert sorted(headings) == sorted(METHODS), "run `python docs/make_methods.py`"


@pytest.mark.parametrize("method", BUILT, ids=lambda method: method.id)
def test_a_plugin_documents_itself(docs, method):
    for cls in _plugins(method):
        told = docs.documented(cls)
        lacking = [title for title in SECTIONS if not told.sections.get(title)]
        assert told.text and not lacking, f"{cls.__name__}: its docstring lacks {', '.join(lacking) or 'a summary'}"
        known = {*PROBES[cls.slot].context(64), *told.arguments}
        assert set(inspect.signature(cls).parameters) <= known, f"{cls.__name__}: an option without a line in Args"


@pytest.mark.parametrize("method", BUILT, ids=lambda method: method.id)
def test_options_are_read_from_the_source_as_the_class_has_them(docs, method):
    for cls in _plugins(method):
        options = {option.name: option for option in docs.documented(cls).options}
        taken = {name: one for name, one in inspect.signature(cls).parameters.items() if name not in slots.SLOTS[cls.slot].given}
        assert [*options] == [*taken] and all(option.meaning and option.type for option in options.values())
        for name, one in taken.items():
            said = options[name].default
            default = [*one.default] if isinstance(one.default, tuple) else one.default
            assert default == (said if isinstance(default, str) else eval(said, {"null": None, "true": True, "false": False}))


def test_what_is_trained_apart_is_told(docs):
    built = slots.build("dnl", {"flavour": "seg-nowd", "lr_mult": 0.01}, channels=16)
    assert [*docs.trained_apart(built)] == ["`theta`, `phi`: no weight decay", "`theta`, `phi`, `mask`: learning rate × 0.01"]


@pytest.mark.parametrize("slot", slots.SLOTS)
def test_a_new_plugin_starts_with_the_sections(slot):
    source = (TEMPLATES / f"{slot}.py.txt").read_text(encoding="utf-8").replace("$name", "new").replace("$cls", "New")
    (cls,) = (node for node in ast.parse(source).body if isinstance(node, ast.ClassDef))
    free, facts = sections(ast.get_docstring(cls))
    assert free and set(SECTIONS) | {"Args"} == set(facts)


@pytest.mark.parametrize("method", BUILT, ids=lambda method: method.id)
def test_a_method_with_a_map_has_a_small_picture(docs, method):
    if not docs.pictured(method):
        return
    file = ROOT / "docs" / "pictures" / "methods" / f"{method.id}.jpg"
    assert file.is_file(), "run `python docs/make_methods.py`"
    assert file.stat().st_size < 25_000
