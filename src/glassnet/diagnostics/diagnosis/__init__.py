"""Why a run does not learn: checks by name, and remedies tried on short branches."""

from glassnet.diagnostics.diagnosis.checks import CHECKS, Check
from glassnet.diagnostics.diagnosis.diagnosing import diagnose
from glassnet.diagnostics.diagnosis.record import Diagnosis, Finding, Remedy, Trial

__all__ = ["CHECKS", "Check", "Diagnosis", "Finding", "Remedy", "Trial", "diagnose"]
