"""One way to find a plug-in: our own table of "module:attribute" first, then entry points."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any


class UnknownPluginError(LookupError):
    """No plug-in has this name; the message lists those that there are."""


class BrokenPluginError(ImportError):
    """A plug-in is named but cannot be loaded; the message says where it was looked for."""


def offers(group: str) -> dict[str, str]:
    """Return what installed packages offer in an entry-point group: name -> target."""
    from importlib import metadata  # noqa: PLC0415  1 MB that our own plug-ins do not need

    return {point.name: point.value for point in metadata.entry_points(group=group)}


def find(table: Mapping[str, str], group: str, name: str) -> Any:
    """Return what `name` stands for, loaded now.

    `table` maps names to "module:attribute" and wins over entry points of `group`, so that no
    installed package can change what comes with forewarn.
    """
    target = table.get(name)
    if target is None:
        offered = offers(group)
        target = offered.get(name)
        if target is None:
            names = ", ".join(sorted({*table, *offered})) or "none"
            raise UnknownPluginError(
                f"no plug-in '{name}' (entry-point group '{group}'); there are: {names}"
            )
    module, _, attribute = target.partition(":")
    try:
        found: Any = import_module(module)
        for step in attribute.split("."):
            found = getattr(found, step)
    except (ImportError, AttributeError) as error:
        raise BrokenPluginError(f"plug-in '{name}' ({target}) cannot be loaded: {error}") from error
    return found
