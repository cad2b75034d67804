"""Builds the native kernels (plain C++ with a C ABI) once per user and machine, and finds them again.

No torch headers and no Python headers are involved: the result is one shared library that ctypes can open, so it does not depend on
the versions of torch or Python. The sources are `torch_utils/ops/csrc/*.cpp`. A source whose first lines hold

    // variants: generic avx2 avx512

is compiled once for each variant that the processor family can have, with AF_ISA set to the variant's name; `isa.h` says how the
symbols are named and how the right one is chosen at run time. Other sources are compiled once, for the family's oldest processor.

A build happens in a directory of its own and is renamed into place when complete. So an interrupted build leaves nothing that a later
start could mistake for a library, and two processes may build at once (the last rename wins, both results are the same). They seldom do:
a start waits for another that is building, as long as that one lives and no longer than a build may take.
Nothing here runs at import. `python -m torch_utils.native_build --out DIR` makes the library that a wheel carries.
"""

import argparse
import hashlib
import json
import logging
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from . import own_code
from .children import run, turn

log = logging.getLogger(__name__)

SOURCES = Path(__file__).parent / "ops" / "csrc"
PREBUILT = Path(__file__).parent / "ops" / "lib"
APPLICATION = "aliasfree-visualizer"
TIMEOUT_S = 300.0
WAIT_S = TIMEOUT_S  # for another start that is building
VERSION_S = 10.0
KEPT_BUILDS = 6

_FLAGS: tuple[str, ...] = (
    *("-std=c++17", "-fPIC", "-fvisibility=hidden", "-Wall"),
    *("-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math"),
)
_VARIANT_FLAGS: dict[str, tuple[str, ...]] = {
    "generic": (),
    "avx2": ("-mavx2", "-mfma", "-mf16c", "-mprfchw"),
    "avx512": ("-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mavx2", "-mfma", "-mf16c", "-mprfchw", "-mprefer-vector-width=512"),
    "avx512bf16": (
        *("-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mavx2", "-mfma", "-mf16c", "-mprfchw"),
        *("-mavx512bf16", "-mprefer-vector-width=512"),
    ),
}
_OPENMP = "-fopenmp"
_SEAL = b"\nsha256 of all before this line: "
_SANITIZERS = ("address", "undefined", "thread", "address,undefined")


class NativeUnavailable(Exception):
    """Why there is no native library, and what would change that."""


