"""Compiles the CUDA kernels when they are first needed, for the GPU at hand, and keeps the results on disk.

The compiler is NVRTC, which comes with every CUDA build of torch, called through NVIDIA's `cuda-bindings`; no toolkit, host compiler or
header is needed. Where there is no NVRTC, nvcc is used if it is on the path. A kernel is a source of `torch_utils/ops/csrc/cuda` with
definitions, so that sizes are constants in it; compiling one takes a fraction of a second. Nothing here needs a GPU, torch, or a
driver, and nothing runs at import. `cuda_driver` loads and launches what is made here.

A result is written beside its name and renamed, with its own checksum, so that an interrupted or damaged one is never used.
"""

from __future__ import annotations

import hashlib
import importlib
import logging
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from . import own_code
from .atomic import atomic
from .native_build import APPLICATION

log = logging.getLogger(__name__)

SOURCES = Path(__file__).parent / "ops" / "csrc" / "cuda"
ARCHITECTURES = (75, 80, 86, 89, 90, 100)  # what the tests compile for; others work if the compiler knows them
TIMEOUT_S = 120.0
THREADS = 256  # a block, where a kernel says nothing else; as in portable.cuh
_DIGEST = 64  # hexadecimal digits of a SHA-256


class CudaUnavailable(Exception):
    """Why a kernel cannot be compiled or loaded, and what would change that."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """One variant of one source: `name`.cu, whose entry is af_`name`, what is defined for it, and the threads of its blocks."""

    name: str
    defines: tuple[tuple[str, str | int], ...]
    threads: int = THREADS

    @property
    def entry(self) -> str:
        return f"af_{self.name}"

    def flags(self) -> list[str]:
        return ["--std=c++17", *(f"-DAF_{name}={value}" for name, value in self.defines)]


@dataclass(frozen=True, slots=True)
class Binary:
    """Machine code for one architecture (or PTX, for one newer than the compiler), and what the compiler said of it."""

    code: bytes
    report: str


@dataclass(frozen=True, slots=True)
class Compiler:
    """A way to compile: `compile(kernel, capability)`, where capability 90 stands for sm_90. `version` decides what is kept on disk."""

    version: str
    capabilities: tuple[int, ...]
    compile: Callable[[Kernel, str], Binary]

    def target(self, capability: int) -> str:
        """sm_90 for 90; where it is not known, the newest older one as PTX, which the driver translates."""
        if capability in self.capabilities:
            return f"sm_{capability}"
        older = [known for known in self.capabilities if known < capability]
        if not older:
            raise CudaUnavailable(f"{self.version} does not compile for a GPU of capability {capability / 10:.1f}")
        return f"compute_{max(older)}"


def sources() -> dict[str, str]:
    """All sources and headers, by file name."""
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(SOURCES.iterdir()) if path.suffix in (".cu", ".cuh")}


@lru_cache(maxsize=1)
def find_compiler() -> Compiler:
    """NVRTC, otherwise nvcc. Raises CudaUnavailable with both reasons."""
    try:
        return nvrtc_compiler()
    except CudaUnavailable as error:
        try:
            return nvcc_compiler()
        except CudaUnavailable as other:
            raise CudaUnavailable(f"{error}; {other}") from None


def bindings(part: str) -> Any:
    """A module of NVIDIA's `cuda-bindings`, which is optional: "nvrtc" or "driver". Raises CudaUnavailable."""
    try:
        return importlib.import_module(f"cuda.bindings.{part}")
    except ImportError as error:
        raise CudaUnavailable(f"cuda-bindings cannot be imported ({error}); pip install 'aliasfree-visualizer[cuda]'") from None


def nvrtc_compiler() -> Compiler:
    """The run-time compiler. Raises CudaUnavailable."""
    nvrtc = bindings("nvrtc")
    try:
        major, minor = _nvrtc(nvrtc.nvrtcVersion())
        capabilities = tuple(_nvrtc(nvrtc.nvrtcGetSupportedArchs())[0])
    except Exception as error:  # the loader's own kinds, which say that the library is not there
        raise CudaUnavailable(f"NVRTC cannot be used ({type(error).__name__}: {error}); a CUDA build of torch brings it") from None
    return Compiler(f"NVRTC {major}.{minor}", capabilities, _compile_nvrtc)


def _nvrtc(answer: tuple[Any, ...]) -> tuple[Any, ...]:
    """What a call of NVRTC gave, without its error code."""
    if answer[0] != bindings("nvrtc").nvrtcResult.NVRTC_SUCCESS:
        raise CudaUnavailable(f"NVRTC: {answer[0].name}")
    return answer[1:]


