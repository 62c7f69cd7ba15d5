"""Lets a module load when something first asks it for a name, not when it is imported."""

import importlib
import sys
from collections.abc import Collection
from importlib.machinery import PathFinder
from types import ModuleType


class _Unraised(Exception):
    """Stands for the errors of a module that is not loaded; nothing raises it."""


class _Later(ModuleType):
    """Stands for a module until one of its names is asked for, and passes names on after that."""

    def __init__(self, name: str, errors: Collection[str]) -> None:
        super().__init__(name)
        self._errors = errors

    def __getattr__(self, name: str) -> object:
        if sys.modules.get(self.__name__) is self:
            if name in self._errors and isinstance(sys.exception(), OSError):
                return _Unraised
            sys.modules.pop(self.__name__, None)  # another thread may have been here first
        return getattr(importlib.import_module(self.__name__), name)


def later(name: str, *, errors: Collection[str] = ()) -> None:
    """Put off loading `name` until one of its names is asked for.

    While an error of the system is handled, `errors` of the module may be asked for without loading
    it: what is not loaded has raised none of them.

    For what a library imports and a device hardly ever uses; nothing happens where it is loaded
    already. (`importlib.util.LazyLoader` does not serve: an import statement that meets its module
    asks that for `__spec__`, and it loads.)

    Raises:
        ModuleNotFoundError: there is no such module.
    """
    if name in sys.modules:
        return
    module = sys.modules[name] = _Later(name, errors)  # its package may ask for it as it loads
    parent, _, child = name.rpartition(".")
    package = importlib.import_module(parent) if parent else None
    module.__spec__ = PathFinder.find_spec(name, package.__path__ if package else None)
    if module.__spec__ is None:
        del sys.modules[name]
        raise ModuleNotFoundError(name)
    if package:
        setattr(package, child, module)
