"""A right answer is right in whatever ordinary way it is written, in every exercise of every lesson."""

import re
import warnings
from typing import Any

import nbformat
import numpy as np
import pandas as pd
import pytest
from in_cells import all_exercises, handed_in
from test_exercises_bank import BANK, solved, written
from tiny_class import RIGHT, mark
from ways import WAYS, learning, narrow, single

from course_lib.classroom.grading.plain import decode, encode
from course_lib.classroom.grading.walls import Limits
from course_lib.classroom.release import student_edition
from course_lib.exercises.judge import Exercise, answers, answers_of_ours, compare

DRAWS = 20
WITH_DRAWS = [pytest.param(one, id=one.label) for of_lesson in BANK.values() for one in of_lesson if one.draw]


def drawn(one: Exercise) -> list[Any]:
    assert one.draw
    return [one.draw(np.random.default_rng([20, k])) for k in range(DRAWS)]


@pytest.mark.parametrize(("lesson", "one", "source"), solved())
def test_every_way_to_write_it_is_right_on_the_shown_and_on_unseen_cases(lesson, one, source):
    solution = written(lesson, source)
    if not one.is_function:
        for way in (single, learning, np.float32, np.longdouble, lambda value: pd.Series([value])[0]):
            assert compare(one, [()], [decode(encode(way(solution)))]).mark == "✔", way
        return
    cases = [*one.cases, *drawn(one)]
    for name, way in WAYS.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = [decode(encode(answer)) for answer in answers(way(solution), cases)]
        verdict = compare(one, cases, found)
        assert verdict.mark == "✔", f"{name}: {verdict}"


@pytest.mark.parametrize("one", WITH_DRAWS)
def test_the_reference_in_float32_is_right(one):
    """Arguments and answers in float32, as whoever works with torch has them."""
    cases = drawn(one)
    found = [narrow(answer) for answer in answers_of_ours(one.reference, [tuple(map(narrow, case)) for case in cases])]
    assert compare(one, cases, found).mark == "✔"


ORDINARY = re.compile("Cells of the student's own|It was not run")


@pytest.mark.slow
def test_every_exercise_gets_its_points_in_whatever_cells_it_is_written(tmp_path, grade):
    """Graded for real: two students, each of whom writes each exercise in another way. The bench tries all ways."""
    lesson = all_exercises(tmp_path)
    for student in range(2):
        (tmp_path / f"class/{student}").mkdir(parents=True)
        work = handed_in(student_edition(nbformat.read(lesson, as_version=4)), 5 * student, step=1)
        nbformat.write(work, tmp_path / f"class/{student}" / lesson.name)
    papers = grade(lessons=[lesson], limits=Limits(answers=100))
    lost = {(name, one.label): one.words for name in papers for one in papers[name].marks if one.points < one.of}
    assert lost == {} and [len(paper.marks) for paper in papers.values()] == [len(solved())] * 2
    assert not [words for paper in papers.values() for words in paper.findings if not ORDINARY.match(words)]


def test_an_earlier_exercises_function_may_be_used(hand_in, grade):
    uses = RIGHT["0.2"].replace("return", "assert density(1, 1, 1) == 1\n    return")
    hand_in("ada", RIGHT | {"0.2": uses})
    assert mark(grade()["ada"], "0.2").points == 1
