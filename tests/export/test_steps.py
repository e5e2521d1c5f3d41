"""The steps before a network."""

import numpy as np

from glassnet.export.steps import Step


def test_step_month_is_that_of_the_calendar():
    days = np.arange(-800_000, 800_000, 7)
    months = days.astype("M8[D]").astype("M8[M]").astype(int) % 12
    assert np.array_equal(Step("month")(days.astype(float)), months)


def test_step_pick_of_no_place_is_missing():
    found = Step("pick", (5.0, 7.0))(np.array([1.0, 0.0, 2.0, 0.5, np.nan, np.inf]))
    assert np.array_equal(found, [7, 5, np.nan, np.nan, np.nan, np.nan], equal_nan=True)
    large = np.array([*range(700), 0.5, -1, 700, np.nan])
    found = Step("pick", tuple(range(7, 707)))(large)
    assert np.array_equal(found, [*range(7, 707), *[np.nan] * 4], equal_nan=True)
