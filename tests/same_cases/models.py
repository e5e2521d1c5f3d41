"""scikit-learn's classes and ensembles: what they learn, predict, print and draw."""

import contextlib
import copy
import io
import pickle

import numpy as np

import glassnet as gn
from same_cases.common import case, cases, classes_of, folder, inputs, task, trained, values_of
from same_cases.streams import NAMES, columns_of_rows, frame_on_dask, parquet, weighted, write_parquet
from same_cases.sweeps import FOLDS, swept

LEARNED = (
    "loss_", "best_loss_", "loss_curve_", "validation_scores_", "best_validation_score_", "history_",
    "n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_", "stopped_", "reason_",
    "evidence_", "mean_", "scale_",
)  # fmt: skip


def of_model(model, X=None, y=None, weights=None):
    """What an estimator has learned, and with X and y what it predicts and how well."""
    numbers = {"coefs": list(model.coefs_), "intercepts": list(model.intercepts_)}
    numbers |= {name: getattr(model, name) for name in LEARNED if hasattr(model, name)}
    if hasattr(model, "classes_"):
        numbers["classes"] = model.classes_
    if X is not None:
        numbers["predictions"] = model.predict(X)
        if hasattr(model, "predict_proba"):
            numbers["probabilities"] = model.predict_proba(X)
    if y is not None:
        numbers["score"] = model.score(X, y, weights)
    return numbers


SMALL = {"hidden_layer_sizes": (6,), "max_iter": 8, "learning_rate_init": 0.02, "random_state": 3}


def classifier(**settings):
    """A small classifier of eight epochs."""
    return gn.MLPClassifier(**{**SMALL, **settings})


def regressor(**settings):
    """A small regressor of eight epochs."""
    return gn.MLPRegressor(**{**SMALL, **settings})


def labeled(n=160, count=3):
    """Samples and labels that are texts."""
    X = inputs(n, 5, seed=11)
    return X, np.array(["ash", "fir", "oak", "yew"])[classes_of(X, count)]


def quantities(n=160, width=1):
    """Samples and values."""
    X = inputs(n, 5, seed=12)
    Y = values_of(X, width)
    return X, Y[:, 0] if width == 1 else Y


def counts(n=160):
    """Samples and whole numbers."""
    X, y = quantities(n)
    return X, np.floor(np.abs(y))


X, Y = labeled()
WEIGHTS = np.arange(160) % 4 * 0.5 + 0.5
TWO_LABELS = np.stack([Y, np.where(X[:, 1] > 0, "up", "down")], axis=1)
THREE_FLAGS = (values_of(X, 3) > 0).astype(int)


def fit(model, X, y, *weights, **data):
    """What a model has learned, and what it predicts for its samples."""
    return of_model(model.fit(X, y, *weights, **data), X, y, *weights)


# ---- Settings ---------------------------------------------------------------------------------------

FITTED = {
    "adam": {},
    "sgd": {"solver": "sgd", "learning_rate_init": 0.1},
    "sgd-plain": {"solver": "sgd", "learning_rate_init": 0.1, "nesterovs_momentum": False, "momentum": 0.5},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.5},
    "adaptive": {
        "solver": "sgd",
        "learning_rate": "adaptive",
        "learning_rate_init": 0.5,
        "tol": 0.02,
        "n_iter_no_change": 1,
        "max_iter": 40,
    },
    "lbfgs": {"solver": "lbfgs"},
    "lm": {"solver": "lm", "hidden_layer_sizes": (3,)},
    "newton_cg": {"solver": gn.NewtonCG(), "hidden_layer_sizes": (3,)},
    "gn-lbfgs": {"solver": gn.LBFGS(memory=3), "hidden_layer_sizes": (3,)},
    "bayesian": {"solver": gn.BayesianRegularization(), "hidden_layer_sizes": (3,)},
    "early_stopping": {"early_stopping": True, "n_iter_no_change": 2, "max_iter": 40, "tol": 1e-2},
    "tolerance": {"tol": 0.05, "n_iter_no_change": 2, "max_iter": 60},
    "batches": {"batch_size": 32, "shuffle": False},
    "logistic": {"activation": "logistic", "hidden_layer_sizes": (4, 3), "alpha": 0.1},
    "tanh": {"activation": "tanh", "l1": 0.01},
    "layers": {"activation": ["silu", "gelu"], "hidden_layer_sizes": (6, 5)},
    "dropout": {"dropout": 0.3, "batch_size": 40},
    "optimizer": {"optimizer": gn.AdamW(0.01), "restore_best": True},
    "optimizer-name": {"optimizer": "rmsprop", "learning_rate": gn.Cosine(0.05, steps=8)},
    "float32": {"dtype": "float32"},
    "threads": {"n_threads": 2, "hidden_layer_sizes": (40,)},
    "missing": {"missing": "median"},
}


