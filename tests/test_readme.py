"""The README: what it shows can be pasted and runs."""

import re
from pathlib import Path

import pytest

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, re.S | re.M)


def hastened(code: str) -> str:
    """The same code with fewer samples and iterations: a test asks whether it runs, not what it learns."""
    for slow, quick in {
        "iterations=5_000": "iterations=50",
        "iterations=2_000": "iterations=20",
        "make_classification(50_000": "make_classification(1_000",
    }.items():
        code = code.replace(slow, quick)
    return code


def test_readme_has_blocks_of_python():
    assert len(BLOCKS) >= 3


@pytest.mark.parametrize("code", BLOCKS, ids=[f"block{i}" for i in range(len(BLOCKS))])
def test_readme_python_runs_as_pasted(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(hastened(code), "README.md", "exec"), {"__name__": "__main__"})


def test_readme_one_cycle_fits_its_training():
    (code,) = (block for block in BLOCKS if "OneCycle" in block)
    samples, steps, epochs, batch = (
        int(re.search(pattern, code)[1].replace("_", ""))
        for pattern in (
            r"make_classification\(([\d_]+)",
            r"steps=([\d_]+)",
            r"iterations=(\d+)",
            r"batch_size=(\d+)",
        )
    )
    share = float(re.search(r"validation=([\d.]+)", code)[1])
    assert epochs * round(samples * (1 - share) / batch) == steps
