"""An explanation as text, as HTML and as data."""

import json
import math

import numpy as np

import glassnet as gn
from glassnet.diagnostics.explain import Check, Explanation, Step

STEPS = (
    Step("V", "momentum V - learning_rate g", "0.9 * 0 - 0.1 * 2", -0.2, "<-"),
    Step("W1[0, 0]", "1.5", "", 1.5),
)
CHECK = Check("dJ/dW1[0, 0]", 2.0, 2.0000001, 2e-5, 1e-4, "right")


def test_text_has_each_step_its_value_and_the_verdict():
    told = Explanation("update", "update", "The next update", -0.2, STEPS, (CHECK,), ("A note.",))
    assert str(told).splitlines() == [
        "The next update",
        "  V <- momentum V - learning_rate g",
        "     = 0.9 * 0 - 0.1 * 2",
        "     = -0.2",
        "  W1[0, 0] = 1.5",
        "  check dJ/dW1[0, 0] = 2.0",
        "        central difference 2.0000001, step 0.0001",
        "        right: the two differ by 1e-07, and 2e-05 is allowed",
        "  A note.",
    ]
    assert repr(told) == "Explanation of update = -0.2; checked: 1 right"
    assert told.passed


def test_html_shows_the_same_and_escapes_what_a_user_has_named():
    angry = "<script>alert(1)</script>"
    own = gn.Activation(angry, np.tanh, lambda z, h: 1 - h * h, angry, angry)
    run = gn.train(
        gn.Network((2, 2, 2), own), [[0.1, 2.0], [1.0, 0.3]], [0, 1], iterations=1, random_state=0
    )
    explained = gn.explain(run, [[0.1, 2.0], [1.0, 0.3]], [0, 1], sample=0)
    html = explained._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    for part in explained.parts:
        assert part.title in html
    assert "right: the two differ by" in html
    wrong = Explanation("delta", "d", "t", 1.0, (), (CHECK._replace(verdict="wrong"),))
    assert "WRONG" in wrong._repr_html_()
    assert not wrong.passed


def test_data_have_no_number_that_json_lacks():
    steps = (Step("Z", "sum", "inf + 1", math.inf),)
    plain = Explanation(
        "activation", "Z", "t", math.nan, steps, (), (), (), ({"X": np.array([1.0, np.inf])},)
    )
    plain = plain.to_dict()
    assert plain["value"] is None
    assert plain["steps"][0]["value"] is None
    assert plain["layers"] == [{"X": [1.0, None]}]
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert plain["passed"] is False  # nothing was checked