def fitted(kind, name):
    """An estimator with these settings, fitted, and its samples."""
    X, y = labeled() if kind == "classifier" else quantities()
    if name == "missing":
        X[::9, 1] = np.nan
    make = classifier if kind == "classifier" else regressor
    return make(**{"hidden_layer_sizes": (7,), **FITTED[name]}).fit(X, y), X, y


case("estimator", ("classifier", "regressor"), FITTED)(lambda kind, name: of_model(*fitted(kind, name)))


@case("estimator-answers", ("classifier", "regressor"), by_numpy=True)
def _(kind):
    model, X, _ = fitted(kind, "tanh")
    return [model.hidden_activations(X), model.input_gradients(X[:20]), model.parameters_.flat]


@case("estimator-log-proba", by_numpy=True)
def _():
    model, X, _ = fitted("classifier", "adam")
    return model.predict_log_proba(X)


SMOOTHED = gn.Network((1, 2), loss={"name": "cross_entropy", "label_smoothing": 0.1}).loss
QUANTILE = gn.Network((1, 1), output="identity", loss={"name": "quantile", "level": 0.9}).loss
cases(
    "classifier",
    {
        "two": lambda: fit(classifier(), *labeled(count=2)),
        "multilabel": lambda: fit(classifier(), X, THREE_FLAGS),
        "columns": lambda: fit(classifier(), X, TWO_LABELS),
        "weights": lambda: fit(classifier(class_weight="balanced"), X, Y, WEIGHTS),
        "balanced": lambda: fit(classifier(class_weight="balanced", solver="lbfgs"), X, Y),
        "class_weight": lambda: fit(classifier(class_weight={"oak": 5.0}, early_stopping=True), X, Y),
        "smoothing": lambda: fit(classifier(loss=SMOOTHED), X, Y),
        "one-class": lambda: of_model(classifier().fit(X, np.zeros(160, int)), X),
    },
)
cases(
    "regressor",
    {
        "outputs": lambda: fit(regressor(average_outputs=False), *quantities(width=2)),
        "average_outputs": lambda: fit(regressor(average_outputs=True), *quantities(width=2)),
        "lbfgs-outputs": lambda: fit(regressor(solver="lbfgs"), *quantities(width=2)),
        "weights": lambda: fit(regressor(), *quantities(), WEIGHTS),
        "poisson": lambda: fit(regressor(loss="poisson"), *counts()),
        "absolute_error": lambda: fit(regressor(loss="absolute_error"), *quantities()),
        "huber": lambda: fit(regressor(loss="huber"), *quantities()),
        "quantile": lambda: fit(regressor(loss=QUANTILE), *quantities()),
    },
)

WATCHED = {
    "data": {"max_iter": 30, "n_iter_no_change": 3},
    "scoring": {"scoring": ["f1_macro", "accuracy"]},
    "restore_best": {"restore_best": True, "learning_rate_init": 0.5, "early_stopping": False},
    "lbfgs": {"solver": "lbfgs"},
    "lm": {"solver": "lm", "hidden_layer_sizes": (3,)},
    "newton_cg": {"solver": gn.NewtonCG(), "n_iter_no_change": 2},
    "stream": {},
}


@case("estimator-validation", WATCHED)
def _(name):
    validation = gn.stream(*labeled(70)) if name == "stream" else labeled(70)
    return fit(classifier(**{"early_stopping": True, **WATCHED[name]}), X, Y, validation_data=validation)


@case("estimator-validation/regressor")
def _():
    scoring = {"r2": "r2", "error": "neg_mean_absolute_error"}
    validation = *counts(70), np.arange(70) % 3
    model = regressor(scoring=scoring, loss="poisson")
    return of_model(model.fit(*counts(), WEIGHTS, validation_data=validation), *counts())


# ---- Fitting again, and some at a time --------------------------------------------------------------


def fitted_again(model, n=160):
    """What a model learns, and what it learns from the first rows after that."""
    first = of_model(model.fit(X, Y))
    return [first, of_model(model.fit(X[:n], Y[:n]), X, Y)]


def in_turns(**validation):
    """A classifier that gets its rows in three portions, twice."""
    model, steps = classifier(early_stopping=bool(validation), n_iter_no_change=2), []
    for turn in range(6):
        rows = slice(turn % 3 * 50, turn % 3 * 50 + 50)
        classes = ["ash", "fir", "oak"] if turn == 0 else None
        model.partial_fit(X[rows], Y[rows], classes=classes, **validation)
        steps.append([model.coefs_[0].copy(), model.loss_, model.t_])
    return [steps, of_model(model, X, Y)]


def in_two(model, X, y, second, **classes):
    """A model that gets its first 90 rows, and then others."""
    return of_model(model.partial_fit(X[:90], y[:90], **classes).partial_fit(X[second], y[second]), X, y)


