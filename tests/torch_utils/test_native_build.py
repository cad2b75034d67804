"""The native build: found, built once, never poisoned by what went wrong before, and never hanging."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from torch_utils import children, native_build, native_library, own_code
from torch_utils.native_build import NativeUnavailable, build, library_name

ROOT = Path(__file__).resolve().parents[2]
GOOD = """
#ifndef AF_SOURCE_HASH
#define AF_SOURCE_HASH ""
#endif
extern "C" __attribute__((visibility("default"))) const char *af_source_hash(void) { return "source " AF_SOURCE_HASH; }
extern "C" __attribute__((visibility("default"))) int af_level(void) { return 0; }
extern "C" __attribute__((visibility("default"))) int af_has_openmp(void) { return 0; }
extern "C" __attribute__((visibility("default"))) void af_limit_level(int) {}
"""


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    folder = tmp_path / "some sources's $folder"  # a path that careless quoting would break
    folder.mkdir()
    (folder / "small.cpp").write_text(GOOD)
    return folder


@pytest.fixture
def own_cache(tmp_path, monkeypatch, sources):
    """A cache, a prebuilt folder and sources of this test's own, and a library module that has opened nothing yet."""
    cache = tmp_path / "cache"
    monkeypatch.setattr(native_build, "cache_dir", lambda: cache)
    monkeypatch.setattr(native_build, "PREBUILT", tmp_path / "lib")
    monkeypatch.setattr(native_build, "SOURCES", sources)
    monkeypatch.setattr(native_build.source_hash, "__defaults__", (sources,))
    monkeypatch.setattr(native_build.build, "__kwdefaults__", native_build.build.__kwdefaults__ | {"sources": sources})
    monkeypatch.setattr(native_library, "_library", None)
    monkeypatch.setattr(native_library, "_failure", None)
    return cache


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def slow_compiler(tmp_path: Path) -> str:
    """Answers --version at once and then takes a minute for everything; leaves its process id."""
    return script(tmp_path / "slow-c++", f'[ "$1" = --version ] && echo slow 1.0 && exit 0\necho $$ > "{tmp_path}/pid"\nexec sleep 60')


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"


def until(condition, seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_a_build_is_complete_and_leaves_nothing_else(sources, tmp_path):
    out = tmp_path / "an out's folder"
    library = build(out, sources=sources)
    opened = ctypes.CDLL(str(library))
    opened.af_source_hash.restype = ctypes.c_char_p
    assert opened.af_source_hash().decode() == "source " + native_build.source_hash(sources)
    assert [path.name for path in out.iterdir()] == [library_name()]


def test_the_source_hash_changes_with_every_source_and_name(sources):
    first = native_build.source_hash(sources)
    (sources / "more.h").write_text("// nothing")
    second = native_build.source_hash(sources)
    (sources / "more.h").rename(sources / "other.h")
    assert len({first, second, native_build.source_hash(sources)}) == 3


def test_a_broken_source_tells_the_compilers_message_and_leaves_nothing(sources, tmp_path):
    (sources / "broken.cpp").write_text("int f() { return undeclared_thing; }")
    with pytest.raises(NativeUnavailable, match="undeclared_thing"):
        build(tmp_path / "out", sources=sources)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_broken_build_keeps_the_library_that_was_there(sources, tmp_path):
    library = build(tmp_path / "out", sources=sources)
    before = library.read_bytes()
    (sources / "broken.cpp").write_text("#error no")
    with pytest.raises(NativeUnavailable):
        build(tmp_path / "out", sources=sources)
    assert library.read_bytes() == before


def test_a_build_that_hangs_is_ended_with_its_compilers(sources, tmp_path, monkeypatch):
    monkeypatch.setenv("CXX", slow_compiler(tmp_path))
    started = time.monotonic()
    with pytest.raises(NativeUnavailable, match="longer than 1 s"):
        build(tmp_path / "out", sources=sources, timeout_s=1)
    assert time.monotonic() - started < 20
    assert until(lambda: gone(int((tmp_path / "pid").read_text())))
    assert list((tmp_path / "out").iterdir()) == []


def test_compilers_end_with_the_program_that_started_them(sources, tmp_path):
    """Also where they were started by a thread that the end of the program does not wait for."""
    out, pid = tmp_path / "out", tmp_path / "pid"
    code = f"""
import pathlib, threading, time, visualizer
from torch_utils import native_build
given = {{"sources": pathlib.Path({str(sources)!r})}}
threading.Thread(target=native_build.build, args=(pathlib.Path({str(out)!r}),), kwargs=given, daemon=True).start()
while not pathlib.Path({str(pid)!r}).exists():
    time.sleep(0.01)
visualizer.leave(0)
"""
    environment = {**os.environ, "CXX": slow_compiler(tmp_path)}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=True, timeout=60)
    compiler = int(pid.read_text())
    assert until(lambda: gone(compiler))


