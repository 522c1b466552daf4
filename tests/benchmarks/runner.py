"""What the benches of this folder share: rows, a clock for which all ways take turns, and the command line.

A bench is a function without arguments that returns rows; a file names its benches in BENCHES, at its end. `course
bench` runs each file as `python FILE OUT NAME...` in an environment that has the peers too; the rows of the benches
NAME... go to the file OUT.
"""

import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def row(
    system: str, value: float, unit: str, *, ours: bool = False, higher: bool = True, published: bool = False
) -> Row:
    """One system's result: ``higher`` says whether a higher value is better, ``published`` that it was not run here."""
    found = {"system": system, "ours": ours, "value": float(value), "unit": unit, "higher_is_better": higher}
    return found | ({"published": True} if published else {})


def in_turns(ways: Mapping[str, Callable[[], Any]], rounds: int = 3) -> tuple[dict[str, float], dict[str, Any]]:
    """Best seconds of each way over ``rounds`` rounds, in each of which all take their turn; and what each returned.

    So a core that is busy for a while slows all of them, and the best round is the one that it spared.
    """
    seconds, results = dict.fromkeys(ways, float("inf")), {}
    for n in range(rounds):
        for name, way in ways.items():
            started = time.perf_counter()
            results[name] = way()
            seconds[name] = min(seconds[name], time.perf_counter() - started)
        print(f"round {n + 1} of {rounds}:", ", ".join(f"{name} {s:.2f} s" for name, s in seconds.items()), flush=True)
    return seconds, results


def main(benches: Mapping[str, Callable[[], list[Row]]]) -> None:
    """Run the benches named on the command line, all if none is, with the threads of a lesson."""
    from course_lib.device import set_threads

    set_threads()
    out, names = Path(sys.argv[1]), sys.argv[2:] or list(benches)
    out.write_text(json.dumps([{"bench": name} | found for name in names for found in benches[name]()]))
