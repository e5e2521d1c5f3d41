"""Converters for skl2onnx, which are registered with it when it is imported."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.abc import MetaPathFinder
from importlib.util import find_spec
from typing import Any

from glassnet.errors import InputError
from glassnet.sklearn.classifier import MLPClassifier
from glassnet.sklearn.exchange.scikit_learn import as_theirs
from glassnet.sklearn.regressor import MLPRegressor
from glassnet.utils.warn import warn

_LIBRARY = "skl2onnx"


class _Watch(MetaPathFinder):
    """Registers the converters once the library has been imported, which glassnet itself never does."""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> Any:
        if fullname != _LIBRARY:
            return None
        sys.meta_path.remove(self)
        spec = find_spec(fullname)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_register(module: Any) -> None:
                execute(module)
                register()

            spec.loader.exec_module = execute_and_register  # type: ignore[method-assign]
        return spec


def register_when_imported() -> None:
    """Register the converters now where skl2onnx is there, else when it comes."""
    if _LIBRARY in sys.modules:
        register()
    else:
        sys.meta_path.insert(0, _Watch())


def register() -> None:
    """Register the converters; a warning where this skl2onnx is not as expected."""
    try:
        from skl2onnx import update_registered_converter
        from skl2onnx.common import shape_calculator as shapes
        from skl2onnx.operator_converters import multilayer_perceptron as theirs

        shapes_of_classes = shapes.calculate_linear_classifier_output_shapes
        shapes_of_numbers = shapes.calculate_linear_regressor_output_shapes
        convert_classifier = theirs.convert_sklearn_mlp_classifier
        convert_regressor = theirs.convert_sklearn_mlp_regressor
    except (ImportError, AttributeError) as error:
        warn(f"Estimators of glassnet cannot be registered with this {_LIBRARY}: {error}.", UserWarning)
        return
    options = {
        "zipmap": [True, False, "columns"],
        "output_class_labels": [False, True],
        "nocl": [True, False],
    }
    names = "GlassnetMLPClassifier", "GlassnetMLPRegressor"
    update_registered_converter(
        MLPClassifier, names[0], shapes_of_classes, _converter(convert_classifier), options=options
    )
    update_registered_converter(MLPRegressor, names[1], shapes_of_numbers, _converter(convert_regressor))


def _converter(theirs: Callable[..., None]) -> Callable[[Any, Any, Any], None]:
    """A converter of ours: theirs, of scikit-learn's own estimator with the same predictions."""

    def convert(scope: Any, operator: Any, container: Any) -> None:
        model = operator.raw_operator
        twin = as_theirs(model, warns=False)
        if twin.out_activation_ == "exp":
            raise InputError(f"{_LIBRARY} knows no network that ends in an exponential (loss='poisson').")
        if isinstance(model, MLPRegressor) and twin.n_outputs_ > 1:
            raise InputError(
                f"{_LIBRARY} writes {twin.n_outputs_} outputs of a network one below the other. Fit an "
                f"estimator for each."
            )
        operator.raw_operator = twin
        try:
            theirs(scope, operator, container)
        finally:
            operator.raw_operator = model

    return convert
