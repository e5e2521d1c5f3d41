import base64
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest
from drawing import OUTPUTS, Y, line, make_run
from drawing import X as INPUTS
from numpy.testing import assert_allclose, assert_array_equal

import glassnet as gn
from glassnet.plots.picture_data import Targets, input_projection, make_cloud, make_field, make_grid
from glassnet.plots.projection import spans
from glassnet.plots.report import interactive, page, score, tables, traces
from glassnet.utils.words import percent, readable

HIDDEN = [(), (1,), (2,), (3,), (8,)]
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"' %{x} {{y}} &amp; $x$"

# Every report holds plotly.js; a few bytes do in its place where only the page is looked at.
LIBRARY = "/* plotly.js */"


class Page(HTMLParser):
    """A parsed page: every tag with its attributes, the text, the scripts by id."""

    def __init__(self, source):
        super().__init__()
        self.tags, self.words, self.scripts, self._open = [], [], {}, None
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._open = dict(attrs).get("id", tag)

    def handle_endtag(self, tag):
        self._open = None

    def handle_data(self, data):
        if self._open is None:
            self.words.append(data)
        else:
            self.scripts[self._open] = self.scripts.get(self._open, "") + data

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())

    def pictures(self):
        found = {
            key.removesuffix("-data"): text for key, text in self.scripts.items() if key.endswith("-data")
        }
        return {key: json.loads(text) for key, text in found.items()}


@pytest.fixture
def write(tmp_path, monkeypatch):
    """`write(run, X, y, **extra)`: the page, without the 5 MB of plotly.js."""
    import plotly.offline

    monkeypatch.setattr(plotly.offline, "get_plotlyjs", lambda: LIBRARY)

    def do(run, X, y, **extra):
        path = gn.report.write_report(tmp_path / "report.html", run=run, X=X, y=y, **extra)
        return Page(path.read_text(encoding="utf-8"))

    return do


def unpacked(block):
    data = np.frombuffer(base64.b64decode(block["bdata"]), dtype=f"<{block['dtype']}")
    return data.reshape([int(length) for length in block["shape"].split(",")]) if "shape" in block else data


def dots(picture):
    """How many samples a picture has."""
    kinds = ("scattergl", "scatter3d")
    found = [t for t in picture["data"] if t["type"] in kinds and t["mode"] == "markers"]
    return sum(
        len(unpacked(t["x"])) for t in found if isinstance(t["x"], dict) and "misclass" not in t["name"]
    )


# ---- The page -----------------------------------------------------------------------------------


@pytest.mark.parametrize("inputs", [1, 2, 5])
@pytest.mark.parametrize(("output", "width"), OUTPUTS)
def test_report_of_every_network_has_pictures_that_plotly_accepts(output, width, inputs, write, make_data):
    hidden = HIDDEN[(3 * OUTPUTS.index((output, width)) + inputs) % len(HIDDEN)]  # all, taking turns
    from plotly.graph_objects import Figure

    run = make_run((inputs, *hidden, width), output)
    X, y = make_data(run.network, 30)
    made = write(run, X, y)
    pictures = made.pictures()
    kind = {"roc"} if run.network.loss.target in ("class", "label") else {"regression", "errors"}
    shown = {"data", "loss", "boundary", *(["hidden"] if hidden else [])}
    if inputs > 1 or "roc" in kind:  # a quantity over one input is drawn with its samples, once
        shown |= {"surface"}
    assert set(pictures) == shown | kind
    for picture in pictures.values():
        assert picture["data"]
        Figure(**picture)  # raises for a property that plotly does not know
    assert dots(pictures["data"]) == dots(pictures["boundary"]) == 30
    if not hidden:
        assert "no hidden layer" in made.text


def test_report_draws_predictions_for_each_set_of_rows_in_the_tables_unit(write):
    run = line(extra={"preprocessing": {"target_mean": 100.0, "target_scale": 10.0}})
    held_out = {"test": (INPUTS[:7], Y[:7] + 0.1)}
    made = write(run, INPUTS, Y, held_out=held_out, class_names=["cost (standardized)"])
    regression, errors = (made.pictures()[name] for name in ("regression", "errors"))
    assert dots(regression) == 47
    test = next(t for t in regression["data"] if t["name"] == "test" and isinstance(t["x"], dict))
    np.testing.assert_allclose(unpacked(test["x"]) - unpacked(test["y"]), 1.0, atol=1e-4)
    assert regression["layout"]["xaxis"]["title"]["text"] == "cost"
    assert sum(sum(trace["y"]) for trace in errors["data"]) == 47
    assert "Training R = 1; test R = 1." in made.text


