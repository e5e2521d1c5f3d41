"""Installing from source: without a C++ compiler it gives the NumPy engine; with one, all or an error."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NEEDED = ("pyproject.toml", "CMakeLists.txt", "README.md", "LICENSE", "src")
LEFTOVERS = shutil.ignore_patterns("*.so", "__pycache__", "build")


def copy_sources(folder):
    """A copy of the sources as a clone has them: nothing that was built."""
    for name in NEEDED:
        source, copy = ROOT / name, folder / "tree" / name
        if source.is_dir():
            shutil.copytree(source, copy, ignore=LEFTOVERS)
        else:
            copy.parent.mkdir(exist_ok=True)
            shutil.copy(source, copy)
    return folder / "tree"


def tools(folder, names):
    """A folder with links to these programs: a PATH on which there is nothing else."""
    folder.mkdir()
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    for name in names:
        program = shutil.which(name, path=path)
        if program is not None:
            (folder / name).symlink_to(program)
    return str(folder)


def install(tree, target, path):
    """`pip install` with what is here: nothing is fetched, and no setting leads to another compiler."""
    settings = {k: v for k, v in os.environ.items() if k not in ("CC", "CXX") and "CMAKE" not in k}
    command = [sys.executable, "-m", "pip", "install", "--no-index", "--no-build-isolation", "--no-deps"]
    return subprocess.run(
        [*command, "--disable-pip-version-check", "--verbose", "--target", str(target), "."],
        cwd=tree,
        env=settings | {"PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.fixture(scope="module")
def without_compiler(tmp_path_factory):
    """The folder of an installation without a C++ compiler, and what pip printed."""
    folder = tmp_path_factory.mktemp("plain")
    path = tools(folder / "tools", ["cmake", "ninja", "make"])
    assert shutil.which("c++", path=path) is None
    result = install(copy_sources(folder), folder / "target", path)
    assert result.returncode == 0, result.stdout
    return folder / "target", result.stdout


def test_install_without_a_compiler_trains_on_the_numpy_engine_and_says_why(without_compiler):
    target, printed = without_compiler
    assert "installing glassnet with the NumPy engine only" in " ".join(printed.split())
    code = """
import json
import glassnet as gn
from glassnet import native

net, X, y = gn.Network((2, 3, 2)), [[0, 1], [1, 0]], [0, 1]
run = gn.train(net, X, y, iterations=20, random_state=0)
try:
    gn.train(net, X, y, engine="native")
    refusal = "none"
except gn.EngineError as error:
    refusal = str(error)
said = [gn.__file__, native.module is None, native.reason, run.engine, run.engine_reason, refusal]
print(json.dumps([*said, len(run.losses)]))
"""
    settings = os.environ | {"PYTHONPATH": str(target)}
    said = subprocess.run(
        [sys.executable, "-c", code], env=settings, capture_output=True, text=True, check=True
    ).stdout
    file, missing, reason, engine, why, refusal, length = json.loads(said)
    assert Path(file).is_relative_to(target)
    assert missing
    assert reason == "no C++ compiler was found when glassnet was installed"
    assert engine == "numpy"
    assert reason in why
    assert reason in refusal
    assert length == 21


def test_install_with_a_compiler_fails_on_an_error_in_our_own_code(tmp_path):
    tree = copy_sources(tmp_path)
    native = tree / "src/glassnet/native"
    sources = list(native.rglob("*.cpp"))
    assert len(sources) > 3
    for source in sources:
        source.write_text("#error broken on purpose\n")
    with (native / "CMakeLists.txt").open("a") as build:  # ours first, which is quicker
        build.write("add_dependencies(nanobind-static passes)\n")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    assert shutil.which("c++", path=path) is not None, "there is no compiler to try this with"
    result = install(tree, tmp_path / "target", path)
    assert result.returncode != 0
    assert "broken on purpose" in result.stdout
    assert not (tmp_path / "target" / "glassnet").exists()


def test_installed_package_holds_no_sources_of_the_build_and_no_benchmarks(without_compiler):
    target, _ = without_compiler
    files = {file.suffix for file in (target / "glassnet").rglob("*") if file.is_file()}
    assert files.isdisjoint({".cpp", ".hpp", ".txt", ".so"})
    assert (target / "glassnet" / "py.typed").is_file()
    assert list((target / "glassnet").rglob("*.toml")) != []
    assert not (target / "benchmarks").exists()
