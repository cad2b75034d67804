"""Damaged files: a correct load or a LoadError, never anything else, within bounds of memory and time."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from networks.loading.catalogue import BUNDLED_FOLDER
from tests.networks.loading.pickles import GOLDEN

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of memory are those of Linux")

FILES = {
    "tiny_t.pkl": (GOLDEN / "tiny_t.pkl", 500),
    "tiny_sg2_tf.pkl": (GOLDEN / "tiny_sg2_tf.pkl", 500),
    "globe-r-64.safetensors": (BUNDLED_FOLDER / "globe-r-64.safetensors", 60),
}


@pytest.mark.parametrize("name", FILES)
def test_damaged_files_load_or_are_refused(name):
    path, count = FILES[name]
    code = [sys.executable, "-W", "error", "-m", "tests.networks.loading.fuzz", str(path), str(count)]
    done = subprocess.run(code, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    results = json.loads(done.stdout)
    assert results["failures"] == []
    assert results["loaded"] > 0 and results["refused"] > count / 4  # both really happen
    assert results["loaded"] + results["refused"] == count