@pytest.mark.parametrize(("count", "curves"), [(2, 2), (3, 3), (11, 8)])
def test_report_draws_roc_curves_of_both_sets_or_of_the_last_ones_classes(count, curves, write):
    X, y = np.random.RandomState(0).randn(60, 2), np.arange(60) % count
    made = write(make_run((2, count)), X, y, held_out=(X[:33], y[:33]))
    names = [trace["name"] for trace in made.pictures()["roc"]["data"] if trace["name"] != "chance"]
    assert len(names) == curves
    assert ("8 of 11 classes" in made.text) == (count == 11)


def traced(hidden, rule, iterations=6):
    """A run that a trace has watched, on samples that are given too."""
    X = np.random.RandomState(0).randn(30, 2)
    y = (X[:, 0] > 0).astype(int)
    trace = gn.CurvatureTrace(X, y, every=2)
    how = {"optimizer": rule, "iterations": iterations, "random_state": 0, "callbacks": [trace]}
    return gn.train(gn.Network((2, *hidden, 2), hidden="relu"), X, y, **how), X, y, trace


def test_report_says_why_a_run_does_not_learn(write):
    X = np.random.RandomState(0).randn(60, 2)
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    network = gn.Network((2, 4, 2), hidden="tanh")
    run = gn.train(network, X, y, parameters=np.zeros(network.n_parameters), iterations=10)
    found = gn.diagnose(run, X, y)
    made = write(run, X, y, diagnosis=found)
    assert "Why it does not learn" in made.text
    for finding in found.findings:
        assert finding.sentence in made.text
        assert finding.trial.sentence in made.text
    good = gn.train(network, X, y, optimizer="lbfgs", random_state=0)
    assert "Why it does not learn" not in write(good, X, y, diagnosis=gn.diagnose(good, X, y)).text


@pytest.mark.parametrize("hidden", [(), (4,), (4, 3)], ids=str)
@pytest.mark.parametrize("rule", [gn.SGD(0.5, 0.5), gn.LBFGS()], ids=lambda rule: rule.name)
def test_report_draws_what_the_curve_said(hidden, rule, write):
    from plotly.graph_objects import Figure

    run, X, y, trace = traced(hidden, rule)
    made = write(run, X, y, curvature=trace)
    picture = made.pictures()["landscape"]
    Figure(**picture)
    panels = 3 + bool(hidden)
    assert picture["layout"]["xaxis"]["anchor"] == f"y{panels}"
    domains = [picture["layout"][f"yaxis{n if n > 1 else ''}"]["domain"] for n in range(1, panels + 1)]
    assert all(upper[0] > lower[1] for upper, lower in pairwise(domains))
    assert domains[0][1] == 1
    assert abs(domains[-1][0]) < 1e-12
    (gradient,) = (line for line in picture["data"] if line["name"] == "gradient norm")
    assert unpacked(gradient["x"]).tolist() == [point.iteration for point in trace.points]
    assert gradient["y"] == [point.gradient_norm for point in trace.points]
    assert ("stability limit of rate 0.5: 6" in str(picture)) == (rule.name == "sgd")
    assert f"the gradient is {readable(trace.points[-1].gradient_norm)} long" in made.text
    assert "What the curve says" in made.text


def test_report_without_a_trace_says_nothing_of_the_curve(write):
    run, X, y, _ = traced((3,), gn.SGD(0.5))
    made = write(run, X, y)
    assert "What the curve says" not in made.text
    with pytest.raises(gn.InputTypeError, match="CurvatureTrace"):
        write(run, X, y, curvature=run)
    with pytest.raises(gn.InputError, match="no run yet"):
        write(run, X, y, curvature=gn.CurvatureTrace(X, y))


def test_report_loads_nothing_from_anywhere(tmp_path, make_data):
    run = make_run((2, 3, 2))
    path = gn.report.write_report(tmp_path / "report.html", run=run, X=[[0.0, 1.0]], y=[1])
    source = path.read_text(encoding="utf-8")
    made = Page(source)
    assert path.stat().st_size < 10e6
    assert source.count("* plotly.js v") == 1
    links = [(tag, attrs.get(key)) for tag, attrs in made.tags for key in ("src", "href") if key in attrs]
    assert links
    assert all(target.startswith(("#", "data:")) for _, target in links)
    assert not {"iframe", "object", "embed", "base", "form"} & {tag for tag, _ in made.tags}
    assert not re.search(r"@import|url\(", made.scripts["style"])
    policy = [attrs["content"] for tag, attrs in made.tags if attrs.get("http-equiv")]
    assert policy[0].startswith("default-src 'none'")
    assert not re.search(r"https?:|connect-src", policy[0])
    # plotly.js has a button that uploads a picture; without these two it would be there.
    assert "showSendToCloud: false" in source
    assert 'plotlyServerURL: ""' in source