REST, ALL = slice(90, None), slice(None)
cases(
    "estimator-again",
    {
        "warm_start": lambda: fitted_again(classifier(warm_start=True, max_iter=4)),
        "warm_start-lbfgs": lambda: fitted_again(
            classifier(warm_start=True, solver="lbfgs", max_iter=4),
        ),
        "fit": lambda: fitted_again(classifier(), 100)[1:],
        "partial_fit": in_turns,
        "partial_fit-stopping": lambda: in_turns(validation_data=labeled(60)),
    },
)


def sparse_targets():
    from scipy.sparse import csr_array

    model = classifier().fit(X, csr_array(THREE_FLAGS))
    return [of_model(model.fit(X, THREE_FLAGS)), model.predict_proba(X), model.predict(X)]


cases(
    "estimator-targets",
    {
        "sparse": sparse_targets,
        "partial-labels": lambda: in_two(classifier(), X, THREE_FLAGS, ALL, classes=[0, 1, 2]),
        "partial-columns": lambda: of_model(
            classifier().fit(X[:90], TWO_LABELS[:90]).partial_fit(X, TWO_LABELS), X, TWO_LABELS
        ),
        "partial-values": lambda: in_two(regressor(), *quantities(), REST),
        "column": lambda: of_model(classifier().fit(X, Y[:, None]), X, Y),
    },
)


@case("estimator-pickled")
def _():
    model = pickle.loads(pickle.dumps(classifier(warm_start=True, max_iter=3).fit(X, Y)))
    return [of_model(model, X, Y), of_model(copy.deepcopy(model).fit(X, Y), X, Y)]


@case("estimator-set")
def _():
    """Parameters that are set by hand."""
    model = classifier().fit(X, Y)
    model.coefs_ = [np.round(one, 1) for one in model.coefs_]
    return of_model(model, X, Y)


@case("estimator-verbose", ("classifier", "early_stopping", "lm"))
def _(name):
    """What is printed of each epoch."""
    settings = {"classifier": {}, "early_stopping": {"early_stopping": True}}
    settings["lm"] = {"solver": "lm", "hidden_layer_sizes": (2,)}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        classifier(verbose=True, **settings[name]).fit(X, Y)
    return printed.getvalue()


# ---- Inputs -----------------------------------------------------------------------------------------


@case("estimator-inputs", ("sparse", "pandas", "float32", "integers", "lists", "random-state"))
def _(kind):
    import pandas as pd
    from scipy.sparse import csr_array

    if kind == "pandas":
        frame, model = pd.DataFrame(X, columns=list("abcde")), classifier()
        return [of_model(model.fit(frame, pd.Series(Y)), frame, Y), model.feature_names_in_]
    if kind == "random-state":
        random = np.random.RandomState(8)
        return [of_model(classifier(random_state=random).fit(X, Y)), random.randint(1 << 30, size=3)]
    change = {
        "sparse": lambda: csr_array(np.where(np.abs(X) > 1, X, 0.0)),
        "float32": lambda: X.astype(np.float32),
        "integers": lambda: (4 * X).astype(int),
        "lists": X.tolist,
    }
    return fit(classifier(), change[kind](), Y)


@case("estimator-sparse-large")
def _():
    """So large and so empty that it stays sparse."""
    from scipy.sparse import csr_array

    random = np.random.RandomState(2)
    places = random.randint(4200, size=20_000), random.randint(2000, size=20_000)
    X = csr_array((np.ones(20_000), places), shape=(4200, 2000))
    return fit(classifier(max_iter=2, hidden_layer_sizes=(2,)), X, np.arange(4200) % 2)


def with_score(model, rows):
    """What a model has learned, and what it predicts for streamed rows."""
    return of_model(model, rows) | {"score": model.score(rows)}


@case(
    "estimator-stream", ("parquet", "array", "standardize", "lbfgs", "values", "partial_fit", "newton_cg")
)
def _(kind):
    solvers = {"lbfgs": "lbfgs", "newton_cg": gn.NewtonCG()}
    settings = {"class_weight": "balanced"}
    if kind in solvers:
        settings = {"solver": solvers[kind], "max_iter": 5}
    with parquet() as here:
        if kind == "values":
            rows = gn.stream(here, "value", features=NAMES)
            return with_score(regressor().fit(rows), rows)
        if kind == "array":
            rows = weighted()
        elif kind == "standardize":
            rows = gn.stream(here, "tree", features=NAMES, standardize=True)
        else:
            rows = gn.stream(here, "tree", features=NAMES, sample_weight="weight")
        if kind == "partial_fit":
            model = classifier().partial_fit(rows, classes=["ash", "fir", "oak"]).partial_fit(rows)
            return with_score(model, rows)
        return with_score(classifier(**settings).fit(rows), rows)


