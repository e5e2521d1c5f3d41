"""Networks in C: the same bits by every compiler, and a file that fits into any program."""

import csv
import ctypes
import io
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest

import glassnet as gn
from glassnet.errors import InputError
from glassnet.export.exporting import export, verify_export
from glassnet.export.languages.c.run import Exported, run_all
from glassnet.export.languages.c.write import promises, write
from glassnet.export.languages.language import Options
from glassnet.export.model import Answer, Column, Feature, Member, Model, hard_rows
from glassnet.export.sources import source_of
from glassnet.export.sources.runs import answers_of
from glassnet.export.steps import STEPS, Step
from glassnet.export.verification import distance, furthest
from glassnet.nn.activations import ACTIVATIONS
from glassnet.nn.losses import OUTPUTS

RANDOM = np.random.default_rng(0)
STRICT = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"]
FAST = ["-O2", "-ffp-contract=fast"]

needs_gcc = pytest.mark.skipif(not shutil.which("gcc"), reason="gcc is not installed")


def require_installed(*programs):
    lacking = [name for name in programs if not shutil.which(name)]
    if lacking:
        pytest.skip(f"{' and '.join(lacking)} not installed")


def exported(model, name, mode="bits", values=None, **settings):
    options = Options(name, model.dtype.name, mode, settings)
    values = values_of(model) if values is None else values
    return Exported(write(model, options).decode(), model, options, values)


def columns_named(names):
    return tuple(Column(name, place, ()) for place, name in enumerate(names))


def values_of(model, n=500):
    """Numbers of any size, and hard rows, of those that the engine takes."""
    width = len(model.features)
    values = RANDOM.normal(size=(n, width)) * 10.0 ** RANDOM.choice(
        [0, 0, 0, 1, 2, -9, -153, -308, 37, 300], (n, width)
    )
    values = np.vstack([values, hard_rows(model)])
    return values[model.finite(values)]


def every_activation(output, dtype):
    """A few networks, small and with parameters of many sizes, that have every activation among them."""
    names, outputs = list(ACTIVATIONS), 3 if output == "softmax" else 2
    for number, start in enumerate(range(0, len(names), 3)):
        network = gn.Network((3, 5, 4, 4, outputs), hidden=names[start : start + 3], output=output)
        theta = network.initialize(number, dtype=dtype)
        tiny = RANDOM.random(theta.flat.size) < 0.1
        theta.flat[tiny] *= 10.0 ** RANDOM.choice([-30, -37, -300, -308, 2], tiny.sum())
        columns = columns_named("abc")
        yield Model(
            tuple(map(Feature, "abc")), (Member(columns, network, theta),), answers_of(network, None)
        )


def every_step(dtype="float64", members=1, outputs=2, output="identity", unit=(), answers=None, **given):
    """A model whose inputs go through every step."""
    numbers = {
        "divide": (3.0,),
        "multiply": (0.3,),
        "clip": (-1.0, 2.0),
        "pick": (0.5, -1.0, 2.0),
        "fill": (0.7,),
    }
    numbers |= dict.fromkeys(("add", "subtract", "remainder", "equals", "is_other"), (3.0,))
    columns = tuple(
        Column(
            f"{name} {place}",
            place % 3,
            (Step(name, numbers.get(name, ())), Step("multiply", (1.7,)), Step("add", (0.1,))),
        )
        for place, name in enumerate([*STEPS, *["subtract"] * 6])
    )
    features = (Feature("a", ("x", "y")), Feature("b", date=True), Feature("c"))
    network = gn.Network((len(columns), 4, outputs), output=output)
    parts = tuple(
        Member(columns, network, network.initialize(k, dtype=dtype), *unit) for k in range(members)
    )
    return Model(features, parts, answers or answers_of(network, None), **given)