class HostileRule(str):
    """An optimizer that describes itself so."""

    __slots__ = ()

    def brief(self):
        return str(self)


def test_report_escapes_hostile_names(write):
    X, y = np.random.RandomState(0).randn(20, 2), np.arange(20) % 2
    plain = write(make_run((2, 3, 2)), X, y, settings={"name": "value"}, timings={"data": 1.0})
    made = write(
        make_run((2, 3, 2), optimizer=HostileRule(HOSTILE), engine_reason=HOSTILE),
        X,
        y,
        title=HOSTILE,
        class_names=[HOSTILE + "0", HOSTILE + "1"],
        feature_names=[HOSTILE + "a", HOSTILE + "b"],
        settings={HOSTILE: HOSTILE},
        timings={HOSTILE: HOSTILE},
    )
    shape = [(tag, sorted(attrs)) for tag, attrs in made.tags]
    assert shape == [(tag, sorted(attrs)) for tag, attrs in plain.tags]
    assert HOSTILE in made.text
    for picture in made.pictures().values():
        said = json.dumps(picture)
        assert "<script" not in said
        assert "%{x}" not in said
        # All that plotly decodes; it shows the name of a quotation mark as it is written.
        assert {*re.findall(r"&[a-z]+;", said)} <= {"&amp;", "&lt;", "&gt;"}
    label = made.pictures()["data"]["layout"]["xaxis"]["title"]["text"]
    assert label.startswith("&lt;/script&gt;")
    # In space plotly draws entities as they stand.
    label = made.pictures()["surface"]["layout"]["scene"]["xaxis"]["title"]["text"]
    assert label.removeprefix("<br><br>").startswith("\u2039/script\u203a")


def test_report_shows_all_samples_in_the_plane_and_says_how_many_in_space(write, circles, circles_data):
    X, y, _ = circles_data
    names = ("hidden_weights", "hidden_bias", "output_weights", "output_bias")
    theta = gn.Parameters((2, 3, 2), np.concatenate([circles[f"final_{name}"].ravel() for name in names]))
    run = make_run((2, 3, 2), parameters=theta, losses=circles["loss"], reduction="sum")
    made = write(run, X, y, title="circles")
    pictures = made.pictures()
    assert dots(pictures["data"]) == dots(pictures["boundary"]) == 50_000
    shown = dots(pictures["hidden"])
    assert 10_000 <= shown <= 15_000
    assert f"{shown:,} of 50,000 samples are shown" in made.text
    assert "99.996 %" in made.text
    assert "2 of 50,000 samples wrong" in made.text
    for value in theta.flat:  # the 17 parameters
        assert f"{value:.6g}" in made.text
    (line,) = [t for t in pictures["boundary"]["data"] if t.get("name") == "P = 1/2"]
    radius = np.hypot(unpacked(line["x"]), unpacked(line["y"]))
    assert 0.4 < radius.min() < radius.max() < 0.8
    names = [t.get("name", "") for t in pictures["boundary"]["data"]]
    assert [name for name in names if "misclassified" in name] == ["misclassified (2)"]
    assert any(
        "a plateau near 12,900" in note["text"] for note in pictures["loss"]["layout"]["annotations"]
    )
    assert any(t["type"] == "mesh3d" for t in pictures["hidden"]["data"])
    assert sum(len(text) for text in made.scripts.values()) < 5e6


def test_report_says_how_a_run_ended(write):
    X, y = [[0.0, 0.0], [1.0, 1.0]], [0, 1]
    assert "blew up at iteration 3" in write(make_run((2, 2), status="diverged", diverged_at=3), X, y).text
    assert "interrupted after 2 iterations" in write(make_run((2, 2), status="interrupted"), X, y).text
    stopped = make_run((2, 2), status="stopped", reason="a callback asked for it")
    assert "stopped after 2 iterations: a callback asked for it." in write(stopped, X, y).text
    assert not [attrs for _, attrs in write(make_run((2, 2)), X, y).tags if attrs.get("role") == "status"]