def _compile_nvrtc(kernel: Kernel, target: str) -> Binary:
    nvrtc = bindings("nvrtc")
    files = sources()
    headers = [name for name in files if name.endswith(".cuh")]
    main = f"{kernel.name}.cu"
    contents = [files[name].encode() for name in headers]
    (program,) = _nvrtc(
        nvrtc.nvrtcCreateProgram(files[main].encode(), main.encode(), len(headers), contents, [name.encode() for name in headers])
    )
    options = [*kernel.flags(), f"--gpu-architecture={target}", "--ptxas-options=-v"]
    try:
        (error,) = nvrtc.nvrtcCompileProgram(program, len(options), [option.encode() for option in options])
        report = _text(nvrtc.nvrtcGetProgramLogSize, nvrtc.nvrtcGetProgramLog, program).rstrip(b"\0").decode(errors="replace")
        if error != nvrtc.nvrtcResult.NVRTC_SUCCESS:
            raise CudaUnavailable(f"{kernel} does not compile for {target}: {_first_errors(report)}")
        if target.startswith("sm_"):
            return Binary(_text(nvrtc.nvrtcGetCUBINSize, nvrtc.nvrtcGetCUBIN, program), report)
        return Binary(_text(nvrtc.nvrtcGetPTXSize, nvrtc.nvrtcGetPTX, program), report)
    finally:
        nvrtc.nvrtcDestroyProgram(program)


def _text(size_of: Callable, read: Callable, program: object) -> bytes:
    (size,) = _nvrtc(size_of(program))
    if size <= 1:  # nothing but the final 0; and Python shares one object among all equal bytes of length 1
        return b""
    text = b"\0" * size  # which the bindings fill
    _nvrtc(read(program, text))
    return text


def nvcc_compiler() -> Compiler:
    """The toolkit's compiler, if it is on the path. Raises CudaUnavailable."""
    path = shutil.which("nvcc")
    if path is None:
        raise CudaUnavailable("nvcc is not on the path")
    version = _run([path, "--version"]).strip().splitlines()[-1]
    known = tuple(int(line.removeprefix("sm_")) for line in _run([path, "--list-gpu-code"]).split() if line.removeprefix("sm_").isdigit())
    return Compiler(f"nvcc, {version}", known, lambda kernel, target: _compile_nvcc(path, kernel, target))


def _compile_nvcc(path: str, kernel: Kernel, target: str) -> Binary:
    kind = "-cubin" if target.startswith("sm_") else "-ptx"
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "kernel"
        source = SOURCES / f"{kernel.name}.cu"
        report = _run([path, kind, f"-arch={target}", "-Xptxas", "-v", *kernel.flags(), "-o", str(out), str(source)])
        return Binary(out.read_bytes(), report)


def _run(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, stdin=subprocess.DEVNULL, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CudaUnavailable(f"{command[0]} does not answer: {error}") from None
    if done.returncode != 0:
        raise CudaUnavailable(f"{' '.join(command[:3])} failed: {_first_errors(done.stdout + done.stderr)}")
    return done.stdout + done.stderr


def _first_errors(report: str) -> str:
    lines = [line for line in report.splitlines() if "error" in line.lower()] or report.splitlines()
    return " / ".join(line.strip() for line in lines[:3])[:600]


def cache_dir() -> Path:
    """Where this user's compiled kernels are kept."""
    import platformdirs

    return Path(platformdirs.user_cache_dir(APPLICATION, appauthor=False)) / "cuda"


@lru_cache(maxsize=1)
def _sources_digest() -> str:
    return hashlib.sha256(repr(sources()).encode()).hexdigest()


def machine_code(kernel: Kernel, capability: int, *, compiler: Compiler | None = None, folder: Path | None = None) -> bytes:
    """The kernel for a GPU of this capability (90 for sm_90): from disk, or compiled now and kept. Raises CudaUnavailable."""
    compiler = compiler or find_compiler()
    folder = folder or cache_dir()
    target = compiler.target(capability)
    key = hashlib.sha256(repr((_sources_digest(), kernel, target, compiler.version)).encode()).hexdigest()[:32]
    path = folder / f"{kernel.name}-{target}-{key}"
    foreign = own_code.why_not_own(folder.parent, folder)
    kept = None if foreign else _read(path)
    if kept is not None:
        return kept
    started = time.perf_counter()
    code = compiler.compile(kernel, target).code
    log.info("compiled %s for %s with %s in %.2f s (once)", kernel.entry, target, compiler.version, time.perf_counter() - started)
    if foreign:
        log.warning("a compiled kernel is not kept: %s; set XDG_CACHE_HOME to a folder of your own", foreign)
        return code
    try:
        _write(path, code)
    except OSError as error:
        log.warning("a compiled kernel cannot be kept in %s: %s", folder, error.strerror)
    return code


def _read(path: Path) -> bytes | None:
    if not own_code.is_own(path):
        return None
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, code = content[:_DIGEST], content[_DIGEST:]
    return code if code and hashlib.sha256(code).hexdigest().encode() == digest else None


def _write(path: Path, code: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as new:
        new.write_bytes(hashlib.sha256(code).hexdigest().encode() + code)
    path.chmod(0o644)  # whatever the umask: `own_code` takes none that others may write
