"""What can be exported: runs, estimators, pipelines and ensembles, each as a `Source`."""

from __future__ import annotations

from glassnet.data.holdout import listed
from glassnet.errors import InputError, InputTypeError
from glassnet.export.importing.imported import Imported
from glassnet.export.sources.runs import source_of_run
from glassnet.export.sources.source import Source
from glassnet.nn.activations import ACTIVATIONS, Activation
from glassnet.nn.losses import OUTPUTS, Output
from glassnet.training.run import TrainingRun
from glassnet.utils.array_checks import check_finite


def source_of(subject: object) -> Source:
    """The model of a run, an estimator, a pipeline that ends in one, or an ensemble.

    Raises InputTypeError for anything else, and InputError for functions that no exported file has, such as
    a user's own, for parameters that are not finite, and for preprocessing that cannot be exported.
    """
    if isinstance(subject, TrainingRun):
        source: Source | None = source_of_run(subject)
    elif isinstance(subject, Imported):
        known = subject
        source = Source(known.model, known.values, lambda X: known.model.outputs(known.values(X)))
    else:
        from glassnet.export.sources.estimators import source_of_estimator  # imports scikit-learn

        source = source_of_estimator(subject)
    if source is None:
        raise InputTypeError(
            f"A {type(subject).__name__} cannot be exported; expected a run of gn.train, an estimator or a "
            f"pipeline that ends in one, or an ensemble."
        )
    built_in = [*ACTIVATIONS.values(), *OUTPUTS.values()]
    for member in source.model.members:
        functions: tuple[Activation | Output, ...] = (*member.network.hidden, member.network.output)
        others = [function.name for function in functions if function not in built_in]
        if others:
            raise InputError(
                f"The network has functions that no exported file has, {listed(dict.fromkeys(others))}. "
                f"Train with others (activations: {', '.join(ACTIVATIONS)}; outputs: "
                f"{', '.join(OUTPUTS)}), or write the function into the file by hand: export the network "
                f"with 'identity' in its place."
            )
        check_finite(member.theta.flat, "The parameters")
    return source