def check(files, ran):
    for one, found in zip(files, ran, strict=True):
        with np.errstate(over="ignore"):
            expected, finite = one.model.outputs(one.values), one.model.finite(one.values)
        promised, numbers = promises(one.model, one.options), one.model.numbers(expected)
        far = distance(expected, found.outputs, numbers, found.numbers, promised, ~finite)
        kept = far.error <= promised and not far.labels if promised else far.is_zero
        assert kept, (one.options.name, one.model.members[0].network, far)


@pytest.fixture(scope="module")
def of_all():
    models = [
        m for output in OUTPUTS for dtype in ("float64", "float32") for m in every_activation(output, dtype)
    ]
    return [exported(model, f"net{number}") for number, model in enumerate(models)]


@pytest.mark.parametrize(
    ("command", "every"),
    [
        ("gcc -O0", 1),
        ("gcc -O2 -ffp-contract=fast -march=native", 1),
        ("gcc -O2 -D__NEWLIB__=4", 4),  # whose library rounds a fused sum twice
        ("clang -O2 -ffp-contract=fast", 4),
    ],
)
def test_c_has_the_bits_of_the_engine_for_every_function(of_all, command, every):
    compiler, *flags = command.split()
    require_installed(compiler)
    check(of_all[::every], run_all([compiler, *STRICT, *flags], of_all[::every]))


def test_c_has_the_same_bits_on_another_processor(of_all):
    compiler, emulator = "aarch64-linux-gnu-gcc", "qemu-aarch64-static"
    require_installed(compiler, emulator)
    files = [one._replace(values=one.values[-60:]) for one in of_all[::3]]
    check(files, run_all([compiler, "-static", *FAST], files, [emulator]))


BARE = {
    "arm-none-eabi-gcc -mcpu=arm926ej-s --specs=rdimon.specs": (
        "qemu-system-arm -M versatilepb -cpu arm926 -nographic -audiodev none,id=none -semihosting -kernel"
    ),
    "x86_64-w64-mingw32-gcc": "wine",
}


