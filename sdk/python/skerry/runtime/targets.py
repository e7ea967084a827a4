"""TARGET: which Workflows object a program means. `module:attribute` or `path/to/main.py[:attribute]`."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import PurePath
from types import ModuleType

from skerry.apps import Workflows
from skerry.errors import ConfigurationError


def load_target(target: str) -> Workflows:
    """Import the program and find its Workflows object; without an attribute, the only one in the module.

    Raises:
        ConfigurationError: there is no such file, or not exactly one Workflows object is meant.
    """
    place, _, attribute = target.partition(":")
    module = importlib.import_module(_module_name(place))
    if attribute:
        found = getattr(module, attribute, None)
        if not isinstance(found, Workflows):
            kind = "is not there" if found is None else f"is a {type(found).__name__}"
            raise ConfigurationError(f"{target}: {attribute} must be a skerry.Workflows object, but it {kind}")
        return found
    return _only_workflows(module, place)


def _module_name(place: str) -> str:
    """The importable name of a module or file, with its folder on sys.path."""
    _prepend(os.getcwd())
    if not place.endswith(".py"):
        return place.replace(os.sep, ".")
    path = os.path.abspath(place)
    if not os.path.isfile(path):
        raise ConfigurationError(f"there is no file {place} in {os.getcwd()}")
    # Inside a package the file is imported as part of it, so that its relative imports work.
    folder, name = os.path.dirname(path), PurePath(path).stem
    while os.path.isfile(os.path.join(folder, "__init__.py")):
        folder, package = os.path.split(folder)
        name = f"{package}.{name}"
    _prepend(folder)
    return name.removesuffix(".__init__")


def _prepend(folder: str) -> None:
    if folder not in sys.path:
        sys.path.insert(0, folder)


def _only_workflows(module: ModuleType, place: str) -> Workflows:
    found = {name: value for name, value in vars(module).items() if isinstance(value, Workflows)}
    if len({id(value) for value in found.values()}) == 1:
        return next(iter(found.values()))
    if not found:
        raise ConfigurationError(f"{place} has no Workflows object; write `app = Workflows()` in it")
    names = ", ".join(found)
    raise ConfigurationError(f"{place} has several Workflows objects ({names}); say which: {place}:{next(iter(found))}")
