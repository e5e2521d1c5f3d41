"""Numbers that are the same to the bit as before, on every machine: see same_numbers.py."""

import json

import numpy as np
import pytest
import same_numbers
from same_numbers import CASES, digest

KNOWN = json.loads(same_numbers.EXPECTED.read_text("utf-8"))


def test_each_case_has_a_digest_and_each_digest_a_case():
    assert not set(KNOWN["portable"]) & set(KNOWN["machine"])
    assert {*KNOWN["portable"], *KNOWN["machine"]} == set(CASES)


@pytest.mark.parametrize("name", [name for name in CASES if name in KNOWN["portable"]])
def test_case_has_the_numbers_that_it_had(name):
    # python tests/same_numbers.py --show NAME prints them, here and in an earlier checkout.
    assert digest(same_numbers.compute(name)) == KNOWN["portable"][name]


def test_digest_tells_values_apart_that_differ_in_a_bit_a_type_or_a_place():
    one = np.array([1.0, 2.0, 3.0, 4.0])
    unlike = [
        one,
        one.astype("float32"),
        one.astype(int),
        one.reshape(2, 2),
        np.nextafter(one, 5),
        one.tolist(),
        [1, 2, 3, 4],
        [1.0, [2.0, 3.0], 4.0],
        {"a": one},
        {"b": one},
        0.0,
        -0.0,
        0,
        False,
        None,
        "",
        b"",
        [],
        {},
        "1",
        1,
    ]
    assert len({digest(value) for value in unlike}) == len(unlike)


def test_digest_takes_values_that_are_the_same_for_one():
    one = np.arange(6.0).reshape(2, 3)
    assert digest(one) == digest(np.asfortranarray(one)) == digest(one[:, ::-1][:, ::-1])
    assert digest((1, 2.0)) == digest([np.int64(1), np.float64(2.0)])
    assert digest(np.array([np.nan])) == digest(-np.array([np.nan]))
    with pytest.raises(TypeError, match="A case gave object"):
        digest(object())
