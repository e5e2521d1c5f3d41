"""Names the mistake in a wrong gradient: what it would be with each known mistake, and which one fits."""

from glassnet.diagnostics.mistakes.backpropagation import Point
from glassnet.diagnostics.mistakes.finding import Finding
from glassnet.diagnostics.mistakes.naming import Judged, mistakes_in

__all__ = ["Finding", "Judged", "Point", "mistakes_in"]
