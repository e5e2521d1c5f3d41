"""Pictures of fitted estimators in the form of scikit-learn's displays, drawn by matplotlib.

Each is made by ``from_estimator(estimator, ...)``, or from arrays by its constructor; ``plot(ax=)`` draws
it, also once more on other axes. What was computed are attributes, and what was drawn are those
that end in an underscore. For the decision boundary scikit-learn's own `DecisionBoundaryDisplay` works.
"""

from glassnet.sklearn.displays.hidden_projection import HiddenProjectionDisplay
from glassnet.sklearn.displays.loss_curve import LossCurveDisplay
from glassnet.sklearn.displays.network_diagram import NetworkDiagramDisplay

__all__ = ["HiddenProjectionDisplay", "LossCurveDisplay", "NetworkDiagramDisplay"]
