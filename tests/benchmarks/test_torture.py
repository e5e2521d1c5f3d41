"""The torture script: its attacks hold once, and what is lost ends it with status 1."""

import random
import sys

import pytest

from benchmarks import torture

QUICK = ["damage", "callbacks"]


@pytest.mark.parametrize("name", QUICK)
def test_attack_holds(name, tmp_path):
    torture.ATTACKS[name](tmp_path, random.Random(0))


def test_what_is_lost_is_counted_named_and_the_status(monkeypatch, capsys):
    def lose(folder, draw):
        """An attack."""
        raise torture.LostError("a network")

    monkeypatch.setattr(torture, "ATTACKS", {"losing": lose})
    monkeypatch.setattr(sys, "argv", ["torture", "--seconds", "0.01"])
    with pytest.raises(SystemExit) as ended:
        torture.main()
    assert ended.value.code == 1
    said = capsys.readouterr().out
    assert "LostError: a network" in said
    assert "lost: none" not in said
