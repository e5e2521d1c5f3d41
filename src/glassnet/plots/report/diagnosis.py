"""The section of the report on why a run does not learn."""

from __future__ import annotations

from glassnet.diagnostics.diagnosis import Diagnosis, Finding
from glassnet.diagnostics.diagnosis.record import evidence_pairs
from glassnet.plots.report.page import pairs
from glassnet.utils.html import Html, join, tag


def diagnosis_section(diagnosis: Diagnosis) -> Html:
    """Where the run stands, then each finding with its numbers, its remedy and what came of it."""
    return join([tag("p", diagnosis.headline), *(_finding(finding) for finding in diagnosis.findings)])


def _finding(finding: Finding) -> Html:
    code = [": ", tag("code", finding.remedy.code)] if finding.remedy.code else ["."]
    remedy = tag("p", "Remedy: ", finding.remedy.words, *code)
    tried = []
    if finding.trial is not None:
        tried = [tag("p", finding.trial.sentence, class_="note good" if finding.trial.helps else "note")]
    numbers = pairs(dict(evidence_pairs(finding.evidence)))
    return join(
        [
            tag("h3", f"{finding.title[0].upper()}{finding.title[1:]}"),
            tag("p", finding.sentence),
            numbers,
            remedy,
            *tried,
        ]
    )
