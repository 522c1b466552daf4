"""Run lessons, one by one or side by side: a failing one does not stop the others, an interrupted one leaves no half.

What a run leaves in its folder: NAME.ipynb (executed) and figures/NAME.json for each lesson, run.json, index.html.
"""

import ast
import json
import logging
import os
import re
import shutil
import signal
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Any, Protocol

import nbformat
import papermill
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError

from course_lib import PROFILES
from course_lib.classroom import report
from course_lib.classroom.notebooks import BANNER, as_dict, as_text, read_notebook
from course_lib.classroom.process import end_children, how_it_died, last_words, own_kernel, peak_memory
from course_lib.errors import CourseError
from course_lib.machine import cores, memory_mb
from course_lib.paths import OUT, disk_error, make_dir, write_atomic


@dataclass(frozen=True)
class LessonRun:
    """One entry of run.json."""

    lesson: str
    profile: str
    device: str
    seed: int
    status: str  # "ok", "failed" or "interrupted"
    seconds: float
    peak_rss_mb: float


class Interrupted(CourseError):
    """Somebody pressed Ctrl-C."""

    exit_code = 130  # what a shell expects then


class Watcher(Protocol):
    """Told what happens during a run."""

    def lesson(self, name: str, number: int, of: int, cells: int) -> None:
        """A lesson starts."""

    def cell(self, index: int) -> None:
        """A cell starts."""

    def done(self, run: LessonRun, error: str) -> None:
        """A lesson has ended; ``error`` is one line, empty if all went well."""


def find_lessons(folder: Path, wanted: Sequence[str] = ()) -> list[Path]:
    """The lessons of ``folder`` in their order; ``wanted`` picks some by number ("3", "03") or name."""
    lessons = sorted(folder.glob("[0-9]*.ipynb"))
    if not lessons:
        raise CourseError(f"There is no lesson in {folder}: lessons are notebooks whose names start with a number.")
    chosen = set()
    for word in wanted:
        stem = word.removesuffix(".ipynb")
        found = [path for path in lessons if stem in _names(path)]
        if not found:
            known = ", ".join(path.stem for path in lessons)
            raise CourseError(f"There is no lesson {word!r} in {folder}; the lessons are {known}.")
        chosen.update(found)
    return [path for path in lessons if not wanted or path in chosen]


def _names(lesson: Path) -> set[str]:
    number = lesson.stem.split("_")[0]
    return {lesson.stem, number, str(int(number)) if number.isdecimal() else number}


def parameter(text: str) -> Any:
    """What a person means by ``text``: a Python literal (3, 0.1, True, [1, 2]), else the text itself."""
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError):
        return text


def own_parameters(lesson: Path) -> dict[str, Any]:
    """The lesson's parameters with the values that stand in its notebook."""
    found = papermill.inspect_notebook(read_notebook(lesson))
    return {name: parameter(known["default"]) for name, known in found.items()}


def check_parameters(lesson: Path, parameters: dict[str, Any]) -> None:
    """CourseError for a name that ``lesson`` does not know (papermill only warns of it), or an unknown profile."""
    known = own_parameters(lesson)
    for name in parameters:
        if name not in known:
            names = ", ".join(known) or "none"
            raise CourseError(f"Lesson {lesson.stem} has no parameter {name}; its parameters are {names}.")
    if "PROFILE" in parameters and parameters["PROFILE"] not in PROFILES:
        raise CourseError(f"There is no profile {parameters['PROFILE']!r}; the profiles are {', '.join(PROFILES)}.")


def run_lessons(
    lessons: Sequence[Path], out: Path, parameters: dict[str, Any], watcher: Watcher, jobs: int = 1
) -> list[LessonRun]:
    """Run ``lessons`` with ``parameters`` and leave everything in ``out``; returns one entry for each lesson run.

    jobs: how many run side by side, each then on one thread. Raises `Interrupted` on Ctrl-C, after the lessons that are
    finished and the fact of the interruption are written.
    """
    for lesson in lessons:  # all of them before the first one runs
        check_parameters(lesson, parameters)
    out = make_dir(out.expanduser().resolve(), OUT)
    done: dict[Path, LessonRun] = {}

    def finish(lesson: Path, run: LessonRun, error: str) -> None:
        done[lesson] = run
        keep(run, out, lesson.parent)
        watcher.done(run, error)

    try:
        if jobs == 1:
            for number, lesson in enumerate(lessons, start=1):
                finish(lesson, *measured_run(lesson, out, parameters, watcher, number, len(lessons)))
                if done[lesson].status == "interrupted":
                    raise KeyboardInterrupt
        else:
            with ProcessPoolExecutor(jobs, get_context("spawn"), _in_a_worker) as pool:
                waiting = {pool.submit(measured_run, lesson, out, parameters): lesson for lesson in lessons}
                try:
                    for number, future in enumerate(as_completed(waiting), start=1):
                        lesson = waiting[future]
                        watcher.lesson(lesson.stem, number, len(lessons), n_cells(lesson))
                        finish(lesson, *future.result())
                except KeyboardInterrupt:
                    for worker in active_children():  # what they have not finished leaves nothing
                        end_children(worker.pid)
                        worker.kill()
                    raise
    except KeyboardInterrupt:
        for half_done in out.glob(".*.partial.ipynb"):
            half_done.unlink()
        unfinished = [path for path in lessons if path not in done or done[path].status == "interrupted"]
        left = " ".join(path.stem.split("_")[0] for path in unfinished)
        where = done.get(unfinished[0]) if unfinished else None
        place = f" in {where.lesson}" if where else ""
        raise Interrupted(f"Stopped{place}: what was finished is in {out}; go on with `course run {left}`.") from None
    return [done[lesson] for lesson in lessons]


