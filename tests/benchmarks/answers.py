"""How many right answers are taken for wrong: every exercise, each ordinary way to write it.

As functions on 1,000 unseen cases, and graded for real in each way to spread them over the cells of a notebook.
"""

import importlib
import sys
import tempfile
import warnings
from pathlib import Path

import nbformat
import numpy as np
from runner import Row, main, row

from course_lib import exercises
from course_lib.classroom.grading.grade import Settings, grade_class
from course_lib.classroom.grading.plain import decode, encode
from course_lib.classroom.grading.walls import Limits
from course_lib.classroom.release import student_edition
from course_lib.exercises.judge import answers, right_cases
from course_lib.machine import cores

sys.path.append(str(Path(__file__).parents[1]))
sys.path.append(str(Path(__file__).parents[1] / "unit"))
sys.path.append(str(Path(__file__).parents[1] / "classroom"))
from in_cells import CELL_WAYS, all_exercises, handed_in
from ways import WAYS, changed, narrow

DRAWS = 1000


def refused() -> list[Row]:
    """The share of right answers that are refused, in the worst exercise and way, and what that is."""
    warnings.simplefilter("ignore")
    worst, most = "none", 0.0
    for name in exercises.lessons():
        for one in importlib.import_module(f"course_lib.exercises.{name}").EXERCISES:
            if not one.draw:
                continue
            cases = [one.draw(np.random.default_rng([1000, k])) for k in range(DRAWS)]
            ways = {way: (make(one.reference), cases) for way, make in WAYS.items()}
            narrowed = [tuple(map(narrow, case)) for case in cases]
            ways["all in float32"] = changed(one.reference, narrow), narrowed
            for way, (function, asked) in ways.items():
                found = [decode(encode(answer)) for answer in answers(function, asked)]
                share = 1 - float(np.mean(right_cases(one, cases, found)))
                if share > most:
                    worst, most = f"{one.label}, {way}", share
    print(f"most often refused: {worst}, {most:.2%}", flush=True)
    return [row("course", most, "share of right answers", ours=True, higher=False)]


def refused_in_cells() -> list[Row]:
    """The share of right answers that grading gives less than full points, over all exercises and ways."""
    with tempfile.TemporaryDirectory() as folder:
        at = Path(folder)
        lesson = all_exercises(at)
        for number, way in enumerate(CELL_WAYS):
            (at / "class" / way).mkdir(parents=True)
            work = handed_in(student_edition(nbformat.read(lesson, as_version=4)), number)
            nbformat.write(work, at / "class" / way / lesson.name)
        places = {"out": at / "grades", "hand": at / "hand.csv", "secret": at / "secret"}
        settings = Settings(**places, workers=cores(), limits=Limits(answers=100), as_root=True)
        marks = {(p.student, m.label): m for p in grade_class(at / "class", [lesson], settings, print) for m in p.marks}
    lost = [f"{label}, {way}: {m.words}" for (way, label), m in marks.items() if m.points < m.of]
    print(f"{len(marks)} graded in {len(CELL_WAYS)} ways; refused: {'; '.join(lost) or 'none'}", flush=True)
    return [row("course", len(lost) / len(marks), "share of right answers", ours=True, higher=False)]


BENCHES = {"right_answers_refused": refused, "right_answers_in_cells_refused": refused_in_cells}

if __name__ == "__main__":
    main(BENCHES)