@dataclass(frozen=True)
class Toolchain:
    """The compiler and everything else that decides what a build gives."""

    compiler: str
    version: str
    flags: tuple[str, ...]
    system: str = platform.system()
    machine: str = platform.machine().lower()

    def key(self) -> str:
        text = json.dumps([self.compiler, self.version, self.flags, self.system, self.machine, _VARIANT_FLAGS], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def library_name() -> str:
    return "libaliasfree.dylib" if platform.system() == "Darwin" else "libaliasfree.so"


def source_files(sources: Path = SOURCES) -> list[Path]:
    return sorted(path for path in sources.iterdir() if path.suffix in (".cpp", ".h"))


def source_hash(sources: Path = SOURCES) -> str:
    """Changes when any source changes; the library carries it (af_source_hash), so that a stale one is recognised."""
    digest = hashlib.sha256()
    for path in source_files(sources):
        text = path.read_bytes()
        digest.update(f"{path.name}:{len(text)}:".encode() + text)
    return digest.hexdigest()[:16]


def cache_dir() -> Path:
    """Where this user's builds for this kind of machine are kept."""
    import platformdirs

    return Path(platformdirs.user_cache_dir(APPLICATION, appauthor=False)) / "native"


def _flags(sanitizer: str | None) -> tuple[str, ...]:
    if sanitizer is None:
        flags = [*_FLAGS, "-O3"]
    else:  # every access is checked without optimization too, and compiling takes a third of the time
        flags = [*_FLAGS, "-O0", "-g", "-fno-omit-frame-pointer", f"-fsanitize={sanitizer}"]
    if platform.system() == "Linux":  # the thread sanitizer does not know this OpenMP's barriers: its tests bring a stand-in
        flags.append(_OPENMP)
    return tuple(flags)


def find_toolchain(*, sanitizer: str | None = None) -> Toolchain:
    """The first compiler that answers: $CXX, then g++, then c++, then clang++."""
    if platform.system() not in ("Linux", "Darwin"):
        raise NativeUnavailable(f"native kernels are not built on {platform.system()} yet")
    silent = ""
    for name in (os.environ.get("CXX", ""), "g++", "c++", "clang++"):
        compiler = shutil.which(name) if name else None
        if compiler is None:
            continue
        try:
            command = [compiler, "--version"]
            answer = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=VERSION_S, stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            silent = f"the C++ compiler {compiler} did not even say its version within {VERSION_S:g} s"
            continue
        except OSError:
            continue
        if answer.returncode == 0 and answer.stdout:
            return Toolchain(compiler, answer.stdout.splitlines()[0], _flags(sanitizer))
    if silent:
        raise NativeUnavailable(f"{silent}; set CXX to one that works")
    how = "xcode-select --install" if platform.system() == "Darwin" else "sudo apt-get install g++"
    raise NativeUnavailable(f"no C++ compiler found; {how} makes this about 20x faster")


def variants_of(source: Path, machine: str) -> tuple[str, ...]:
    """The variants that `source` asks for and `machine` can have; empty: compiled once, without AF_ISA."""
    head = source.read_text(encoding="utf-8")[:400].splitlines()[:5]
    for line in head:
        if line.startswith("// variants:"):
            named = line.removeprefix("// variants:").split()
            unknown = set(named) - set(_VARIANT_FLAGS)
            if unknown:
                raise ValueError(f"{source.name}: unknown variants {sorted(unknown)}")
            return tuple(named) if machine in ("x86_64", "amd64") else ("generic",)
    return ()


def _ninja() -> str:
    found = shutil.which("ninja", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
    if found is None:
        try:
            import ninja
        except ImportError:
            raise NativeUnavailable("ninja not found; pip install ninja") from None
        found = str(Path(ninja.BIN_DIR) / "ninja")
    return found


def _quote(value: str | Path) -> str:
    """One word of a command line inside a ninja file."""
    return "'" + str(value).replace("$", "$$").replace("'", "'\\''").replace("\n", " ") + "'"


def _path(value: str | Path) -> str:
    """A path in a ninja build statement."""
    return str(value).replace("$", "$$").replace(" ", "$ ").replace(":", "$:")


def _ninja_file(toolchain: Toolchain, sources: Path, library: str) -> str:
    digest = source_hash(sources)
    command = " ".join(_quote(word) for word in (toolchain.compiler, *toolchain.flags, f'-DAF_SOURCE_HASH="{digest}"'))
    lines = [
        "rule compile",
        f"  command = {command} $extra -c $in -o $out",
        "  description = $out",
        "rule link",
        f"  command = {' '.join(_quote(w) for w in (toolchain.compiler, *toolchain.flags))} -shared $in -o $out",
        "",
    ]
    objects = []
    for source in source_files(sources):
        if source.suffix != ".cpp":
            continue
        variants = variants_of(source, toolchain.machine)
        for variant in variants or ("",):
            output = f"{source.stem}.{variant or 'all'}.o"
            extra = [f"-DAF_ISA={variant}", *_VARIANT_FLAGS[variant]] if variant else []
            lines += [f"build {output}: compile {_path(source)}", f"  extra = {' '.join(extra)}"]
            objects.append(output)
    return "\n".join([*lines, f"build {library}: link {' '.join(objects)}", f"default {library}", ""])


def _run(command: Sequence[str], directory: Path, timeout_s: float) -> None:
    try:
        status, output = run(command, directory, timeout_s)
    except subprocess.TimeoutExpired:
        raise NativeUnavailable(f"the native build took longer than {timeout_s:g} s and was ended") from None
    if status != 0:
        raise NativeUnavailable(f"the native build failed: {_first_error(output)}")


def _first_error(output: str) -> str:
    lines = [line for line in output.splitlines() if "error" in line.lower()] or output.splitlines()[-3:]
    return " / ".join(line.strip() for line in lines[:3])[:600]


def build(out: Path, *, sources: Path = SOURCES, sanitizer: str | None = None, timeout_s: float = TIMEOUT_S) -> Path:
    """Compiles the library into directory `out`, in one atomic step, and returns its path. Raises NativeUnavailable."""
    if sanitizer is not None and sanitizer not in _SANITIZERS:
        raise ValueError(f"sanitizer is {sanitizer!r}; known are {', '.join(_SANITIZERS)}")
    toolchain = find_toolchain(sanitizer=sanitizer)
    out = Path(out).absolute()
    started = time.monotonic()
    try:
        out.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".build-", dir=out))
    except OSError as error:
        raise NativeUnavailable(f"cannot write to {out}: {error.strerror}") from error
    log.info("building the native kernels with %s (once; some seconds)", toolchain.version)
    try:
        try:
            _compile(toolchain, sources, work, timeout_s)
        except NativeUnavailable as error:
            if _OPENMP not in toolchain.flags or "omp" not in str(error).lower():
                raise
            log.warning("this compiler has no OpenMP; the native kernels will use one thread")
            toolchain = replace(toolchain, flags=tuple(flag for flag in toolchain.flags if flag != _OPENMP))
            _compile(toolchain, sources, work, timeout_s)
        (work / library_name()).replace(out / library_name())
    except OSError as error:
        raise NativeUnavailable(f"the native build failed: {error}") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    log.info("native kernels built in %.1f s", time.monotonic() - started)
    return out / library_name()


