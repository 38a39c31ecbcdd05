"""The contract of a slot, which any plugin can be put through."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch

from harness.catalog import load_catalog
from harness.catalog.plugins import PluginFile, discover, load, owners
from harness.catalog.sources import needs_openmmlab
from harness.catalog.verify import deadly
from harness.errors import UsageError, did_you_mean
from harness.plugin_tools.checks import CHECKS, FIRST, SLOW
from harness.plugin_tools.report import Report, Row
from harness.plugin_tools.subject import Skip, Subject, Violation


def rows(subject: Subject, names: tuple[str, ...] = tuple(CHECKS)) -> Iterator[Row]:
    """Put a plugin through the named checks, one row each, and no more than :data:`FIRST` if it fails there.

    Nothing a plugin raises gets out.
    """
    with torch.random.fork_rng(devices=[]):
        for name in names:
            row = _row(subject, name)
            yield row
            if name == FIRST and row.ok is False:
                return


def _row(subject: Subject, name: str) -> Row:
    try:
        return Row(subject.plugin, name, True, CHECKS[name](subject))
    except Skip as reason:
        return Row(subject.plugin, name, None, str(reason))
    except (Violation, UsageError) as told:
        return Row(subject.plugin, name, False, str(told))
    except Exception as error:  # a plugin may raise anything; that is a finding
        first_line = (str(error).strip().splitlines() or [""])[0]
        return Row(subject.plugin, name, False, f"{type(error).__name__}: {first_line}")


def _import(file: PluginFile) -> None:
    if file.origin == "shipped" or needs_openmmlab(file.path, file.module):
        from harness.openmmlab import setup

        setup()
    if reason := deadly([file]).get(file.path):
        raise UsageError(reason)
    load(file)


def subjects(target: str) -> list[Subject]:
    """What ``target`` names: a plugin, a method (its plugins with its parameters) or a plugin file.

    Raises:
        UsageError: no such thing, or its file cannot be imported.
    """
    path = Path(target)
    is_file = path.suffix == ".py" or path.is_file()
    files = discover((path,) if is_file else ())
    owner = owners(files)
    if is_file:
        file = next(file for file in files if file.path.resolve() == path.resolve())
        _import(file)
        if not file.names:
            raise UsageError(f'{path} defines no plugin: decorate one class with @attention_method("name", slot="...").')
        return [Subject(name, slot, {}) for name, slot in file.names.items()]
    methods = load_catalog().methods
    if target in methods:
        fillings = methods[target].slots.values()
        if not fillings:
            raise UsageError(f"method '{target}' is planned, not implemented: {methods[target].missing}.")
        wanted = [(filling.plugin, filling.params) for filling in fillings]
    else:
        wanted = [(target, {})]
    for plugin, _ in wanted:
        if plugin not in owner:
            raise did_you_mean(plugin, {*owner, *methods}, "plugin or method", "harness list methods")
        _import(owner[plugin])
    return [Subject(plugin, owner[plugin].names[plugin], params) for plugin, params in wanted]


def check(target: str, *, slow: bool = True) -> Report:
    """Check the contract of a plugin, of a method's plugins, or of all plugins in a file.

    Args:
        target: a plugin's name, a method's id, or the path of a plugin file.
        slow: also check ``torch.compile`` and ``torch.export`` (seconds each).

    Raises:
        UsageError: no such plugin, or its file cannot be imported.
    """
    names = tuple(name for name in CHECKS if slow or name not in SLOW)
    return Report([row for subject in subjects(target) for row in rows(subject, names)])
