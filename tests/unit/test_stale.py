"""A function that is left over from before its cell failed is not judged; one that a cell has made anew is."""

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from course_lib import stale

RIGHT = "def density(n_ratings, n_users, n_items):\n    return n_ratings / (n_users * n_items)"
CHECK = 'check("0.1", density)'


@pytest.fixture
def run(monkeypatch, capsys):
    """Cells run in a shell of their own; returns what the last one prints."""
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    monkeypatch.setattr(stale, "failed", {})
    stale.watch()
    shell.run_cell("from course_lib.exercises import check", store_history=False)

    def cells(*sources: str) -> str:
        for source in sources:
            capsys.readouterr()
            shell.run_cell(source, store_history=False)
        return capsys.readouterr().out

    yield cells
    InteractiveShell.clear_instance()


def test_a_right_answer_is_right(run):
    assert "✔ Exercise 0.1" in run(RIGHT, CHECK)


@pytest.mark.parametrize("broken", [RIGHT.replace("):", ")"), f"1 / 0\n{RIGHT}", "density = undefined_name"])
def test_what_a_failed_cell_has_left_over_is_not_judged(run, broken):
    said = run(RIGHT, broken, CHECK)
    assert "✘ Exercise 0.1: not yet: its cell stopped with" in said and "older" in said


def test_the_cell_mended_is_judged_again(run):
    assert "✔ Exercise 0.1" in run(RIGHT, "1 / 0\n" + RIGHT, RIGHT, CHECK)


def test_a_failure_after_the_answer_was_made_does_not_count(run):
    assert "✔ Exercise 0.1" in run("density = 3", RIGHT + "\n1 / 0", CHECK)


def test_a_failure_of_another_cell_does_not_count(run):
    assert "✔ Exercise 0.1" in run(RIGHT, "other = 1 / 0", CHECK)
