"""Results are bounded by bytes; the least recently used go first."""

import numpy as np

from viz.memory import PASSES_KEPT, Memory, nbytes
from viz.request import Picture


def block(kib: int) -> np.ndarray:
    return np.zeros(kib * 1024, np.uint8)


def test_the_least_recently_used_goes_first():
    memory = Memory(10 * 1024)
    memory.put("a", block(4))
    memory.put("b", block(4))
    memory.get("a")
    memory.put("c", block(4))
    assert memory.get("b") is None and memory.get("a") is not None and memory.get("c") is not None
    assert memory.used_bytes <= memory.limit_bytes


def test_replacing_counts_once():
    memory = Memory(100 * 1024)
    for _ in range(50):
        memory.put("a", block(4))
    assert len(memory) == 1 and memory.used_bytes < 5 * 1024


def test_what_is_larger_than_the_limit_is_not_kept_and_drives_nothing_out():
    memory = Memory(10 * 1024)
    memory.put("a", block(4))
    memory.put("huge", block(64))
    assert memory.get("huge") is None and memory.get("a") is not None


def test_what_just_fits_is_kept_and_counted_with_its_own_256_bytes():
    memory = Memory(2 * (4096 + 256))
    memory.put("a", block(4))
    memory.put("b", block(4))
    assert len(memory) == 2 and memory.used_bytes == memory.limit_bytes
    exactly = Memory(4096 + 256)
    exactly.put("a", block(4))
    exactly.put("b", np.zeros(4097, np.uint8))
    assert exactly.get("a") is not None and exactly.get("b") is None


def test_bytes_inside_containers_and_dataclasses_are_counted():
    assert nbytes((block(1), [block(2)], {"x": block(3)})) == 6 * 1024
    assert nbytes(Picture(np.zeros((4, 4, 3), np.float32), (0, 0, 4, 4), mask=np.ones((4, 4), bool))) == 4 * 4 * 3 * 4 + 16


def test_passing_results_go_when_no_pass_has_used_them_for_a_while():
    memory = Memory(100 * 1024)
    for key in ("used", "unused"):
        memory.put(key, block(4), passing=True)
    memory.put("picture", block(4))
    for _ in range(PASSES_KEPT - 1):
        memory.begin_pass()
        assert memory.get("used") is not None
    assert len(memory) == 3
    memory.begin_pass()
    assert memory.get("unused") is None and memory.get("used") is not None and memory.get("picture") is not None
    assert memory.used_bytes < 9 * 1024
    memory.clear()
    memory.put("used", block(4))
    for _ in range(PASSES_KEPT):
        memory.begin_pass()
    assert memory.get("used") is not None and memory.used_bytes == 4096 + 256, "it passes no longer"
