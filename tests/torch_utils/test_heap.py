"""Freed activations are reused: a frame after the first causes next to no page faults."""

import subprocess
import sys

import pytest

CODE = """
import resource, sys, threading, torch
from torch_utils.heap import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
def frames():
    for i in range(6):
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
    assert kept < returned / 8  # the first frames still find the heap's final size
