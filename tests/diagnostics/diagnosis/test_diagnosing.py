"""What `diagnose` takes, how long it takes, and what it says."""

import json
import threading

import numpy as np
import pandas
import pytest
import stuck_runs

import glassnet as gn
from glassnet.diagnostics.diagnosis import CHECKS

pytestmark = pytest.mark.filterwarnings("ignore::glassnet.GlassnetWarning")

X, SIGNS, NET = stuck_runs.X, stuck_runs.SIGNS, stuck_runs.NET
RAW = 1_000 + 50 * X


def names(found):
    return [finding.name for finding in found.findings]


@pytest.fixture(scope="module")
def raw_run():
    return gn.train(NET, RAW, SIGNS, iterations=300, random_state=0)


def test_diagnose_takes_streams_and_finds_the_same(raw_run):
    rows = gn.stream(RAW, SIGNS)
    streamed = gn.train(NET, rows, iterations=300, random_state=0)
    assert names(gn.diagnose(streamed, rows)) == names(gn.diagnose(raw_run, RAW, SIGNS))


def test_diagnose_reads_some_parts_of_a_long_stream():
    many = np.tile(RAW, (100, 1))
    rows = gn.stream(many, np.tile(SIGNS, 100))
    found = gn.diagnose(gn.train(NET, rows, iterations=20, random_state=0), rows, remedies=False)
    assert (found.n_rows, found.n_looked) == (30_000, 20_000)
    assert "20,000 of 30,000 rows were looked at" in found.headline
    assert names(found)[0] == "raw_inputs"


def test_diagnose_takes_a_run_that_was_loaded(raw_run, tmp_path):
    gn.save(raw_run, tmp_path / "run")
    found = gn.diagnose(gn.load(tmp_path / "run"), RAW, SIGNS)
    assert names(found) == names(gn.diagnose(raw_run, RAW, SIGNS))


def test_diagnose_takes_a_run_that_diverged():
    network = gn.Network((3, 4, 1), output="identity")
    run = gn.train(network, X, X @ [1.0, 2.0, 3.0], optimizer=gn.SGD(3.0), random_state=0)
    found = gn.diagnose(run, X, X @ [1.0, 2.0, 3.0])
    assert run.status == "diverged"
    assert "blew up" in found.headline
    assert names(found)[0] == "rate_too_large"
    assert found.findings[0].trial.helps


def test_diagnose_knows_the_rows_that_a_run_held_out():
    run, *rows = stuck_runs.run_of("overfitting")
    assert "overfitting" in names(gn.diagnose(run, *rows, remedies=False))
    assert run.validation is not None


def test_diagnose_takes_labels_of_text(raw_run):
    labels = np.where(SIGNS, "same", "other")
    run = gn.train(NET, RAW, labels, iterations=300, random_state=0)
    assert names(gn.diagnose(run, RAW, labels))[0] == "raw_inputs"


def test_diagnose_names_columns_of_a_frame():
    frame = pandas.DataFrame(RAW, columns=["year", "height", "weight"])
    run = gn.train(NET, frame, SIGNS, iterations=300, random_state=0)
    assert "year" in gn.diagnose(run, frame, SIGNS).findings[0].evidence["columns"]


def test_diagnose_tells_runs_that_scale_by_themselves_apart():
    run = gn.train(NET, RAW, SIGNS, standardize=True, iterations=300, random_state=0)
    assert "raw_inputs" not in names(gn.diagnose(run, RAW, SIGNS))


def test_diagnose_compares_a_remedy_that_scales_y_in_the_unit_of_the_run():
    run, *rows = stuck_runs.run_of("raw_target")
    trial = gn.diagnose(run, *rows).findings[0].trial
    best = gn.train(run.network, *rows, standardize=True, random_state=0, iterations=trial.iterations)
    own = np.square(best.predict(rows[0]) - rows[1]).mean() / 2
    assert 0.1 * own < trial.with_remedy < 10 * own
    assert trial.without > 1e8


def test_diagnose_counts_a_summed_loss_over_all_rows():
    many, labels = np.tile(RAW, (100, 1)), np.tile(SIGNS, 100)
    run = gn.train(NET, many, labels, reduction="sum", optimizer=gn.SGD(1e-6), iterations=5, random_state=0)
    found = gn.diagnose(run, many, labels, remedies=False)
    assert found.loss == pytest.approx(run.losses[-1], rel=0.05)


def test_diagnose_without_remedies_tries_nothing(raw_run):
    found = gn.diagnose(raw_run, RAW, SIGNS, remedies=False)
    assert [finding.trial for finding in found.findings] == [None] * len(found.findings)
    assert "Tried" not in str(found)


def test_diagnose_gives_the_same_answer_twice(raw_run):
    first, second = (gn.diagnose(raw_run, RAW, SIGNS).to_dict() for _ in range(2))
    for document in (first, second):
        del document["seconds"]
        for finding in document["findings"]:
            del finding["trial"]["seconds"]
    assert first == second


def test_diagnose_works_in_a_thread_and_gives_no_warning(raw_run, recwarn):
    answers = []
    thread = threading.Thread(target=lambda: answers.append(gn.diagnose(raw_run, RAW, SIGNS)))
    thread.start()
    thread.join()
    assert names(answers[0])[0] == "raw_inputs"
    assert not recwarn.list


