"""The house: imports go downward, `import glassnet` is light, what is public is listed and explained."""

import ast
import doctest
import functools
import graphlib
import importlib
import inspect
import json
import pkgutil
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import glassnet as gn

PACKAGE = Path(gn.__file__).parent

# The packages and the modules at the top, from the ground up: each may import those before it, and no
# other. The package's own __init__ gathers the public names of all of them.
HOUSE = [
    "errors",
    "_types",
    "_version",
    "utils",
    "native",
    "nn",
    "optim",
    "data",
    "engine",
    "training",
    "diagnostics",
    "model_selection",
    "plots",
    "sklearn",
    "export",
    "experiments",
    "lab",
    "cli",
    "__main__",
]

# Whatever these hold is loaded when it is used, by the functions that use it.
HEAVY = {
    "anywidget",
    "charset_normalizer",
    "click",
    "dask",
    "distributed",
    "duckdb",
    "jax",
    "matplotlib",
    "mpl_toolkits",
    "pandas",
    "plotly",
    "polars",
    "pyarrow",
    "python_calamine",
    "safetensors",
    "scipy",
    "sklearn",
    "starlette",
    "torch",
    "tqdm",
    "uvicorn",
    "websockets",
}

PUBLIC = [
    "export",
    "lab",
    "verify_export",
    "Imported",
    "from_keras",
    "from_onnx",
    "from_sklearn",
    "from_torch",
    "ColumnTable",
    "PreparedTable",
    "prepare_table",
    "ACTIVATIONS",
    "LBFGS",
    "LevenbergMarquardt",
    "NewtonCG",
    "LOSSES",
    "OPTIMIZERS",
    "OUTPUTS",
    "SGD",
    "SOLVERS",
    "Solver",
    "SolverHistory",
    "Activation",
    "BayesianRegularization",
    "Evidence",
    "Explanation",
    "explain",
    "Callback",
    "Curvature",
    "CurvatureTrace",
    "curvature",
    "Diagnosis",
    "diagnose",
    "DivergenceWarning",
    "EarlyStopping",
    "EngineError",
    "Ensemble",
    "Every",
    "FileError",
    "GlassnetError",
    "GlassnetWarning",
    "GradientCheck",
    "GradientError",
    "MissingLibraryError",
    "InputError",
    "InputTypeError",
    "CheckpointWarning",
    "InterruptedTrainingWarning",
    "Loss",
    "Network",
    "Output",
    "Parameters",
    "Problem",
    "SweepResult",
    "Table",
    "Tape",
    "TrainingRun",
    "check_gradients",
    "load",
    "loss_and_gradient",
    "prepare",
    "read_table",
    "save",
    "stream",
    "sweep",
    "train",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "AMSGrad",
    "Lion",
    "Nadam",
    "Optimizer",
    "RMSprop",
    "Penalties",
    "PreprocessingWarning",
    "SCHEDULES",
    "Adaptive",
    "Constant",
    "Cosine",
    "Exponential",
    "InverseScaling",
    "OneCycle",
    "Schedule",
    "StalledTrainingWarning",
    "Step",
    "WarmUp",
    "MLPClassifier",
    "MLPRegressor",
    "HiddenProjectionDisplay",
    "LossCurveDisplay",
    "NetworkDiagramDisplay",
    "PurgedKFold",
    "WalkForward",
]

MODULES = sorted(PACKAGE.rglob("*.py"))

TREES = {path: ast.parse(path.read_text()) for path in MODULES}
NODES = {path: list(ast.walk(tree)) for path, tree in TREES.items()}

MOST_ROOMS, MOST_MODULES, MOST_LINES = 20, 16, 450

CROWDED = {"sklearn"}
"""Folders that still hold more modules than they should; no other may."""