def test_report_of_a_run_without_iterations_is_written(write):
    made = write(make_run((2, 3, 2), losses=[0.7]), [[0.0, 0.0]], [1])
    assert "for 0 iterations" in made.text


@pytest.mark.parametrize("losses", [[1.0, np.nan, np.inf], [np.nan]])
def test_report_holds_no_number_that_json_lacks(losses, write):
    made = write(make_run((2, 2), losses=losses), [[0.0, 0.0]], [1])
    values = made.pictures()["loss"]["data"][0]["y"]
    assert values == [None if not np.isfinite(loss) else loss for loss in losses]


def test_report_of_a_run_that_diverged_in_its_first_epoch_is_written(write):
    run = make_run((2, 3, 2), losses=[], iterations=0, batch_size=2, status="diverged", diverged_at=1)
    made = write(run, [[0.0, 0.0]], [1])
    assert "blew up at epoch 1" in made.text
    assert "loss after every epoch" in made.text
    assert made.pictures()["loss"]["layout"]["xaxis"]["dtick"] == 1


def test_report_of_many_classes_leaves_room_for_its_pictures(write, make_data):
    run = make_run((2, 3, 20))
    names = [f"a class whose name is number {i}, and long" for i in range(20)]
    pictures = write(run, *make_data(run.network, 200), class_names=names).pictures()
    for name in ("data", "boundary", "hidden", "surface"):
        entries = [t.get("name", "") for t in pictures[name]["data"] if t.get("showlegend", True)]
        classes = [entry for entry in entries if "long" in entry]
        assert len(classes) == 12
        assert max(map(len, classes)) <= 24
        assert any(re.fullmatch(r"\+\d classes", entry) for entry in entries)


def test_report_scores_the_rows_that_the_run_held_out_apart(write, make_data):
    X, y = make_data(gn.Network((2, 3, 2)), 40)
    run = gn.train(gn.Network((2, 3, 2)), X, y, iterations=2, validation=0.25, random_state=0)
    made = write(run, X, y)
    assert "Training samples (30)" in made.text
    assert "Validation samples (10)" in made.text


@pytest.mark.parametrize(("unit", "kind"), [(1.0, "scattergl"), (1e99, "scatter"), (1e-99, "scatter")])
def test_samples_in_units_that_webgl_lacks_are_drawn_without_it(unit, kind):
    points = unit * np.arange(6.0).reshape(3, 2)
    targets = Targets(np.arange(3.0), ("y",), is_class=False)
    (trace,) = traces.make_samples(points, targets, ["a", "b"], spans(points, 2))
    assert trace["type"] == kind


def test_report_scores_held_out_samples_beside_the_others(write):
    X, y = np.random.RandomState(0).randn(20, 2), np.arange(20) % 2
    made = write(make_run((2, 3, 2)), X, y, held_out=(X[:7], y[:7]))
    assert "Training samples (20)" in made.text
    assert "Held-out samples (7)" in made.text


def test_report_refuses_a_held_out_set_that_is_no_pair(write):
    with pytest.raises(gn.InputTypeError, match="pair"):
        write(make_run((2, 2)), [[0.0, 0.0]], [1], held_out=np.zeros((3, 2)))


def test_report_lists_settings_and_timings(write):
    made = write(
        make_run((2, 2)),
        [[0.0, 0.0]],
        [1],
        settings={"data": {"noise": 0.1, "sizes": [2, 3]}, "shuffle": True},
        timings={"pictures": 1.5, "note": "cold"},
    )
    for words in (
        "data. noise 0.1",  # where the key may break
        "data. sizes 2, 3",
        "shuffle yes",
        "pictures 1.500 s",
        "note cold",
        "0.250 s",
    ):
        assert words in made.text


