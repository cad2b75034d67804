"""A wheel holds what an installed program needs: compiled kernels for its platform, their sources, and the bundled network."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from torch_utils.native_build import find_toolchain

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("viz", "gui_utils", "networks", "torch_utils", "visualizer.py", "pyproject.toml", "README.md", "LICENSE")


@pytest.mark.slow
def test_a_wheel_carries_kernels_and_network(tmp_path):
    source, out = tmp_path / "source", tmp_path / "wheels"
    source.mkdir()
    for name in PARTS:
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, source / name, ignore=shutil.ignore_patterns("__pycache__", "lib"))
        else:
            shutil.copy(path, source / name)
    quick = tmp_path / "c++"  # that the kernels are there is asked here, not how fast they are: a third of the time
    quick.write_text(f'#!/bin/sh\nexec "{find_toolchain().compiler}" "$@" -O0\n')
    quick.chmod(0o755)
    environment = {**os.environ, "CXX": str(quick)}
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(out), str(source)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    wheel = next(out.glob("*.whl"))
    names = set(zipfile.ZipFile(wheel).namelist())
    assert "networks/bundled/globe-r-64.safetensors" in names and "torch_utils/ops/csrc/isa.h" in names
    assert "viz/tour/tour.session.json" in names and "viz/guide/first-minute.md" in names
    assert any(name.startswith("torch_utils/ops/lib/libaliasfree") for name in names)
    assert not wheel.name.endswith("-any.whl")  # what is compiled fits one kind of machine
    assert not any(name.startswith("tests/") for name in names)
