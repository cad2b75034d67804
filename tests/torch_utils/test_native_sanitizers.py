"""The native filters under the address, undefined-behaviour and thread sanitizers: a small program of its own, without Python and torch."""

import os
import subprocess
from pathlib import Path

import pytest

from torch_utils import native_build
from torch_utils.native_build import NativeUnavailable, build, find_toolchain

DRIVER = Path(__file__).with_name("native_driver.cpp")
FILTERS = ("isa", "resample", "direct")  # the sources under test here begin so


def compile_driver(folder: Path, sanitizer: str) -> Path:
    sources = folder / "sources"
    sources.mkdir()
    for path in native_build.source_files():
        if path.name.startswith(FILTERS):
            (sources / path.name).symlink_to(path)
    try:
        toolchain = find_toolchain(sanitizer=sanitizer)
        library = build(folder / "out", sources=sources, sanitizer=sanitizer)
    except NativeUnavailable as error:
        pytest.skip(f"cannot be built here: {error}")
    program = folder / "driver"
    command = [toolchain.compiler, *toolchain.flags, f"-I{native_build.SOURCES}", str(DRIVER), str(library), f"-Wl,-rpath,{library.parent}"]
    subprocess.run([*command, "-pthread", "-o", str(program)], check=True, timeout=120)
    return program


@pytest.mark.slow
@pytest.mark.parametrize("sanitizer, threads, count", [("address,undefined", 1, 300), ("thread", 3, 40)])
def test_no_sanitizer_complains(tmp_path, sanitizer, threads, count):
    program = compile_driver(tmp_path, sanitizer)
    environment = os.environ | {
        "ASAN_OPTIONS": "detect_leaks=0",  # each thread keeps its working memory
        "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
        "TSAN_OPTIONS": "halt_on_error=1",
    }
    result = subprocess.run([program, str(threads), str(count)], env=environment, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, (result.stdout + result.stderr)[-4000:]
    assert result.stdout.startswith("levels 0 to ")
