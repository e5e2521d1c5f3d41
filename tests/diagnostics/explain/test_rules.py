"""Each optimizer's lines lead from the gradient to the number that its update gives."""

import numpy as np
import pytest
from explain_arithmetic import computed

import glassnet as gn
from glassnet.diagnostics.explain.rules import rule_steps

VARIANTS = [
    *(kind() for kind in gn.OPTIMIZERS.values()),
    gn.SGD(nesterov=True),
    gn.SGD(momentum=0),
    gn.RMSprop(centered=True, momentum=0.5),
    gn.Adam(epsilon_hat=True),
    gn.AdamW(weight_decay=0.3),
    gn.Lion(weight_decay=0.2),
]


@pytest.mark.parametrize("is_weight", [True, False])
@pytest.mark.parametrize("rule", VARIANTS, ids=repr)
def test_lines_of_a_rule_lead_to_its_update(rule, is_weight):
    random = np.random.RandomState(5)
    theta, mask = random.randn(1), np.array([is_weight])
    state, rate = np.zeros((len(rule.state_names), 1)), 0.07
    for t in range(1, 4):
        g = random.randn(1)
        moved, after = rule.update(theta, state, g, t, rate, mask)
        before, new = (theta[0], state[:, 0]), (moved[0], after[:, 0])
        steps = rule_steps(rule, "W1[0, 0]", float(g[0]), t, rate, is_weight, before, new)
        assert steps[-1].symbol == "W1[0, 0]"
        for step in steps:
            if step.numbers:
                assert computed(step.numbers) == pytest.approx(step.value, rel=1e-4, abs=1e-9), step
        # The new state is among the lines.
        for name, value in zip(rule.state_names, after[:, 0], strict=True):
            if value and not (name == "mean" and rule.name == "rmsprop" and not rule.centered):
                assert any(step.value == pytest.approx(float(value)) for step in steps), name
        theta, state = moved, after
