"""The passages that the documentation of both estimators has in common, filled in when they are defined."""

from __future__ import annotations

import inspect
from typing import TypeVar

Class = TypeVar("Class", bound=type)


def documented(kind: Class) -> Class:
    """The class, with the common passages in its docstring in place of their names in braces."""
    if kind.__doc__:  # Python's option -OO leaves none
        kind.__doc__ = inspect.cleandoc(kind.__doc__)
        for name, passage in _PASSAGES.items():
            kind.__doc__ = kind.__doc__.replace(f"{{{name}}}", passage.strip())
    return kind


_PASSAGES = {
    "learning": """
hidden_layer_sizes : array-like of int or int, default=(100,)
    Units of each hidden layer, such as (100, 50), or one number; () for none.
activation : str, Activation or list, default="relu"
    The hidden layers' function, a name of `glassnet.ACTIVATIONS` or a record; or a list with one for
    each layer.
solver : {"adam", "sgd", "lbfgs", "lm"} or Solver, default="adam"
    "adam" and "sgd" take batches; "lbfgs", SciPy's L-BFGS-B, and "lm", `glassnet.LevenbergMarquardt`,
    the whole of the data, in float64. Or another of `glassnet.SOLVERS`, such as ``gn.NewtonCG()``, or
    its name.
alpha : float, default=0.0001
    Strength of the L2 penalty, ``alpha/2 sum W^2`` divided by the batch's weights (its samples, where
    they have none). Biases are not penalized. A solver of `gn.SOLVERS` takes it times the square of the
    targets' deviation, where that is below 1/8.
batch_size : int or "auto", default="auto"
    Samples of an update; "auto" is 200, or all where there are fewer.
learning_rate : str or Schedule, default="constant"
    Of "sgd": "constant"; "invscaling", ``learning_rate_init / (samples seen + 1)**power_t`` from the
    second epoch on; or "adaptive", which is divided by 5 where training stalls and ends it below 1e-6.
    Or a schedule of `glassnet.SCHEDULES`, for "adam" and a named `optimizer` too; `fit` begins it anew,
    `partial_fit` goes on with it.
learning_rate_init : float, default=0.001
    The rate of "sgd", "adam" and a named `optimizer`.
power_t : float, default=0.5
    See "invscaling".
max_iter : int, default=200
    Epochs of "sgd" and "adam", iterations of "lbfgs", accepted steps of "lm", at most.
shuffle : bool, default=True
    Whether each epoch takes the samples in a new order.
random_state : int, RandomState or None, default=None
    An integer, a RandomState whose stream moves on, or None for NumPy's global one. Draws the first
    parameters, the part for validation, the dropout's seed and the orders, in this order.
tol : float, default=0.0001
    Training stalls where the loss, or with `early_stopping` the score, has not improved by `tol` for
    more than `n_iter_no_change` epochs in a row. Of "lbfgs" and "lm", `tol` bounds the gradient.
verbose : bool, int or "bar", default=False
    True prints a line for each epoch, "bar" keeps a progress bar on stderr.
warm_start : bool, default=False
    Whether `fit` goes on from the parameters of the fit before.
momentum : float, default=0.9
    Of "sgd", from 0 to 1.
nesterovs_momentum : bool, default=True
    Of "sgd", whether its momentum is Nesterov's.
early_stopping : bool, default=False
    Whether to hold out `validation_fraction` of the samples, or take `validation_data`, to watch the
    score on them and to end with the parameters of the best epoch. "lbfgs" holds nothing out, as
    scikit-learn's: without `validation_data` it takes no notice, and a warning says so.
validation_fraction : float, default=0.1
    Above 0 and below 1.
beta_1 : float, default=0.9
    Of "adam": how much of the mean gradient is kept.
beta_2 : float, default=0.999
    Of "adam": how much of the mean square is kept.
epsilon : float, default=1e-8
    Of "adam": added to the root of the mean square as it is.
n_iter_no_change : int or inf, default=10
    Epochs without progress that are borne, see `tol`.
max_fun : int, default=15000
    Evaluations of "lbfgs" and "lm", at most.
""",
    "settings": """
dropout : float or list of float, default=0.0
    The probability with which training leaves out a hidden unit, one for all or one for each hidden
    layer; for solvers that take batches.
optimizer : Optimizer, str or None, default=None
    One of `glassnet.OPTIMIZERS` in place of `solver`, such as ``gn.AdamW(1e-3)``, which has its own
    rate; or the name of one, at `learning_rate_init` or the schedule `learning_rate`.
l1 : float, default=0.0
    ``l1 sum |W|``, divided as alpha's penalty is.
scoring : str, callable, list, dict or None, default=None
    A scorer's name, a function (estimator, X, y) or several of them, measured after each epoch on the
    samples held out; `early_stopping` watches the first.
restore_best : bool, default=False
    Whether to end with the parameters of the epoch with the lowest validation loss, or training loss
    where there are no `validation_data`. With `early_stopping` the best score decides.
missing : {"error", "mean", "median"}, default="error"
    "error" refuses NaN in X; "mean" and "median" fill it in with the training data's, and 0 in a
    feature that has nothing else. With `categorical_features` each feature in which numbers were missing
    has one more input, which is 1 where they are.
categorical_features : "from_dtype", array-like of bool, int or str, or None, default=None
    None takes X as numbers. "from_dtype" takes as categories those columns of a data frame of pandas,
    polars or pyarrow that hold categories, strings or other objects than numbers; an array names them, or
    has their places or a mask. Each of the 30 most frequent categories has an input, 1 in its rows; so
    have the rest together, which new ones join, and missing ones. Two categories share an input. The other
    columns are standardized by the mean and the deviation of the fit's rows, whatever their weights. See
    `input_names_`.
dtype : {"float32", "float64"} or None, default=None
    The precision of training on batches; None takes float32 X as it is, all else as float64.
n_threads : int or None, default=None
    None takes the cores that this process may use, and its share of them in a joblib worker. Results do
    not depend on it.
""",
    "attributes": """
coefs_ : list of ndarray
    Each layer's weights (n_in, n_out), views on one vector. May be set.
intercepts_ : list of ndarray
    Each layer's biases (n_out,), views on the same vector. May be set.
loss_ : float
    The last loss.
best_loss_ : float or None
    The lowest; None with `early_stopping`. Not of "lbfgs".
loss_curve_ : list of float
    Each epoch's loss, a running mean over its batches, penalties included; of a series of `partial_fit`
    the last 10,000. Not of "lbfgs".
validation_scores_ : list of float or None
    With `early_stopping`, each epoch's score on the samples held out: the accuracy or R², or the first
    of `scoring`.
best_validation_score_ : float or None
    The best of them.
history_ : dict of list of float
    Lists by name, one value an epoch, NaN where it was not measured: "loss", and of samples held out
    "validation_loss", "score" with `early_stopping`, and "validation_" with each scorer's name.
n_iter_ : int
    Epochs or iterations of the last fit.
t_ : int
    Samples seen in all.
n_layers_ : int
    Layers of units, inputs included.
n_outputs_ : int
    Units of the output layer.
out_activation_ : str
    The output's link: of classes "softmax" or "logistic", of numbers "identity" or "exp".
n_features_in_ : int
    Features of X.
feature_names_in_ : ndarray of str
    Their names, where X has them.
is_categorical_ : ndarray of bool
    With `categorical_features`, which features are categories.
input_names_ : ndarray of str
    The network's inputs, the rows of ``coefs_[0]``: the features, or what `categorical_features` makes of
    them.
mean_, scale_ : ndarray
    Where rows of ``glassnet.stream(..., standardize=True)`` were fitted, what they were standardized
    by; other samples to predict for, validate on or go on with get a PreprocessingWarning, and rows
    standardized by other numbers to go on with an InputError.
network_ : Network
    The network, for glassnet's own functions.
parameters_ : Parameters
    `coefs_` and `intercepts_` as one flat vector.
stopped_ : bool
    Whether early stopping has ended a series of `partial_fit`; see there.
reason_ : str
    Of `glassnet.SOLVERS`: why training ended by itself, "" where it did not.
""",
    "notes": """
Raises ValueError and TypeError with scikit-learn's messages where it has one, some of them as
InputError and InputTypeError; a `fit` that fails leaves the estimator as it was. ValueError too where
training ends with parameters that are not finite.

Streamed samples have the numbers of samples in memory with "lbfgs", and on batches where they fit into
a window of `glassnet.stream`. Where they cannot be read on, the error's attribute `estimator` is fitted
as far as training had come.
""",
    "references": """
References
----------
Hinton (1989), "Connectionist learning procedures"; Glorot and Bengio (2010) for the first parameters;
Kingma and Ba (2015) for Adam.
""",
}