@case("estimator-stream-columns", ("classes", "values"))
def _(kind):
    """Several columns of Parquet as targets."""
    columns = columns_of_rows()
    columns |= {"up": np.where(columns["x1"] > 3, "yes", "no"), "half": columns["value"] / 2}
    model, names = (classifier(), ["tree", "up"]) if kind == "classes" else (regressor(), ["value", "half"])
    with folder() as here:
        write_parquet(here, columns, [0, 500, 1003], 200)
        rows = gn.stream(here, names, features=NAMES, sample_weight="weight")
        return with_score(model.fit(rows), rows)


@case("dask-estimator")
def _():
    """Labels that are texts, on a cluster of threads in this process."""
    rows = gn.stream(frame_on_dask("tree", "weight"), "tree", sample_weight="weight")
    return of_model(classifier(class_weight="balanced", max_iter=3).fit(rows), rows)


@case("estimator-folds")
def _():
    """scikit-learn over our folds and estimators."""
    from sklearn.model_selection import cross_val_predict

    X, y = quantities(90)
    return cross_val_predict(regressor(), X, y, cv=FOLDS["purged"])


def of_ensemble(ensemble, X, y):
    """What the members predict, their mean, its spread and the score."""
    numbers = [ensemble.predict_members(X), ensemble.predict(X), ensemble.score(X, y)]
    if hasattr(ensemble, "classes_"):
        return [*numbers, ensemble.classes_, *ensemble.predict_proba(X, return_std=True)]
    return [*numbers, *ensemble.predict(X, return_std=True)]


def of_three(model, X, y, *weights):
    """An ensemble of three members."""
    return of_ensemble(three(model, X, y, *weights), X, y)


def three(model, X, y, *weights):
    base = model(random_state=None)
    return gn.Ensemble(base, n_estimators=3, random_state=4).fit(X, y, *weights)


def from_file(model, X, y):
    """An ensemble that is written and loaded."""
    with folder() as here:
        file = here / "ensemble.safetensors"
        three(model, X, y).save(file)
        return [of_ensemble(gn.Ensemble.load(file), X, y), file.read_bytes()]


def from_runs():
    network, X, y = task()
    runs = [trained((network, X, y), random_state=seed) for seed in range(3)]
    classes = ["a", "b", "c"]
    return of_ensemble(gn.Ensemble.from_runs(runs, classes=classes), X, np.array(classes)[y])


def from_sweep():
    job = task()
    return of_ensemble(gn.Ensemble.from_sweep(swept(job, folds=3, seeds=2), 2, fold=-1), *job[1:])


cases(
    "ensemble",
    {
        "classifier": lambda: of_three(classifier, X, Y),
        "regressor": lambda: of_three(regressor, *quantities()),
        "multilabel": lambda: of_three(classifier, X, THREE_FLAGS),
        "weights": lambda: of_three(classifier, X, Y, WEIGHTS),
        "runs": from_runs,
        "sweep": from_sweep,
        "loaded": lambda: from_file(classifier, X, Y),
        "loaded-values": lambda: from_file(regressor, *quantities()),
    },
)


@case("ensemble-columns", by_numpy=True)
def _():
    """Members with a softmax for each of two columns."""
    base = classifier(random_state=None)
    ensemble = gn.Ensemble(base, n_estimators=2, random_state=4).fit(X, TWO_LABELS)
    means, spreads = ensemble.predict_proba(X, return_std=True)
    score = ensemble.score(X, TWO_LABELS)
    return [ensemble.predict(X), means, spreads, ensemble.predict_members(X), score]


@case("display", ("loss", "projection", "principal", "diagram"))
def _(kind):
    """What is drawn, not the picture."""
    import matplotlib

    with matplotlib.rc_context({"backend": "agg"}):
        model, X, y = fitted("classifier", "early_stopping")
        if kind == "loss":
            shown = gn.LossCurveDisplay.from_estimator(model)
            lines = [shown.line_.get_xydata(), shown.score_line_.get_xydata()]
            return [shown.losses, shown.validation_scores, shown.best_epoch, shown.score_name, *lines]
        if kind == "diagram":
            shown = gn.NetworkDiagramDisplay.from_estimator(model, max_units=4, max_weights=9)
            texts = [text.get_text() for text in shown.values_]
            names = [shown.input_names, shown.output_names, shown.layer_names]
            return [list(shown.shown_units_), list(shown.shown_weights_), texts, *names, shown.coefs]
        units = "principal" if kind == "principal" else [1, 3]
        shown = gn.HiddenProjectionDisplay.from_estimator(model, X, y, units=units, n_components=2)
        return [shown.points, shown.target, list(shown.target_names), list(shown.axis_labels), shown.title]