def name_of(path):
    parts = list(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {name_of(path) for path in MODULES}


def room_of(module):
    """The room of `glassnet.plots.style` is plots; the package itself has none."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


@functools.cache
def imported(path):
    """Every module that a file imports, inside functions too, as (line, dotted name)."""
    package = name_of(path) if path.name == "__init__.py" else name_of(path).rpartition(".")[0]
    found = []
    for node in NODES[path]:
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                anchor = package.rsplit(".", node.level - 1)[0] if node.level > 1 else package
                base = f"{anchor}.{base}".rstrip(".")
            for alias in node.names:  # `from glassnet import native` imports a module, not a name
                module = f"{base}.{alias.name}"
                found.append((node.lineno, module if module in NAMES else base))
    return found


def top_level_imports(path):
    """The modules that importing this file imports: those outside functions and type checking."""

    def visit(node):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
                continue
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                continue
            if isinstance(child, ast.Import):
                yield from ((child.lineno, alias.name) for alias in child.names)
            elif isinstance(child, ast.ImportFrom) and not child.level:
                yield child.lineno, child.module or ""
            yield from visit(child)

    return visit(TREES[path])


def test_imports_go_strictly_downward():
    upward = []
    for path in MODULES:
        if room := room_of(name_of(path)):
            allowed = {room, *HOUSE[: HOUSE.index(room)]}
            upward += [
                f"{path}:{line}: {room} imports {module}"
                for line, module in imported(path)
                if module.partition(".")[0] == "glassnet" and room_of(module) not in allowed
            ]
    assert not upward, "\n".join(upward)


def test_no_module_imports_itself_in_a_circle():
    graph = {
        name_of(path): {module for _, module in imported(path) if module in NAMES - {name_of(path)}}
        for path in MODULES
    }
    graphlib.TopologicalSorter(graph).prepare()


def test_every_package_is_there():
    assert {room_of(name_of(path)) for path in MODULES} - {""} == set(HOUSE)


def test_a_listing_of_the_package_fits_on_a_screen():
    rooms = [path for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"]
    rooms += list(PACKAGE.glob("*.py"))
    assert len(rooms) <= MOST_ROOMS


def test_a_folder_holds_few_modules():
    modules = [path for path in MODULES if path.name != "__init__.py"]
    counts = Counter(str(path.parent.relative_to(PACKAGE)) for path in modules)
    crowded = {folder: count for folder, count in counts.items() if count > MOST_MODULES}
    assert set(crowded) <= CROWDED, crowded


def test_modules_are_short_enough_to_read():
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in MODULES}
    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}
    assert lengths["glassnet.nn.reference"] < 200


def test_no_docstring_names_a_floor():
    assert [
        (str(path), node.lineno)
        for path, nodes in NODES.items()
        for node in nodes
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value.startswith("Floor ")
    ] == []


def test_heavy_libraries_are_imported_inside_functions():
    # The command line starts a program of its own, which imports no more than click. The estimators
    # and their displays are scikit-learn's: the whole room is loaded when one is asked for, and what
    # exports them when one is exported.
    allowed = {"cli": {"click"}, "sklearn": {"scipy", "sklearn"}}
    of_modules = {"glassnet.export.sources.estimators": {"sklearn"}}
    heavy = [
        f"{path}:{line}: {module}"
        for path in MODULES
        for line, module in top_level_imports(path)
        if module.split(".")[0]
        in HEAVY - allowed.get(room_of(name_of(path)), set()) - of_modules.get(name_of(path), set())
    ]
    assert heavy == []


@pytest.fixture(scope="module")
def after_import():
    """What `import glassnet` did to a new interpreter that had imported NumPy."""
    code = (
        "import json, sys, numpy as np, numpy.random\n"
        "def state():\n"
        "    return repr((np.geterr(), np.get_printoptions(), np.random.get_state()[1].tolist()))\n"
        "before, modules = state(), set(sys.modules)\n"
        "import glassnet\n"
        "same = state() == before\n"
        "print(json.dumps({'loaded': sorted(set(sys.modules) - modules), 'same': same}))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(result.stdout)


def test_import_brings_in_numpy_and_the_standard_library_only(after_import):
    loaded = {name.split(".")[0] for name in after_import["loaded"]}
    assert loaded <= {"glassnet", "numpy", "_native"} | set(sys.stdlib_module_names)
    assert loaded.isdisjoint(HEAVY)


def test_import_leaves_numpys_settings_and_random_stream_alone(after_import):
    assert after_import["same"]


# ---- What is public -------------------------------------------------------------------------------


def test_public_names_are_these_and_those_of_the_registries():
    registries = gn.OPTIMIZERS, gn.SCHEDULES, gn.SOLVERS
    registered = {kind.__name__ for registry in registries for kind in registry.values()}
    assert sorted(gn.__all__) == sorted({*PUBLIC, *registered})
    assert len(set(gn.__all__)) == len(gn.__all__)


@pytest.mark.parametrize("name", gn.__all__)
def test_public_name_exists_and_is_explained(name):
    value = getattr(gn, name)
    if callable(value):
        own = value.__doc__
        assert own, f"{name} has no docstring"
        # A dataclass without one gets its signature for it.
        assert not own.startswith(f"{name}("), f"{name} has no docstring of its own"


@pytest.mark.parametrize("name", [name for name in gn.__all__ if inspect.isclass(getattr(gn, name))])
def test_public_members_are_explained(name):
    for member, value in vars(getattr(gn, name)).items():
        if not member.startswith("_") and (inspect.isfunction(value) or isinstance(value, property)):
            assert inspect.getdoc(getattr(getattr(gn, name), member)), f"{name}.{member} has no docstring"


def test_star_import_gives_the_public_names():
    names = {}
    exec("from glassnet import *", names)
    assert set(names) - {"__builtins__"} == set(gn.__all__)


def test_unknown_attribute_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'glassnet' has no attribute 'nothing'"):
        gn.nothing  # noqa: B018


# ---- Docstrings that run --------------------------------------------------------------------------


@functools.cache
def doctests():
    """Every docstring with an example, as pytest parameters."""
    found = []
    names = [gn.__name__, *(m.name for m in pkgutil.walk_packages(gn.__path__, "glassnet."))]
    for name in names:
        if name.rpartition(".")[2] in ("_native", "__main__"):
            continue
        for test in doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(name), name):
            if test.examples:
                found.append(pytest.param(test, id=test.name))
    return found


@pytest.mark.parametrize("test", doctests())
def test_docstring_example_runs_as_written(test, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    said = []
    runner.run(test, out=said.append)
    assert runner.failures == 0, "".join(said)


PROMISED = [
    name
    for name in gn.__all__
    if callable(value := getattr(gn, name))
    and not (inspect.isclass(value) and issubclass(value, (Exception, Warning)))
]


@pytest.mark.parametrize("name", PROMISED)
def test_public_name_has_an_example_that_runs(name):
    with_example = {param.values[0].name for param in doctests()}
    value = getattr(gn, name)
    assert f"{value.__module__}.{value.__qualname__}" in with_example


def test_the_packages_docstring_names_all_that_is_public():
    words = set(re.findall(r"\w+", gn.__doc__))
    assert set(gn.__all__) <= words
