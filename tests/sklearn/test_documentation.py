"""The documentation of both estimators: every argument and attribute, with its default."""

import ast
import html

import pytest
from iris import Y3, X, small

import glassnet as gn

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore:Got `batch_size`"
)


@pytest.mark.parametrize("kind", [gn.MLPClassifier, gn.MLPRegressor])
def test_every_argument_and_attribute_is_documented_where_notebooks_look(kind):
    from sklearn.utils._repr_html.common import get_docstring

    model = small(kind, early_stopping=True).fit(X, Y3)
    assert "MLP" in model._repr_html_()
    for name in model.get_params():
        assert get_docstring(kind, "Parameters", name), name
    public = [name for name in vars(model) if name.endswith("_") and not name.startswith("_")]
    for name in [*public, "network_", "parameters_", "feature_names_in_", "stopped_"]:
        assert get_docstring(kind, "Attributes", name), name
    for name, value in kind().get_params().items():
        told = html.unescape(get_docstring(kind, "Parameters", name)).split("default=")[1].split("<br>")[0]
        assert ast.literal_eval(told) == value, name
