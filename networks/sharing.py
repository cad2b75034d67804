"""Copies of modules that share every tensor with the original: what is changed in one (a buffer replaced, a layer exchanged) does not
change the other, and no weight is held twice.
"""

from __future__ import annotations

import copy
from typing import TypeVar

from torch import nn

M = TypeVar("M", bound=nn.Module)
_OWN_TABLES = ("_parameters", "_buffers", "_modules")


def shared_copy(module: nn.Module, kind: type[M]) -> M:
    """A module of class `kind` (the module's own, or one below it) with the same attributes, parameters, buffers and children.

    Children are the same objects: to exchange something further down, copy every module on the way there.
    """
    if not issubclass(kind, type(module)):
        raise TypeError(f"a copy of {type(module).__name__} cannot be a {kind.__name__}")
    twin = kind.__new__(kind)
    twin.__dict__.update(copy.copy(module.__dict__))
    for table in _OWN_TABLES:
        twin.__dict__[table] = dict(module.__dict__[table])
    return twin
