"""The bound: its count is the source's, its rates are measured, the README publishes it."""

import re
from pathlib import Path

import numpy as np
import pytest

from benchmarks import bound
from benchmarks.jobs import scaling
from glassnet import native

ROOT = Path(__file__).parents[2]


def source(name, start, end="\n}"):
    text = (ROOT / "src/glassnet/native/kernels" / name).read_text()
    begin = text.index(start)
    return text[begin : text.index(end, begin)]


@pytest.mark.parametrize(("precision", "type_name"), [("float64", "double"), ("float32", "float")])
def test_polynomial_has_as_many_coefficients_as_are_counted(precision, type_name):
    constants = source("shallow.hpp", f"struct Binary<{type_name}>")
    coefficients = re.search(r"coth\[\] = \{(.*?)\}", constants, re.DOTALL)[1]
    assert len(coefficients.split(",")) == bound.COEFFICIENTS[precision] + 1


def operations(text):
    """fma of both signs, minima and maxima, and divisions in a piece of C++."""
    code = re.sub(r"//.*", "", text)
    return (
        len(re.findall(r"\bfn?m[as]\(", code)),
        len(re.findall(r"\b(?:min|max)\(", code)),
        len(re.findall(r"[\w)] / [\w(]", code)),
    )


def test_count_is_that_of_the_formulas_in_the_source():
    reduction = operations(source("shallow.hpp", "Reduced<P> reduce_binary("))
    ratio = operations(source("shallow.hpp", "Ratio<P> binary_ratio("))
    hidden = source("shallow.hpp", "void hidden(", "\n  }")
    hidden = operations(re.sub(r"\} else \{.*?\}|\bv / G\b", "", hidden, flags=re.DOTALL))
    loss = source("shallow.hpp", "void add(const P& part", "\n  }")
    head = operations(source("shallow.hpp", "double head(", "double loss ="))
    back = source("shallow.hpp", "struct Sums", "void total(")
    back = operations(re.sub(r": fnma.*", "", back))  # of two activations one
    # Of these, one fma of the ratio, one of the hidden units and two of the head are in loops.
    assert (reduction, ratio, back) == ((0, 0, 0), (1, 0, 0), (1, 0, 0))
    assert (hidden, head) == ((2, 2, 1), (3, 2, 1))
    # Besides those: in each exponential r^2 and an fma for every coefficient; in the head the exponential's
    # scale; products of weights (2 and 3 inputs, forward and for the gradient) and of the loss; h delta.
    for precision, coefficients in bound.COEFFICIENTS.items():
        exponential = 1 + coefficients
        products = 1 + (2 * 3 + 3) + 2 * 3 + loss.count(" * ") + 3
        total = bound.total(precision)
        assert total.fma == 4 * exponential + 3 * (hidden[0] - 1 + back[0]) + head[0] - 2 + products
        assert total.min_max == 3 * hidden[1] + head[1]
        assert total.divide == 3 * hidden[2] + head[2]


RATES = {"lanes": 4, "fma": 1e-10, "add": 1e-10, "divide": 1e-10, "mixed": 1e-10}


@pytest.mark.parametrize(
    ("change", "limit", "per_vector"),
    [
        ({"mixed": 5e-11}, "fma", 52e-10),
        ({"mixed": 5e-11, "divide": 1e-8}, "divide", 4e-8),
        ({}, "all arithmetic", 94e-10),
    ],
)
def test_bound_is_the_longest_of_what_can_be_short(change, limit, per_vector):
    found = bound.bound("float64", 401, {**RATES, **change})
    assert found.limit == limit
    assert found.seconds == pytest.approx(101 * per_vector)
    assert found.on(2) == pytest.approx(found.seconds / 2)


@pytest.mark.parametrize("precision", bound.COEFFICIENTS)
@pytest.mark.parametrize("isa", native.module.isas())
def test_rates_are_measured_for_every_instruction_set(isa, precision):
    rates = bound.measure_rates(isa, precision, 0.002)
    assert set(rates) == set(RATES)
    width = {"avx512": 64, "avx2": 32, "portable": 16}[isa]
    assert rates["lanes"] == width // np.dtype(precision).itemsize
    assert all(0 < rates[kind] < 1e-6 for kind in rates if kind != "lanes")


def test_rates_of_an_unknown_set_or_width_are_refused():
    with pytest.raises(ValueError, match="does not have"):
        native.module.issue_rates("mmx", 64)
    with pytest.raises(ValueError, match="bits is 32 or 64"):
        native.module.issue_rates(native.module.isas()[0], 16)


def test_readme_publishes_the_count():
    assert bound.count_table() in (ROOT / "benchmarks" / "README.md").read_text()


def test_bound_of_dense_layers_counts_every_weight():
    count = bound.dense((20, 64, 32, 2), "float32")
    forward = 20 * 64 + 64 * 32 + 32
    back = 64 * 32 + 32
    ends = [p.count for p in bound.phases("float32") if p.name in ("2^-abs(z) = b / a", "error and loss")]
    assert count.fma == 2 * forward + back + sum(end.fma for end in ends)
    assert count.min_max == 64 + 32 + sum(end.min_max for end in ends)
    assert count.divide == sum(end.divide for end in ends) == 1


def test_bound_of_the_notebooks_iteration_is_bound_of_its_count():
    rates = {"lanes": 4, "fma": 1e-10, "add": 1e-10, "divide": 1e-10, "mixed": 5e-11}
    assert bound.bound("float64", 999, rates) == bound.bound_of(bound.total("float64"), 999, rates)


def test_there_is_no_bound_without_the_native_engine(monkeypatch):
    monkeypatch.setattr(native, "module", None)
    assert scaling._bound_us(scaling.width_workload(4)) is None
