"""The one command for a day with a GPU, tried without one: what it would run, that one part cannot take another along, what is written."""

import json
import re
import subprocess
import sys

import pytest
import torch

from networks import loading
from networks.cuda_graph import Graphs
from tests.bench import gpu, gpu_checks, gpu_layers, gpu_pictures
from tests.bench.filtered_lrelu import layer_cases
from tests.bench.gpu import Part
from tests.bench.synthesis import CASES
from tests.networks.agreement import tiny
from tests.networks.test_cuda_graph import Repeating
from tests.torch_utils.test_cuda_tiles import folder, launches  # noqa: F401 - fixtures
from torch_utils.ops import cuda_contest, cuda_resample, cuda_tiles
from torch_utils.ops.cuda_tiles import Extent
from viz.stages import load

COLLECT = """
import json, sys, pytest
class Found:
    def pytest_collection_finish(self, session): self.ids = [item.nodeid for item in session.items]
answers = []
for words in json.loads(sys.argv[1]):
    found = Found()
    assert pytest.main([*words, "--collect-only", "-q", "-p", "no:cacheprovider"], plugins=[found]) == 0
    answers.append(found.ids)
print("\\n" + json.dumps(answers))
"""


def words_of(part: Part) -> list[str]:
    """Of a part that runs tests, without what says how."""
    return [word for word in part.command[part.command.index("pytest") + 1 :] if word not in ("-v", "-n", "8")]