def jobs_for(profile: str) -> int:
    """How many lessons may run side by side: two of the quick profile on two cores with 4 GB to spare, else one."""
    room = memory_mb()[0] >= 4_000 and cores() >= 2
    return 2 if profile == "quick" and room else 1


def _in_a_worker() -> None:
    """Side by side, lessons get a thread each; Ctrl-C is the business of the process that started the workers."""
    os.environ["OMP_NUM_THREADS"] = "1"
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def n_cells(lesson: Path) -> int:
    """How many cells the lesson has."""
    return len(read_notebook(lesson).cells)


def measured_run(
    lesson: Path,
    out: Path,
    parameters: dict[str, Any],
    watcher: Watcher | None = None,
    number: int = 1,
    of: int = 1,
) -> tuple[LessonRun, str]:
    """Run one lesson, the ``number``th, and measure it: its entry of run.json, and one line on why it failed, or ""."""
    started = time.perf_counter()
    with peak_memory() as peak:
        try:
            if watcher:
                watcher.lesson(lesson.stem, number, of, n_cells(lesson))
            error = run_lesson(lesson, out, parameters, watcher)
            status = "failed" if error else "ok"
        except KeyboardInterrupt:
            status, error = "interrupted", ""
    end_children()
    settings: dict[str, Any] = (
        {"PROFILE": "standard", "SEED": 0, "DEVICE": "auto"} | own_parameters(lesson) | parameters
    )
    run = LessonRun(
        lesson=lesson.stem,
        profile=settings["PROFILE"],
        device=_device(out, lesson.stem) or settings["DEVICE"],
        seed=settings["SEED"],
        status=status,
        seconds=round(time.perf_counter() - started, 1),
        peak_rss_mb=round(peak.megabytes, 1),
    )
    return run, error


def run_lesson(lesson: Path, out: Path, parameters: dict[str, Any], watcher: Watcher | None = None) -> str:
    """Run one lesson; returns one line that says in which cell and why it failed, empty if it did not.

    The notebook gets its name in ``out`` only when the run is over; an interrupted one leaves nothing.
    """
    partial = out / f".{lesson.stem}.partial.ipynb"
    own, error, at = own_parameters(lesson), "", 0
    place = Path(tempfile.mkdtemp(prefix="course-kernel-"))
    kernel = own_kernel(out, place)
    logging.getLogger("papermill").setLevel(logging.CRITICAL)  # what it says of a dead kernel is in our line

    def cell_starts(cell: nbformat.NotebookNode, cell_index: int) -> None:
        nonlocal at
        at = cell_index
        if watcher:
            watcher.cell(cell_index)

    try:
        papermill.execute_notebook(
            read_notebook(lesson),
            str(partial).replace("{", "{{").replace("}", "}}"),  # papermill formats it
            # a value that the notebook has anyway is not injected: it would add a cell and shift all numbers
            parameters={name: value for name, value in parameters.items() if value != own[name]},
            cwd=str(lesson.parent),
            kernel_name="python3",
            kernel_manager_class=kernel,
            progress_bar=False,
            on_cell_start=cell_starts,
            coalesce_streams=True,
        )
    except KeyboardInterrupt:
        partial.unlink(missing_ok=True)
        raise
    except PapermillExecutionError as problem:
        error = f"{problem.ename}: {problem.evalue}"
    except DeadKernelError:
        error = how_it_died(kernel, place)
    except RuntimeError as problem:  # of jupyter_client
        error = f"the kernel did not start, {last_words(place) or problem}"
    except OSError as problem:
        error = str(disk_error(problem, out, OUT))
    except Exception as problem:  # whatever it is, the other lessons shall run, and this line names it
        error = f"{type(problem).__name__}: {problem}"
    finally:
        shutil.rmtree(place, ignore_errors=True)
    if error:  # the figures would be those of an earlier run
        (out / "figures" / f"{lesson.stem}.json").unlink(missing_ok=True)
    if partial.exists():
        error = _close(partial, error, at)
        partial.replace(out / lesson.name)
    return error


def _device(out: Path, name: str) -> str:
    """The device that lesson ``name`` says it has used; empty if it said nothing."""
    try:
        figures = json.loads((out / "figures" / f"{name}.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        return ""
    return as_text(as_dict(figures).get("device"))


def _close(notebook: Path, error: str, at: int) -> str:
    """Write into the executed notebook how its run ended; returns ``error`` with the place of cell number ``at``."""
    content = read_notebook(notebook)
    content.metadata.get("papermill", {}).pop("input_path", None)  # papermill puts the whole lesson there
    if error:
        until = [cell for cell in content.cells if BANNER not in cell.metadata.get("tags", [])][: at + 1]
        number = sum(cell.cell_type == "code" for cell in until)  # as Jupyter shows it after a run from the top
        text = "\n".join(cell.source for cell in until if cell.cell_type == "markdown")
        headings = re.findall(r"^#{1,2} (.+)$", text, re.MULTILINE)
        place = f"cell [{number}]" + (f" in “{headings[-1].strip()}”" if headings else "")
        error = f"{place}: {' '.join(error.split())[:300]}"
    content.metadata["course"] = {"status": "failed" if error else "ok", "error": error}
    write_atomic(notebook, nbformat.writes(content) + "\n")
    return error


def keep(run: LessonRun, out: Path, notebooks: Path) -> None:
    """Put ``run`` into run.json in the place of the lesson's earlier entry, and make index.html anew."""
    entries = {entry["lesson"]: entry for entry in report.read_runs(out)} | {run.lesson: asdict(run)}
    ordered = [entries[path.stem] for path in find_lessons(notebooks) if path.stem in entries]
    write_atomic(out / "run.json", json.dumps(ordered, indent=1) + "\n")
    report.write_index(out)