def _compile(toolchain: Toolchain, sources: Path, work: Path, timeout_s: float) -> None:
    (work / "build.ninja").write_text(_ninja_file(toolchain, sources.resolve(), library_name()), encoding="utf-8")
    _run([_ninja(), "-C", str(work)], work, timeout_s)
    if not (work / library_name()).is_file():
        named = f"{toolchain.compiler} ({toolchain.version[:80]})"
        raise NativeUnavailable(f"{named} reported no error and made no library; set CXX to another one")
    _seal(work / library_name())


def _seal(path: Path) -> None:
    """Appends the file's checksum and waits for the disk. (Opening a library that a full disk cut short ends the process.)"""
    with path.open("r+b") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
        if platform.system() == "Linux":  # elsewhere, code signatures allow nothing after the end
            file.write(_SEAL + digest.encode())
        path.chmod(0o755)  # whatever the umask: `own_code` takes no library that others may write
        file.flush()
        os.fsync(file.fileno())


def is_whole(path: Path) -> bool:
    """Whether there is a library at `path`, as it was when built."""
    if not path.is_file():
        return False
    content = path.read_bytes()
    body, seal, digest = content[:-64][: -len(_SEAL)], content[:-64][-len(_SEAL) :], content[-64:]
    return platform.system() != "Linux" or (seal == _SEAL and digest == hashlib.sha256(body).hexdigest().encode())


def find_or_build(*, timeout_s: float = TIMEOUT_S, fresh: bool = False) -> Path:
    """The library for the present sources: the one in the package, this user's, or a new one. `fresh` builds in any case."""
    digest = source_hash()
    prebuilt = PREBUILT / library_name()
    if not fresh and is_whole(prebuilt) and _carries(prebuilt, digest):
        return prebuilt
    family = f"{platform.system()}-{platform.machine()}-{digest}".lower()
    root = cache_dir()
    _require_own(root.parent, root)
    try:
        toolchain = find_toolchain()
    except NativeUnavailable:
        kept = () if fresh else root.glob(f"{family}-*/{library_name()}")
        earlier = [path for path in kept if not own_code.why_not_own(path.parent) and _is_ours(path)]
        if not earlier:
            raise
        return earlier[0]  # built when there was still a compiler
    directory = root / f"{family}-{toolchain.key()}"
    _require_own(directory)
    path = directory / library_name()
    before = _stamp(path) if fresh else None

    def there() -> bool:
        return _stamp(path) != before and _is_ours(path)

    if there():
        return path
    with turn(directory / ".turn", WAIT_S, there):
        if there():  # another start has built it meanwhile
            return path
        _require_own(root.parent, root, directory)  # once more: they may just have been made, with anybody's rights
        build(directory, timeout_s=timeout_s)
    _prune(root, keep=directory)
    return path


def _require_own(*folders: Path) -> None:
    if why := own_code.why_not_own(*folders):
        raise NativeUnavailable(f"{why}: {own_code.ADVICE}")


def _is_ours(path: Path) -> bool:
    """Whether there is a whole library that nobody else can have put there."""
    return own_code.is_own(path) and is_whole(path)


def _stamp(path: Path) -> int | None:
    """Changes when the file does; None where there is none."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None


def _carries(library: Path, digest: str) -> bool:
    return digest.encode() in library.read_bytes()


def _prune(root: Path, keep: Path) -> None:
    """Old builds, and what interrupted builds left a day ago or earlier."""
    builds = sorted((p for p in root.iterdir() if p.is_dir() and p != keep), key=lambda p: p.stat().st_mtime, reverse=True)
    for old in builds[KEPT_BUILDS - 1 :]:
        shutil.rmtree(old, ignore_errors=True)
    for left in root.glob("*/.build-*"):
        try:
            stale = time.time() - left.stat().st_mtime > 86400
        except OSError:
            continue  # its own process has just removed it
        if stale:
            shutil.rmtree(left, ignore_errors=True)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m torch_utils.native_build", description="Compile the native kernels into a directory.")
    parser.add_argument("--out", type=Path, default=PREBUILT, help="directory for the library (default: the package's own)")
    parser.add_argument("--sanitizer", choices=_SANITIZERS, help="instrument the library, for tests")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        print(build(options.out, sanitizer=options.sanitizer))
    except NativeUnavailable as error:
        print(f"no native kernels: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
