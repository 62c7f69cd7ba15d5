"""Lets a module load when something first asks it for a name, not when it is imported."""

import importlib
import importlib.util
import sys
from types import ModuleType


class _Later(ModuleType):
    """Stands for a module until one of its names is asked for, and passes names on after that."""

    def __getattr__(self, name: str) -> object:
        if sys.modules.get(self.__name__) is self:
            sys.modules.pop(self.__name__, None)  # another thread may have been here first
        return getattr(importlib.import_module(self.__name__), name)


def later(name: str) -> None:
    """Put off loading `name` until one of its names is asked for.

    For what a library imports and a device hardly ever uses; nothing happens where it is loaded
    already. (`importlib.util.LazyLoader` does not serve: an import statement that meets its module
    asks that for `__spec__`, and it loads.)

    Raises:
        ModuleNotFoundError: there is no such module.
    """
    if name in sys.modules:
        return
    spec = importlib.util.find_spec(name)
    if spec is None:
        raise ModuleNotFoundError(name)
    module = sys.modules[name] = _Later(name)
    module.__spec__ = spec
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, module)
