"""The native kernels under the address, undefined-behaviour and thread sanitizers: small programs without Python and torch."""

import os
import subprocess
from pathlib import Path

import pytest

from torch_utils import native_build
from torch_utils.native_build import NativeUnavailable, build, find_toolchain

HERE = Path(__file__).parent
OPENMP = HERE / "sanitized_openmp.cpp"
SOURCES = {
    "native_driver": ("isa", "pages", "resample", "direct"),
    "native_conv_driver": ("isa", "conv", "gemm", "demodulate"),
}  # how the files under test begin


def copy_sources(folder: Path, beginnings: tuple[str, ...]) -> Path:
    folder.mkdir()
    for path in native_build.source_files():
        if path.name.startswith(beginnings):
            (folder / path.name).symlink_to(path)
    return folder


def compile_driver(folder: Path, driver: str, sanitizer: str) -> Path:
    try:
        toolchain = find_toolchain(sanitizer=sanitizer)
        build(folder / "least", sources=copy_sources(folder / "least sources", ("isa",)), sanitizer=sanitizer)
    except NativeUnavailable as error:
        pytest.skip(f"no sanitizer here: {error}")
    library = build(folder / "out", sources=copy_sources(folder / "sources", SOURCES[driver]), sanitizer=sanitizer)
    if sanitizer == "thread" and "clang" in toolchain.version:
        pytest.skip("the stand-in for OpenMP has the entry points of GCC's only")
    program = folder / "driver"
    parts = [str(HERE / f"{driver}.cpp"), *([str(OPENMP), "-rdynamic"] if sanitizer == "thread" else [])]
    command = [toolchain.compiler, *toolchain.flags, f"-I{native_build.SOURCES}", *parts, str(library), f"-Wl,-rpath,{library.parent}"]
    subprocess.run([*command, "-pthread", "-o", str(program)], check=True, timeout=120)
    return program


@pytest.mark.slow
@pytest.mark.parametrize(
    "driver, sanitizer, arguments",
    [
        ("native_driver", "address,undefined", ("1", "300")),
        ("native_driver", "thread", ("3", "40")),
        ("native_conv_driver", "address,undefined", ("1", "1")),
        ("native_conv_driver", "thread", ("2", "5")),
    ],
)
def test_no_sanitizer_complains(tmp_path, driver, sanitizer, arguments):
    program = compile_driver(tmp_path, driver, sanitizer)
    environment = os.environ | {
        "ASAN_OPTIONS": "detect_leaks=0",  # each thread keeps its working memory
        "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
        "TSAN_OPTIONS": "halt_on_error=1",
    }
    result = subprocess.run([program, *arguments], env=environment, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, (result.stdout + result.stderr)[-4000:]
    assert result.stdout.startswith("levels 0 to ")