def test_a_compiler_that_talks_in_another_encoding_is_understood(sources, tmp_path, monkeypatch):
    said = r"printf '\\253Fehler\\273 error: nichts geht\\n'"
    compiler = script(tmp_path / "latin-c++", f'{said}\n[ "$1" = --version ] || exit 1')
    monkeypatch.setenv("CXX", compiler)
    with pytest.raises(NativeUnavailable, match=r"Fehler.*nichts geht"):
        build(tmp_path / "out", sources=sources)


def test_without_a_compiler_the_reason_says_what_to_do(own_cache, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(NativeUnavailable, match=r"no C\+\+ compiler found; .* makes this about 20x faster"):
        native_library.library()


@pytest.mark.parametrize(
    ("does", "said"),
    [
        ("exec sleep 60", r"g\+\+ did not even say its version within 0.2 s; set CXX"),
        ("echo bananas", r"g\+\+ \(bananas\) reported no error and made no library; set CXX"),
    ],
)
def test_a_compiler_that_is_none_is_named(own_cache, monkeypatch, tmp_path, does, said):
    ninja = native_build._ninja()
    monkeypatch.setattr(native_build, "_ninja", lambda: ninja)
    monkeypatch.setattr(native_build, "VERSION_S", 0.2)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.delenv("CXX", raising=False)
    for name in ("g++", "c++", "clang++"):
        script(tmp_path / name, does)
    with pytest.raises(NativeUnavailable, match=said):
        native_library.library()
    assert not any(own_cache.rglob("*.so"))


def test_a_library_built_earlier_serves_without_a_compiler(own_cache, monkeypatch, tmp_path):
    built = native_build.find_or_build()
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    assert native_build.find_or_build() == built


def test_the_second_start_builds_nothing(own_cache, monkeypatch):
    first = native_build.find_or_build()
    monkeypatch.setattr(native_build, "build", lambda *_, **__: pytest.fail("built again"))
    assert native_build.find_or_build() == first


def test_other_flags_or_sources_get_a_library_of_their_own(own_cache, monkeypatch, sources):
    first = native_build.find_or_build()
    (sources / "more.h").write_text("// nothing")
    second = native_build.find_or_build()
    monkeypatch.setattr(native_build, "_FLAGS", (*native_build._FLAGS, "-DOTHER"))
    assert len({first, second, native_build.find_or_build()}) == 3


def test_a_failure_is_remembered_until_asked_again(own_cache, monkeypatch, sources):
    (sources / "broken.cpp").write_text("#error not today")
    with pytest.raises(NativeUnavailable, match="not today"):
        native_library.library()
    (sources / "broken.cpp").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(native_library, "find_or_build", lambda **_: pytest.fail("tried again without being asked"))
        with pytest.raises(NativeUnavailable, match="not today"):
            native_library.library()
    assert native_library.library(retry=True).af_level() == 0


@pytest.mark.parametrize("damage", [lambda _: b"", lambda _: b"not a library", lambda whole: whole[:700]], ids=["empty", "garbage", "cut"])
def test_a_damaged_library_is_built_again(own_cache, damage):
    path = native_build.find_or_build()
    path.write_bytes(damage(path.read_bytes()))
    assert not native_build.is_whole(path)
    assert native_library.library().af_level() == 0
    assert native_build.is_whole(path)


def test_a_library_of_another_interface_is_built_again(own_cache, sources):
    """Its seal and place are right, its contents are not: opening it finds out."""
    path = native_build.find_or_build()
    (sources / "small.cpp").write_text("int nothing;")
    other = build(path.parent.parent / "other", sources=sources)
    (sources / "small.cpp").write_text(GOOD)
    other.replace(path)
    assert native_library.library().af_level() == 0


def test_a_prebuilt_library_is_used_only_for_its_own_sources(own_cache, sources, monkeypatch):
    prebuilt = build(native_build.PREBUILT, sources=sources)
    assert native_build.find_or_build() == prebuilt
    (sources / "more.h").write_text("// changed since")
    assert native_build.find_or_build() != prebuilt


def test_what_an_interrupted_build_left_disturbs_nobody_and_is_removed(own_cache):
    path = native_build.find_or_build()
    fresh, old = path.parent / ".build-fresh", path.parent / ".build-old"
    fresh.mkdir()
    old.mkdir()
    os.utime(old, (1, 1))
    assert native_build.find_or_build(fresh=True) == path
    assert fresh.is_dir()
    assert not old.exists()


def build_in_a_process(sources: Path, out: Path, **environment: str) -> subprocess.Popen:
    code = "import sys, pathlib as p; from torch_utils.native_build import build; build(p.Path(sys.argv[1]), sources=p.Path(sys.argv[2]))"
    return subprocess.Popen([sys.executable, "-c", code, str(out), str(sources)], cwd=ROOT, env=os.environ | environment)


def test_two_processes_that_build_at_once_both_succeed(sources, tmp_path):
    processes = [build_in_a_process(sources, tmp_path / "out") for _ in range(3)]
    assert [process.wait(timeout=120) for process in processes] == [0, 0, 0]
    assert [path.name for path in (tmp_path / "out").iterdir()] == [library_name()]
    ctypes.CDLL(str(tmp_path / "out" / library_name()))


def starts(monkeypatch) -> tuple[list[int], threading.Event, threading.Event]:
    """Builds that were begun; each waits for the first event. The second is set once a start waits for another one."""
    begun, go, waits, build = [], threading.Event(), threading.Event(), native_build.build

    def slow(*given, **more):
        begun.append(1)
        assert go.wait(60)
        return build(*given, **more)

    monkeypatch.setattr(native_build, "build", slow)
    monkeypatch.setattr(children.time, "sleep", lambda _: waits.set())
    return begun, go, waits


def test_two_starts_on_a_clean_cache_compile_once(own_cache, monkeypatch):
    begun, go, waits = starts(monkeypatch)
    with ThreadPoolExecutor(2) as pool:
        found = [pool.submit(native_build.find_or_build) for _ in range(2)]
        try:
            assert waits.wait(60)
        finally:
            go.set()
        assert len({each.result(60) for each in found}) == len(begun) == 1


@pytest.mark.parametrize("dead", [True, False], ids=["dead", "hanging"])
def test_a_start_that_died_or_hangs_holds_up_the_next_one_no_longer_than_its_deadline(own_cache, monkeypatch, dead):
    native_build.find_or_build().unlink()
    monkeypatch.setattr(native_build, "WAIT_S", 60 if dead else 0.2)
    started = time.monotonic()
    (lock,) = own_cache.rglob(".turn")
    code = "import fcntl, sys, time; f = open(sys.argv[1], 'wb'); fcntl.flock(f, fcntl.LOCK_EX); print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code, str(lock)], stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout is not None and holder.stdout.readline()
            if dead:
                holder.kill()
                holder.wait(10)
            assert native_build.is_whole(native_build.find_or_build()) and time.monotonic() - started < 30
        finally:
            holder.kill()


def test_a_build_killed_half_way_leaves_the_next_one_unharmed(sources, tmp_path):
    process = build_in_a_process(sources, tmp_path / "out", CXX=slow_compiler(tmp_path))
    assert until((tmp_path / "pid").exists, 60)
    process.kill()
    process.wait(timeout=10)
    assert until(lambda: (tmp_path / "pid").read_text().strip() != "")
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)  # what it had started is not its group's any more
    ctypes.CDLL(str(build(tmp_path / "out", sources=sources)))