def test_report_is_whole_or_not_there(tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("earlier")
    monkeypatch.setattr(gn.report, "_settings", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        gn.report.write_report(path, run=make_run((2, 2)), X=[[0.0, 0.0]], y=[1])
    assert path.read_text() == "earlier"
    assert [one.name for one in tmp_path.iterdir()] == ["report.html"]


def test_report_into_a_missing_folder_is_a_file_error(tmp_path):
    with pytest.raises(gn.FileError):
        gn.report.write_report(tmp_path / "no" / "report.html", run=make_run((2, 2)), X=[[0.0, 0.0]], y=[1])


def test_same_run_gives_the_same_bytes(tmp_path):
    X, y = np.random.RandomState(0).randn(20, 2), np.arange(20) % 2
    paths = [tmp_path / name for name in ("a.html", "b.html")]
    for path in paths:
        gn.report.write_report(path, run=make_run((2, 3, 2)), X=X, y=y)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_esc_leaves_html_alone_and_escapes_the_rest():
    assert (
        page.tag("b", "<i>", page.tag("i", "&"), class_='"')
        == '<b class="&quot;">&lt;i&gt;<i>&amp;</i></b>'
    )


def test_each_class_keeps_its_own_part_of_a_surfaces_colors():
    run = make_run((2, 6, 4), seed=3)
    X = np.random.RandomState(0).randn(50, 2) * 3
    field = make_field(run)
    grid = make_grid(field, input_projection(run.network.sizes[0], X, None, None), spans(X, 2), 40)
    cloud = make_cloud(X, field.targets(np.arange(50) % 4, 50), grid.projection, field)
    (surface, *_) = interactive.boundary_picture(cloud, grid)["data"]
    color = unpacked(surface["z"])
    assert_array_equal(np.floor(color), grid.values.argmax(axis=-1))
    # plotly cuts the scale into 256 steps: no value lies within one of another class's colors.
    steps = 256 * color / surface["zmax"]
    borders = 256 * np.arange(5) / surface["zmax"]
    assert np.abs(steps[..., None] - borders).min() > 1
    places = [place for place, _ in surface["colorscale"]]
    assert places == sorted(places)
    assert (places[0], places[-1]) == (0, 1)


def test_no_tag_can_end_inside_a_pictures_numbers():
    picture = {"data": [{"name": "</script><!--"}], "layout": {}}
    made = Page(page.figure("one", "One", picture, "caption"))
    assert made.pictures() == {"one": picture}
    assert [tag for tag, _ in made.tags].count("script") == 1
    assert "<" not in made.scripts["one-data"]


@pytest.mark.parametrize(
    ("values", "step"),
    [([1.0, 2.0, np.nan], None), ([1e-3, 1e2, -1], 1), ([1e-300, 1e280], 73), ([], None)],
)
def test_a_logarithmic_axis_has_a_few_powers_of_10(values, step):
    assert traces.log_step(np.array(values), 8) == step


def test_packed_arrays_come_back():
    values = np.arange(6.0).reshape(2, 3)
    assert_array_equal(unpacked(traces.packed(values)), values)
    assert_array_equal(unpacked(traces.packed(values[:, 0])), [0, 3])


@pytest.mark.parametrize("values", [1e9 + np.arange(4.0), np.array([-1e120, 2e120]), np.array([0, 1e-200])])
def test_packed_arrays_come_back_from_far_off_and_in_any_unit(values):
    assert_array_equal(unpacked(traces.packed(values)), values)


# ---- Tables -------------------------------------------------------------------------------------


def test_gradient_check_is_tabulated_entry_by_entry(make_data):
    network = gn.Network((2, 3, 2))
    check = gn.check_gradients(network, network.initialize(0), *make_data(network, 9), engine="numpy")
    made = Page(tables.check_table(check))
    assert "PASSED" in made.text
    assert [tag for tag, _ in made.tags].count("tr") == 1 + 17
    for entry in check.table:
        assert f"{entry.label} {entry.numerical:.9e} {entry.backpropagated:.9e}" in made.text


def test_gradient_check_that_failed_shows_the_wrong_entries_of_a_large_network(make_data):
    network = gn.Network((4, 20, 3))
    X, y = make_data(network, 9)
    theta = network.initialize(0)
    _, gradient = gn.loss_and_gradient(network, theta, X, y, engine="numpy")
    gradient.weights[1][7, 2] *= 1.5
    made = Page(tables.check_table(gn.check_gradients(network, theta, X, y, gradient=gradient)))
    assert "FAILED" in made.text
    assert "The entries that are wrong, 1 of 163" in made.text
    assert "W2[7, 2]" in made.text


def test_gradient_check_of_another_kind_is_shown_as_text():
    class Check:
        passed, table = True, ["<row>"]

        def __str__(self):
            return "all is <well>"

    made = Page(tables.check_table(Check()))
    assert "all is <well>" in made.text
    assert "pre" in [tag for tag, _ in made.tags]


def test_parameters_of_a_large_network_are_summed_up():
    run = make_run((30, 20, 3))
    made = Page(tables.parameter_tables(run, None, None))
    assert "W1 30 x 20" in made.text
    assert f"{np.linalg.norm(run.parameters.weights[1]):.6g}" in made.text
    assert [tag for tag, _ in made.tags].count("tr") == 5


def test_many_classes_are_listed_by_their_confusions():
    counts = np.zeros((30, 30), int)
    np.add.at(counts, ([3, 3, 5, 7], [4, 4, 5, 8]), 1)
    table = gn.report.Confusion(counts, tuple(f"c{i}" for i in range(30)))
    made = Page(tables.score_tables({"training": gn.report.Scores(4, confusions=(table,))}))
    assert "c3 c4 2" in made.text
    assert "c7 c8 1" in made.text


# ---- Scores -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("output", "width"), OUTPUTS)
def test_scores_are_those_of_sklearn(output, width, make_data):
    from sklearn import metrics

    run = make_run((3, 4, width), output)
    X, y = make_data(run.network, 60)
    scores = score(run, X, y)
    predicted = run.network.predict(run.parameters, X)
    if run.network.loss.target == "class":
        actual = y.argmax(axis=1)
        assert_array_equal(scores.confusions[0].counts, metrics.confusion_matrix(actual, predicted))
        assert scores.confusions[0].accuracy == metrics.accuracy_score(actual, predicted)
        recall = metrics.recall_score(actual, predicted, average=None)
        assert_allclose(scores.confusions[0].recall, recall)
    elif run.network.loss.target == "label":
        actual = (y > 0.5).astype(int)
        for i, table in enumerate(scores.confusions):
            assert_array_equal(table.counts, metrics.confusion_matrix(actual[:, i], predicted[:, i]))
        if width > 1:
            assert scores.exact == metrics.accuracy_score(actual, predicted)
    else:
        for i, fit in enumerate(scores.fits):
            assert_allclose(fit.r2, metrics.r2_score(y[:, i], predicted[:, i]))
            assert_allclose(fit.rmse, metrics.root_mean_squared_error(y[:, i], predicted[:, i]))


def test_r2_of_a_constant_target_is_undefined():
    run = make_run((1, 1), "identity")
    scores = score(run, [[0.0], [1.0]], [2.0, 2.0])
    assert np.isnan(scores.fits[0].r2)
    assert "undefined" in tables.score_tables({"training": scores})


@pytest.mark.parametrize(
    ("share", "text"),
    [(1.0, "100 %"), (0.0, "0 %"), (0.999999, "99.9999 %"), (1e-6, "0.0001 %"), (0.1234, "12.3 %")],
)
def test_percent_is_whole_only_where_it_is(share, text):
    assert percent(share) == text


def test_score_refuses_an_empty_set():
    with pytest.raises(gn.InputError, match="empty"):
        score(make_run((2, 2)), np.empty((0, 2)), [])


def test_report_of_a_standardized_table_has_its_units(tmp_path):
    rng = np.random.RandomState(0)
    X = rng.randn(50, 2)
    run = gn.train(
        gn.Network((2, 1), output="identity"),
        X,
        X[:, 0] + 0.1 * rng.randn(50),
        random_state=0,
        iterations=5,
    )
    made = {"features": ["width", "depth"], "mean": [5.0, 40.0], "scale": [2.5, 8.0]}
    made |= {"target": "price", "target_mean": 500.0, "target_scale": 100.0}
    plain = gn.report.score(run, X, X[:, 0]).fits[0].rmse
    path = gn.report.write_report(
        tmp_path / "r.html", run=replace(run, extra={"preprocessing": made}), X=X, y=X[:, 0]
    )
    words = path.read_text(encoding="utf-8")
    assert f"root mean square error of {100 * plain:.4g}" in words
    assert "Standardized inputs" in words
    for entry in ("width", "depth", "price (target)", "2.5", "40"):
        assert f"<td>{entry}</td>" in words


def test_errors_in_the_targets_own_unit_go_by_its_own_name():
    run, named = line(offset=0.5), ["price (standardized)"]
    plain = gn.report.score(run, INPUTS, Y, named).fits[0]
    assert (plain.name, plain.rmse) == ("price (standardized)", 0.5)
    run.extra["preprocessing"] = {"target_mean": 0.0, "target_scale": 100.0}
    own = gn.report.score(run, INPUTS, Y, named).fits[0]
    assert (own.name, own.rmse, own.r2) == ("price", 50.0, plain.r2)


def test_report_keys_break_after_dots_and_underscores():
    from glassnet.plots.report.page import pairs

    assert "train.<wbr>batch_<wbr>size" in pairs({"train": {"batch_size": 1}})
