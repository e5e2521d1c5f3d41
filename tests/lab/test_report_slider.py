"""The report's slider over the run, in the browser that the lab's tests drive."""

import numpy as np

import glassnet as gn

Z = "plot => plot.data.find(trace => trace.type === 'heatmap').z.bdata"


def test_slider_of_a_report_shows_the_run_at_each_moment(tmp_path, new_page):
    X = np.random.RandomState(0).randn(60, 2)
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    tape = gn.Tape(gn.Network((2, 5, 2), hidden="tanh"), X, y, optimizer="adam", random_state=0)
    tape.advance(120)
    path = gn.report.write_report(tmp_path / "report.html", run=tape.run, X=X, y=y, film=tape)
    for width in (1280, 375):
        page = new_page(width=width)
        page.goto(path.as_uri())
        page.wait_for_function("document.documentElement.dataset.ready === 'yes'")
        slider, words = page.get_by_role("slider", name="Iteration"), page.locator(".slider output")
        assert words.inner_text() == slider.get_attribute("aria-valuetext")
        assert words.inner_text().startswith("end · iteration 120")
        plot = page.locator(".film .plot")
        at_end = plot.evaluate(Z)
        slider.focus()
        page.keyboard.press("Home")
        page.wait_for_function("document.querySelector('.slider output').textContent.startsWith('start')")
        assert plot.evaluate("plot => plot.data.at(-1).x") == [0]
        at_start = plot.evaluate(Z)
        assert at_start != at_end
        page.keyboard.press("End")
        page.wait_for_function("document.querySelector('.slider output').textContent.startsWith('end')")
        assert plot.evaluate(Z) == at_end
        assert plot.evaluate("plot => plot.scrollWidth <= plot.clientWidth + 1")