@pytest.mark.parametrize(("compiler", "emulator"), BARE.items(), ids=["bare arm", "windows"])
def test_c_passes_its_own_test_on_other_systems(of_all, compiler, emulator, tmp_path):
    compiler, emulator = compiler.split(), emulator.split()
    require_installed(compiler[0], emulator[0])
    for name in ("net0", "net1"):
        (file,) = (one for one in of_all if one.options.name == name)
        (tmp_path / "net.c").write_text(file.text)
        own = [f"-D{name}_TEST", f"-D{name}_MAIN", "net.c", "-o", "net.exe", "-lm"]
        subprocess.run([*compiler, *STRICT, "-O2", *own], cwd=tmp_path, check=True)
        ran = [*emulator, "net.exe"]
        done = subprocess.run(ran, cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert "0 rows are wrong" in done.stdout, done


@needs_gcc
def test_c_is_small_within_what_it_promises(of_all):
    usual = np.random.default_rng(1).normal(0, 3, (200, 3))
    files = [exported(one.model, f"small{k}", "small", usual) for k, one in enumerate(of_all)]
    check(files, run_all(["gcc", *STRICT, "-O1"], files))


@needs_gcc
def test_c_has_preprocessing_units_pairs_softmaxes_and_ensembles():
    softmaxes = {
        "outputs": 5,
        "softmaxes": (2, 3),
        "answers": (Answer("a", 0, 2, "no"), Answer("b", 2, 5, "xyz")),
    }
    unit = (2.0, -1.0), (3.0, 1e-3)
    line = gn.Network((1, 1), output="identity")
    below_0 = Member(columns_named("a"), line, line.initialize(0))
    below_0.theta.flat[:] = -0.0
    many = Feature("a", tuple(map(str, range(700))))
    picked = Column("a", 0, (Step("pick", tuple(np.random.default_rng(0).normal(size=700).tolist())),))
    models = [
        every_step(),
        every_step("float32", members=3, unit=unit),
        every_step("float32", unit=unit, wide=True),
        every_step(output="logistic", outputs=1, pair=True, answers=(Answer("y", 0, 2, (False, True)),)),
        every_step(members=2, **softmaxes),
        Model((Feature("a"),), (below_0, below_0), answers_of(line, None)),
        Model((many,), (Member((picked,), line, line.initialize(0)),), answers_of(line, None)),
    ]
    files = [exported(model, f"whole{k}", gradient=True) for k, model in enumerate(models)]
    ran = run_all(["gcc", *STRICT, *FAST, "-march=native"], files)
    check(files, ran)
    for one, found in zip(files, ran, strict=True):
        rows = np.abs(one.values).max(axis=1) < 1e3
        near = furthest(one.model.gradients(one.values[rows]), found.gradients[rows])
        assert near < (1e-13 if one.model.dtype == np.float64 else 1e-5)


@needs_gcc
def test_c_gives_the_derivatives_of_every_function(of_all):
    usual = np.random.default_rng(1).normal(0, 2, (50, 3))
    files = [exported(one.model, f"slope{k}", values=usual, gradient=True) for k, one in enumerate(of_all)]
    ran = run_all(["gcc", *STRICT, "-O1"], files)
    check(files, ran)
    for one, found in zip(files, ran, strict=True):
        near = furthest(one.model.gradients(usual), found.gradients)
        assert near < (1e-12 if one.model.dtype == np.float64 else 1e-4), one.model.members[0].network


NAMES = ['a"b', "a b", "*/ int x;", "\\", "??/", "größe\n#error", "9", ""]


@pytest.fixture
def odd(tmp_path):
    """The file of a model whose names and labels try to leave their comments and texts."""
    network = gn.Network((len(NAMES), 3, len(NAMES)))
    features = tuple(
        Feature(name, tuple(NAMES) if place == 1 else None) for place, name in enumerate(NAMES)
    )
    answers = (Answer('y"*/\\', 0, len(NAMES), tuple(NAMES)),)
    member = Member(columns_named(NAMES), network, network.initialize(0))
    path = tmp_path / "odd.c"
    model = Model(features, (member,), answers)
    path.write_bytes(write(model, Options("odd", "float64", "bits", {})))
    return model, path


@needs_gcc
def test_c_is_cpp_too_whatever_the_names(odd):
    for command in (["gcc", *STRICT], ["g++", "-std=c++11", *STRICT[1:], "-x", "c++"]):
        subprocess.run([*command, "-fsyntax-only", str(odd[1])], check=True)


@needs_gcc
def test_c_filters_rows(odd, tmp_path):
    model, path = odd
    program = str(tmp_path / "program")
    values = np.random.default_rng(0).normal(size=(40, len(NAMES)))
    text = "\n\n".join(", ".join(map(repr, row)) for row in values.tolist())
    for labels in ((), NAMES):
        one = replace(model, answers=(Answer("y", 0, len(NAMES), tuple(labels) or None),))
        path.write_bytes(write(one, Options("odd", "float64", "bits", {})))
        subprocess.run(["gcc", *STRICT, "-Dodd_MAIN", "-o", program, str(path), "-lm"], check=True)
        given = subprocess.run([program], input=text, capture_output=True, text=True, check=True).stdout
        expected = one.outputs(values)
        for cells, row, (at,) in zip(
            csv.reader(io.StringIO(given)), expected, one.numbers(expected), strict=True
        ):
            assert cells == [*(f"{p:.17g}" for p in row), *labels[at : at + 1]]
    for row in ("1,2", "1,2,3,4,,6,7,8", "1,2,3,4,5,6,7,8,9", "1,2,3,4,5,6,7,b"):
        refused = subprocess.run([program], input=f"{text}\n{row}\n", capture_output=True, text=True)
        assert (refused.returncode, refused.stdout) == (1, given)
        assert refused.stderr == "Line 80 has other than 8 numbers.\n"


@needs_gcc
def test_c_tests_itself(odd, tmp_path):
    """Of a model that answers NaN too."""
    cases = [("bits", precision) for precision in ("float64", "float32", "int16", "int8")]
    for mode, precision in [*cases, ("small", "float64")]:
        for model in (odd[0], every_step()):
            (tmp_path / "net.c").write_bytes(write(model, Options("net", precision, mode, {})))
            own = ["-Dnet_MAIN", "-Dnet_TEST", "net.c", "-o", "net", "-lm"]
            subprocess.run(["gcc", *STRICT, *own], cwd=tmp_path, check=True)
            done = subprocess.run([str(tmp_path / "net")], capture_output=True, text=True)
            assert done.stdout == "0 rows are wrong\n", (mode, precision)


@needs_gcc
def test_c_is_the_header_of_several_files(odd, tmp_path):
    (tmp_path / "one.c").write_text('#include "odd.c"\n')
    (tmp_path / "two.c").write_text(
        '#define odd_HEADER\n#include "odd.c"\n'
        "int main(void) { static double x[odd_INPUTS]; return odd_classes[odd_predict(x)] == 0; }\n"
    )
    for compiler in (["gcc", "-std=c99"], ["g++", "-x", "c++", "-ffast-math"]):
        command = [*compiler, *STRICT[1:], "-c", "two.c"]
        subprocess.run(command, cwd=tmp_path, check=True)
        subprocess.run(["gcc", "one.c", "two.o", "-o", "program", "-lm"], cwd=tmp_path, check=True)
        subprocess.run([str(tmp_path / "program")], check=True)


@needs_gcc
def test_c_needs_neither_memory_nor_files_and_refuses_flags_that_change_results(odd, tmp_path):
    compiled = str(tmp_path / "odd.o")
    subprocess.run(["gcc", "-O2", "-c", "-o", compiled, str(odd[1])], check=True)
    symbols = subprocess.run(
        ["nm", "-u", compiled], capture_output=True, text=True, check=True
    ).stdout.split()
    assert {one for one in symbols if one != "U"} <= {"fma", "floor", "memcpy", "__stack_chk_fail"}
    refused = subprocess.run(
        ["gcc", "-ffast-math", "-fsyntax-only", str(odd[1])], capture_output=True, text=True
    )
    assert "-ffast-math changes results" in refused.stderr


@needs_gcc
def test_export_to_c_is_verified(tmp_path):
    X = np.random.default_rng(0).normal(3, 2, (60, 2))
    run = gn.train(
        gn.Network((2, 3, 2)), X, X[:, 0] > X[:, 1], standardize=True, iterations=20, random_state=0
    )
    path = tmp_path / "net.c"
    for mode in ("bits", "small"):
        assert export(run, path, mode=mode, verify=X).passed
    export(run, path, gradient=True)
    assert verify_export(run, path, X, gradient=True).gradient < 1e-13
    assert verify_export(run, path, X, gradient=True).passed
    export(run, path, train=True)
    assert "net_train_step moves the parameters, net_theta" in path.read_text()
    assert " + 0" not in path.read_text()
    for precision, most in (("float32", 1e-5), ("int16", 1e-3), ("int8", 0.1)):
        export(run, path, precision=precision)
        assert 0 < verify_export(run, path, X, precision=precision).data.error < most
    for options in ({"mode": "small"}, {"precision": "int8"}):
        with pytest.raises(InputError, match="gradient=True and train=True in mode='bits' of float64"):
            export(run, path, gradient=True, train=True, **options)


TARGETS = {
    "class": np.arange(20) % 2,
    "label": (np.arange(40) % 3 > 0).reshape(20, 2).astype(float),
    "real": np.random.default_rng(2).normal(5, 3, (20, 2)),
    "nonnegative": (np.arange(40) % 5).reshape(20, 2).astype(float),
}
LINKS = {"class": "softmax", "label": "logistic", "real": "identity", "nonnegative": "exp"}


def trained_cases():
    """Runs before and after an epoch, with every loss, and activations of either kind."""
    X = np.random.default_rng(3).normal(3, 2, (20, 3))
    smooth = gn.losses.cross_entropy(label_smoothing=0.1)
    cases = [(loss, 2) for loss in [*gn.LOSSES.values(), smooth]] + [
        (smooth, 3),
        (gn.LOSSES["cross_entropy"], 6),
    ]
    for dtype in ("float64", "float32"):
        for place, (loss, outputs) in enumerate(cases):
            hidden = [list(ACTIVATIONS)[place], "tanh"]
            network = gn.Network((3, 6, 3, outputs), hidden, LINKS[loss.target], loss)
            given = {"standardize": loss.target == "real", "dtype": dtype, "random_state": place}
            step = {"optimizer": gn.SGD(0.01, 0.8), "batch_size": 7, "shuffle": False}
            y = TARGETS[loss.target] * (outputs - 1 if loss.target == "class" else 1)
            before, after = (gn.train(network, X, y, iterations=k, **step, **given) for k in (0, 2))
            yield X, y, before, after


@needs_gcc
def test_c_trains_with_the_bits_of_train(tmp_path):
    cases, text = list(trained_cases()), ""
    for place, (_, _, before, _) in enumerate(cases):
        options = Options(
            f"net{place}", before.theta.dtype.name, "bits", {"train": True, "gradient": place % 2}
        )
        text += write(source_of(before).model, options).decode()
    (tmp_path / "nets.c").write_text(text)
    library = str(tmp_path / "nets.so")
    command = ["gcc", *STRICT, *FAST, "-march=native", "-shared", "-fPIC", "-o", library]
    subprocess.run([*command, str(tmp_path / "nets.c"), "-lm"], check=True)
    own = ["-D__NEWLIB__=4", "-fsyntax-only"]  # with a fused multiply-add of the file's own
    subprocess.run(["gcc", *STRICT, *own, str(tmp_path / "nets.c")], check=True)
    loaded = ctypes.CDLL(library)
    for place, (X, y, before, after) in enumerate(cases):
        step = loaded[f"net{place}_train_step"]
        step.argtypes = [np.ctypeslib.ndpointer(float)] * 2 + [ctypes.c_int] + [ctypes.c_double] * 2
        targets = np.ascontiguousarray(y, float).reshape(20, -1)
        for start in (0, 7, 14) * 2:
            batch = slice(start, start + 7)
            assert step(X[batch], targets[batch], len(X[batch]), 0.01, 0.8) == 0
        assert step(X, targets, 20, 0.01, 0.8) == 1  # more than a batch may have
        number = ctypes.c_double if after.theta.dtype == np.float64 else ctypes.c_float
        theta = np.array((number * after.theta.flat.size).in_dll(loaded, f"net{place}_theta"))
        assert not np.array_equal(theta, before.theta.flat)
        assert np.array_equal(theta, after.theta.flat), (after.network, after.theta.dtype)


def test_c_refuses_to_train_what_has_no_step():
    ensemble = every_step(members=2)
    with pytest.raises(InputError, match="train=True is of one network"):
        write(ensemble, Options("net", "float64", "bits", {"train": True}))
    mine = replace(gn.LOSSES["binary_cross_entropy"], delta=lambda z, y: z - y)
    for loss, named in (("brier", "'brier'"), (mine, "'binary_cross_entropy' of your own")):
        network = gn.Network((3, 2), output="logistic", loss=loss)
        member = Member(columns_named("abc"), network, network.initialize(0))
        model = Model(tuple(map(Feature, "abc")), (member,), answers_of(network, None))
        with pytest.raises(InputError, match=f"the loss {named} has no step"):
            write(model, Options("net", "float64", "bits", {"train": True}))


def test_c_promises_no_bits_where_numpy_computes_what_is_exported(monkeypatch):
    run = gn.train(gn.Network((2, 2)), [[0.0, 1.0]], [0], random_state=0, iterations=1)
    options = Options("net", "float64", "bits", {})
    assert promises(source_of(run).model, options) == 0
    monkeypatch.setattr("glassnet.native.module", None)
    other = gn.train(gn.Network((2, 2)), [[0.0, 1.0]], [0], random_state=0, iterations=1)
    assert promises(source_of(other).model, options) > 0