def test_the_parts_together_are_all_tests_for_a_gpu_each_once_the_most_valuable_first():
    marked = [p for p in (gpu.ROOT / "tests").rglob("test_*.py") if re.search(r"\bmark\.gpu\b|\bmarks=gpu\b", p.read_text())]
    files = [str(path.relative_to(gpu.ROOT)) for path in marked if path.name != "test_gpu_day.py"]
    tests = [part for part in gpu.parts() if "pytest" in part.command]
    asked = json.dumps([["-m", "gpu", *files], *map(words_of, tests)])
    done = subprocess.run([sys.executable, "-c", COLLECT, asked], cwd=gpu.ROOT, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    every, first, float32, *others = json.loads(done.stdout.splitlines()[-1])
    assert [name.split("::")[1] for name in first] == ["test_a_replayed_game_is_a_plain_game[projected]"]
    assert sum("every_layer_by_every_tile" in name and "torch.float32" in name for name in float32) == len(float32) - 13 > 15
    assert sorted(sum(others, [*first, *float32])) == sorted(every)


def test_what_has_never_run_has_time_in_any_case():
    parts = {part.name: part for part in gpu.parts()}
    names = list(parts)
    certain = names[: names.index("pictures-small") + 1]
    assert {"test-first", "tests-float32", "racecheck", "memcheck", "layers", "pictures-1024"} < set(certain)
    assert sum(parts[name].limit_s for name in certain) + gpu.GRACE_S < 60 * 8.8
    assert names.index("pictures-1024") < names.index("layers") < names.index("tests-kernels")


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def test_a_part_that_fails_hangs_or_is_missing_does_not_stop_the_next(tmp_path, capsys):
    row = {"picture": "R-1024", "graph_ms": 4.5, "stages_ms": {"GPU": 4}}
    parts = [
        Part("says", 60, python(f"print({json.dumps(row)!r}); print('{{no row')")),
        Part("fails", 60, python("import os; os.abort()")),
        Part("lacks", 60, ("no-such-sanitizer", "--tool", "memcheck")),
        Part("hangs", 1.5, python("import threading; print('begun'); threading.Event().wait()")),
        Part("reads", 60, python(f"print(open({str(tmp_path / 'log.txt')!r}).read().splitlines().count('begun'), 'in the log')")),
    ]
    outcomes = gpu.day(parts, 2.0, tmp_path)
    assert [outcome.passed for outcome in outcomes] == [True, False, False, False, True]
    said = (tmp_path / "log.txt").read_text()
    assert said.endswith("== reads: passed, 0 s\n") and "1 in the log" in said and "KeyboardInterrupt" in said
    summary = (tmp_path / "summary.md").read_text()
    assert "| picture | graph_ms |\n|---|---|\n| R-1024 | 4.5 |" in summary
    assert "| left out: no-such-sanitizer is not on the path |" in summary and "| stopped after 2 s |" in summary
    assert capsys.readouterr().out.endswith(summary + "\n")
    assert [outcome.verdict for outcome in gpu.day(parts[:1], 0.0, tmp_path)] == ["not begun: no time left"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_ends_after_the_facts(tmp_path, capsys):
    assert gpu.main(["--out", str(tmp_path)]) == gpu.NO_GPU
    said = capsys.readouterr().out
    assert "\nno GPU: " in said and "compute-sanitizer" in said and "test-first" not in said
    assert gpu.main(["--list", "--only", "layers"]) == 0
    assert capsys.readouterr().out.startswith("layers ")


def test_the_sanitizer_sees_every_variant_of_the_convolutions(monkeypatch):
    kernels = []
    monkeypatch.setattr(cuda_resample, "launch", lambda kernel, *rest: kernels.append(kernel))
    gpu_checks.convolutions("cpu")
    seen = [dict(kernel.defines) for kernel in kernels if kernel.name == "conv"]
    for dtype, kernel in ((torch.float16, 3), (torch.float32, 3), (torch.float32, 1)):
        found = [d for d in seen if d["KERNEL"] == kernel and (d["TYPE"] == "Float32") == (dtype == torch.float32)]
        assert len(found) == 2 * len(cuda_tiles.variants(dtype, kernel))
    assert {d["TYPE"] for d in seen} == {"Float32", "Float16", "Bfloat16"}
    assert {(d["KERNEL"], d["PAIRS_IN"]) for d in seen} == {(3, 0), (3, 1), (1, 0), (1, 1)}
    assert [len({kernel for kernel in kernels if kernel.name == name}) for name in ("fragments", "modulate")] == [3, 3]


@pytest.mark.usefixtures("launches")
def test_rows_of_layers_without_a_gpu(monkeypatch):
    """As far as they go: every number is there, and those that do not depend on a clock are right."""
    monkeypatch.setattr(gpu_layers, "milliseconds", lambda run, rounds=1: (run(), 0.5)[1])
    monkeypatch.setattr(gpu_layers, "peak_tflops", lambda dtype: {torch.float16: 4e-3, torch.float32: 1e-3}[dtype])
    monkeypatch.setattr(cuda_contest, "_contests", {})
    row = gpu_layers.convolution_row("R L2", Extent(1, 100, 20, 10, 8, 1, torch.float32), "cpu")
    assert row["difference"] < 1e-5 and row["arithmetic_ms"] == 3 * 2 * 100 * 20 * 80 / 4e-3 / 1e9
    assert row["times_the_floor"] == 1.0 and row["library_ms"] == row["ms"] == 0.5
    (case,) = layer_cases("t256", divide_channels=256)[2:3]
    row = gpu_layers.filter_row(case, torch.float32, "cpu")
    assert row["kernel"] == "resample" and row["error"] < 1e-5
    assert len(list(gpu_layers.rows_wanted([], ["R-1024", "T-1024"]))) == 40  # nothing is made before its turn


def test_a_row_of_pictures_without_a_gpu(monkeypatch):
    """The way through graphs and the whole pipeline, timed by a clock that stands still."""
    monkeypatch.setattr(gpu_pictures, "milliseconds", lambda run, rounds=1: (run(), 0.5)[1])
    monkeypatch.setattr(gpu_pictures, "Graphs", lambda: Graphs(Repeating()))
    monkeypatch.setattr(gpu_pictures, "FILLING", 3)
    monkeypatch.setattr(load, "choose_device", lambda name: torch.device("cpu"))
    on_cpu, generator = torch.randn, torch.Generator()
    monkeypatch.setattr(torch, "randn", lambda *shape, device=None, **options: on_cpu(*shape, **options))
    monkeypatch.setattr(torch, "Generator", lambda device="cpu": generator)
    for name, answer in (("reset_peak_memory_stats", None), ("max_memory_allocated", 0), ("memory_stats", {}), ("host_memory_stats", {})):
        monkeypatch.setattr(torch.cuda, name, lambda answer=answer: answer)
    row = gpu_pictures.picture_row(CASES[0], tiny("tiny_r"), half=True)
    assert (row["steps_ms"], row["graph_ms"], row["sustained_ms"]) == (0.5, 0.5, 0.062) and row["error"] < 1e-5
    assert row["event_to_picture_ms"] > 0 and row["with_download_stages_ms"]["synthesis"] > 0
    assert load.load_network is loading.load  # as before
