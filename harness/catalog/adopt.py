"""Plugins from outside the distribution that have no registry entry become methods of their own name.

The name of a method that is only planned is free for whoever has written it.
"""

from __future__ import annotations

from pydantic import ValidationError

from harness.catalog.load import explain
from harness.catalog.plugins import PluginFile
from harness.catalog.schema import Catalog, Method
from harness.errors import UsageError


def _method(file: PluginFile, name: str, slot: str) -> Method:
    entry = {"id": name, "title": name, "slots": {slot: {"plugin": name}}, "kind": "plugin", "notes": f"from {file.path}"}
    try:
        return Method.model_validate(entry)
    except ValidationError as error:
        raise explain(error, (name,), {}, f"plugin file {file.path}") from None


def taken(catalog: Catalog, file: PluginFile, name: str) -> str | None:
    """Why a plugin of a file from outside the distribution can never run: its name is that of a method which is made of others."""
    method = catalog.methods.get(name)
    if file.origin == "shipped" or method is None or not method.slots or name in {filling.plugin for filling in method.slots.values()}:
        return None
    return f"'{name}' is the name of a method of the registry, and -m {name} would run that one. Rename the plugin"


def adopt(catalog: Catalog, files: list[PluginFile]) -> Catalog:
    """The catalogue with a method for each plugin that the registry does not mention.

    Shipped plugins are left out: their registry entries are data that a test keeps complete.

    Raises:
        UsageError: a file given with ``--plugin`` does not parse, defines no plugin, names an unknown slot, or takes a method's name.
    """
    added = {}
    for file in files:
        if file.origin == "shipped":
            continue
        asked = file.origin == "--plugin"
        if asked and file.error:
            raise UsageError(f"--plugin {file.path} cannot be read as Python: {file.error}.")
        if asked and not file.names:
            raise UsageError(f'--plugin {file.path} defines no plugin: decorate one class with @attention_method("name", slot="...").')
        for name, slot in file.names.items():
            if asked and (why := taken(catalog, file, name)):
                raise UsageError(f"--plugin {file.path}: {why}.")
            if name in catalog.methods and catalog.methods[name].slots:
                continue
            try:
                added[name] = _method(file, name, slot)
            except UsageError:
                if asked:  # any other file is reported by `harness list plugins`
                    raise
    return catalog.model_copy(update={"methods": {**catalog.methods, **added}})