def test_variants_are_compiled_with_their_own_name(sources, tmp_path):
    name = '"variant"'
    (sources / "each.cpp").write_text(
        "// variants: generic avx2\n#define TEXT_(x) #x\n#define TEXT(x) TEXT_(x)\n#define NAME_(a) each_##a\n#define NAME(a) NAME_(a)\n"
        f'extern "C" __attribute__((visibility("default"))) const char *NAME(AF_ISA)(void) {{ return {name} TEXT(AF_ISA); }}\n'
    )
    opened = ctypes.CDLL(str(build(tmp_path / "out", sources=sources)))
    opened.each_generic.restype = ctypes.c_char_p
    assert opened.each_generic() == b"variantgeneric"
    assert native_build.variants_of(sources / "each.cpp", "aarch64") == ("generic",)
    (sources / "each.cpp").write_text("// variants: generic avx3\n")
    with pytest.raises(ValueError, match="avx3"):
        native_build.variants_of(sources / "each.cpp", "x86_64")


def test_a_cache_that_cannot_be_written_is_a_reason_not_a_crash(own_cache):
    own_cache.write_text("a file where the folder should be")
    with pytest.raises(NativeUnavailable, match="cannot write"):
        native_library.library()


def test_a_library_that_another_user_put_into_a_shared_cache_is_not_opened(own_cache, monkeypatch):
    path = native_build.find_or_build()
    stranger = (path.stat().st_uid + 1,)  # to whom all that is there is foreign
    with monkeypatch.context() as patch:
        patch.setattr(own_code, "trusted", lambda: stranger)
        patch.setattr(native_library, "_open", lambda _: pytest.fail("opened"))
        with pytest.raises(NativeUnavailable, match=r"belongs to another user: .* set XDG_CACHE_HOME to a folder of your own"):
            native_library.library()
    assert native_library.library(retry=True).af_level() == 0


