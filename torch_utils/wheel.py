"""Puts the compiled CPU kernels into a wheel, where a compiler is at hand; named in pyproject.toml, used by setuptools only.

A wheel that holds them carries the platform's tag; without a compiler it is a pure one, and the kernels are built on first use.
"""

from __future__ import annotations

import importlib
import sys
import sysconfig
from pathlib import Path
from types import ModuleType

from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

HERE = Path(__file__).resolve().parent
LIBRARY = Path("torch_utils", "ops", "lib")


def _native_build() -> ModuleType:
    """`torch_utils.native_build`: setuptools runs this file outside its package."""
    sys.path.insert(0, str(HERE.parent))
    try:
        return importlib.import_module("torch_utils.native_build")
    finally:
        sys.path.remove(str(HERE.parent))


class BuildWithKernels(build_py):
    """Copies the Python files as usual, then compiles the kernels beside them (not for editable installs)."""

    def run(self) -> None:
        super().run()
        if getattr(self, "editable_mode", False):
            return
        native = _native_build()
        try:
            native.build(Path(self.build_lib) / LIBRARY)
        except native.NativeUnavailable as e:
            self.warn(f"the wheel holds no compiled kernels: {e}")


class PlatformWheel(bdist_wheel):
    """Tags the wheel for its platform if it holds a compiled library: any Python 3, no Python ABI."""

    def get_tag(self) -> tuple[str, str, str]:
        if any((Path(self.get_finalized_command("build_py").build_lib) / LIBRARY).glob("*")):
            return "py3", "none", sysconfig.get_platform().replace("-", "_").replace(".", "_")
        return super().get_tag()
