"""How many right answers are taken for wrong: every exercise, each ordinary way to write it, on 1,000 unseen cases."""

import importlib
import sys
import warnings
from pathlib import Path

import numpy as np
from runner import Row, main, row

from course_lib import exercises
from course_lib.classroom.grading.plain import decode, encode
from course_lib.exercises.judge import answers, right_cases

sys.path.append(str(Path(__file__).parents[1]))
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


BENCHES = {"right_answers_refused": refused}

if __name__ == "__main__":
    main(BENCHES)