@pytest.mark.parametrize("no_compiler", [False, True])
def test_a_file_that_others_may_have_written_is_built_again(own_cache, monkeypatch, no_compiler):
    path = native_build.find_or_build()
    path.chmod(0o777)
    before = path.stat().st_ino
    if no_compiler:
        monkeypatch.setattr(native_build, "find_toolchain", lambda: (_ for _ in ()).throw(NativeUnavailable("none")))
        with pytest.raises(NativeUnavailable, match="none"):
            native_build.find_or_build()
    else:
        assert native_build.find_or_build() == path and path.stat().st_ino != before
        assert not path.stat().st_mode & 0o022


def test_nobody_else_may_write_into_the_cache_whatever_the_umask(own_cache):
    before = os.umask(0)
    try:
        path = native_build.find_or_build()
    finally:
        os.umask(before)
    assert not any(place.stat().st_mode & 0o022 for place in (own_cache, path.parent, path))


def test_waiting_for_ones_turn_cuts_nothing_off(tmp_path):
    (tmp_path / "letter").write_text("dear all")
    (tmp_path / ".turn").symlink_to(tmp_path / "letter")
    with children.turn(tmp_path / ".turn", 1.0, lambda: False):
        pass
    assert (tmp_path / "letter").read_text() == "dear all"


@pytest.mark.slow
@pytest.mark.parametrize(
    "source", [p for p in native_build.source_files() if native_build.variants_of(p, "x86_64")], ids=lambda path: path.name
)
def test_sources_with_variants_share_no_inline_functions(source, tmp_path):
    """A weak symbol would be merged over the variants, and code for one processor could run on another."""
    toolchain = native_build.find_toolchain()
    for variant in native_build.variants_of(source, toolchain.machine):
        command = [toolchain.compiler, *toolchain.flags, "-O1", f"-DAF_ISA={variant}", *native_build._VARIANT_FLAGS[variant]]
        result = tmp_path / f"{variant}.o"
        subprocess.run([*command, "-c", str(source), "-o", str(result)], check=True, timeout=120)
        symbols = subprocess.run(["nm", "--defined-only", str(result)], capture_output=True, text=True, check=True).stdout.splitlines()
        weak = [line for line in symbols if line.split()[-2] in "WVu" and "DW.ref" not in line]
        assert weak == [], f"{source.name} for {variant}"