def test_a_diagnosis_is_plain_json_and_html(raw_run):
    found = gn.diagnose(raw_run, RAW, SIGNS)
    document = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert [one["name"] for one in document["findings"]] == names(found)
    assert {*document["looked_for"]} | {*document["not_looked_for"]} == {*CHECKS}
    assert document["findings"][0]["trial"]["sentence"].startswith("It helps")
    html = found._repr_html_()
    assert "raw_inputs" in html
    assert "standardize" in html


def test_a_diagnosis_escapes_names_of_columns():
    frame = pandas.DataFrame(RAW, columns=["<script>", "b", "c"])
    run = gn.train(NET, frame, SIGNS, iterations=300, random_state=0)
    assert "<script>" not in gn.diagnose(run, frame, SIGNS, remedies=False)._repr_html_()


def test_findings_are_in_the_order_of_their_weight(raw_run):
    weights = [finding.weight for finding in gn.diagnose(raw_run, RAW, SIGNS).findings]
    assert weights == sorted(weights, reverse=True)
    assert all(0 <= weight <= 1 for weight in weights)


def test_diagnose_says_that_few_iterations_are_few():
    run = gn.train(NET, X, SIGNS, iterations=2, random_state=0)
    assert "train for more iterations" in str(gn.diagnose(run, X, SIGNS))


def test_diagnose_refuses_what_is_no_run_and_other_data(raw_run):
    with pytest.raises(gn.InputTypeError, match="run is a TrainingRun"):
        gn.diagnose(NET, RAW, SIGNS)
    with pytest.raises(gn.InputError, match="X has 2 columns"):
        gn.diagnose(raw_run, RAW[:, :2], SIGNS)
    with pytest.raises(gn.InputError, match="y is missing"):
        gn.diagnose(raw_run, RAW)
    with pytest.raises(gn.InputError, match="seconds"):
        gn.diagnose(raw_run, RAW, SIGNS, seconds=0)
    with pytest.raises(gn.InputError, match="expected rows held out"):
        gn.diagnose(raw_run, RAW, SIGNS, validation=0.2)


def test_diagnose_without_rows_takes_those_that_the_run_knows(raw_run, tmp_path):
    assert names(gn.diagnose(raw_run)) == names(gn.diagnose(raw_run, RAW, SIGNS))
    run, *_ = stuck_runs.run_of("overfitting")
    assert "overfitting" in names(gn.diagnose(run, remedies=False))
    gn.save(raw_run, tmp_path / "run")
    with pytest.raises(gn.InputError, match="holds no data: give X and y"):
        gn.diagnose(gn.load(tmp_path / "run"))
    with pytest.raises(gn.InputError, match="go together with X"):
        gn.diagnose(raw_run, y=SIGNS)


def test_diagnose_takes_the_table_that_a_run_learned_from():
    table = pandas.DataFrame({"size": RAW[:, 0], "kind": np.where(X[:, 1] > 0, "a", "b"), "price": SIGNS})
    data = gn.prepare_table(gn.read_table(table), target="price")
    zeros = np.zeros(gn.Network((data.X.shape[1], 4, 2)).n_parameters)
    run = gn.train(gn.Network((data.X.shape[1], 4, 2)), data, parameters=zeros, iterations=50)
    for rows in (data, table):
        assert names(gn.diagnose(run, rows))[0] == "equal_units"


def test_diagnose_takes_a_tape(raw_run):
    tape = gn.Tape(NET, RAW, SIGNS, random_state=0)
    tape.advance(300)
    assert names(gn.diagnose(tape, RAW, SIGNS)) == names(gn.diagnose(raw_run, RAW, SIGNS))


def test_diagnose_says_that_its_time_was_over(raw_run):
    found = gn.diagnose(raw_run, RAW, SIGNS, seconds=1e-3)
    assert names(found)
    assert found.ran_out
    assert "Give more `seconds`" in str(found)
    assert not gn.diagnose(raw_run, RAW, SIGNS).ran_out


def test_diagnose_calls_classes_by_their_labels():
    run, X, y = stuck_runs.run_of("one_class")
    labels = np.where(y, "sick", "well")
    run = gn.train(run.network, X, labels, iterations=300, random_state=0)
    found = gn.diagnose(run, X, labels, remedies=False)
    assert "of class 'well', and" in found.findings[0].sentence


def test_diagnose_of_quantities_speaks_of_no_class():
    run = gn.train(stuck_runs.VALUES, X, np.zeros(300), iterations=30, random_state=0)
    found = gn.diagnose(run, X, np.zeros(300))
    assert found.findings[0].sentence == "y is 0 in all rows: there is nothing to learn."


def test_diagnose_says_what_frozen_layers_hide():
    run, *rows = stuck_runs.run_of("saddle")
    frozen = gn.train(
        run.network, *rows, parameters=run.parameters, freeze=[1], iterations=40, optimizer=gn.SGD(1e-4)
    )
    assert "frozen" in gn.diagnose(frozen, *rows).not_looked_for["saddle"]


def test_a_remedy_of_a_loaded_run_names_the_data(tmp_path):
    run, *rows = stuck_runs.run_of("saddle")
    gn.save(run, tmp_path / "run")
    assert "X=X, y=y)" in gn.diagnose(gn.load(tmp_path / "run"), *rows).findings[0].remedy.code
