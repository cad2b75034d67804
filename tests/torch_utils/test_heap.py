"""Freed activations are reused: a frame after the first causes next to no page faults. Working memory is in large pages."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from torch_utils import heap, native_build, native_library
from torch_utils.ops.native_conv import ScratchPool

CODE = """
import resource, sys, threading, torch
from torch_utils.heap import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
def frames():
    for i in range(12):
        if i == 2:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(4):
            x = torch.zeros(48 << 18)  # 48 MiB
            y = x + 1
        del x, y
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
thread = threading.Thread(target=frames)
thread.start()
thread.join()
"""


def faults(mode: str) -> int:
    done = subprocess.run([sys.executable, "-c", CODE, mode], capture_output=True, text=True, timeout=300, check=True)
    return int(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mallopt is glibc's")
def test_freed_memory_is_reused_also_in_the_render_thread():
    kept, returned = faults("keep"), faults("default")
    assert kept < returned / 8  # the heap still grows now and then, by a block: less often with every frame


@pytest.mark.skipif(not Path("/sys/kernel/mm/transparent_hugepage/enabled").exists(), reason="no large pages on this system")
def test_working_memory_asks_for_large_pages():
    try:
        native_library.library()
    except native_build.NativeUnavailable as reason:
        pytest.skip(f"no native library: {reason}")
    with ScratchPool().borrow(5 << 20) as address:
        flags = []
        for line in Path("/proc/self/smaps").read_text().splitlines():
            if found := re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line):
                inside = int(found[1], 16) <= address + (2 << 20) < int(found[2], 16)
            elif inside and line.startswith("VmFlags:"):
                flags = line.split()
    assert address % (2 << 20) == 0
    assert "hg" in flags


@pytest.mark.skipif(os.name == "nt", reason="that system does not say")
def test_the_memory_of_the_machine_is_that_of_the_machine():
    assert (1 << 28) < (heap.machine_bytes() or 0) < (1 << 50)
