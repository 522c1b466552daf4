"""One student's answer to one exercise: tried on the cases that are shown, later on hidden ones, and worth a mark."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from course_lib.classroom.grading.budget import Budget
from course_lib.classroom.grading.judging import mark_of
from course_lib.classroom.grading.reading import Cell
from course_lib.classroom.grading.results import Mark
from course_lib.classroom.grading.sandbox import Attempt, Sandbox
from course_lib.classroom.grading.tries import Try, tries
from course_lib.exercises.judge import Case, Exercise, Raised, right_cases

MOST_BAD = 3  # cells of a student that end a fork; one more, and what is wrong is not looked for any longer
MISSING = "the cell of this exercise is not in the notebook."
UNCONFIRMED = (
    "the stored output of its check says ✔, and a replay of everything in this notebook does not confirm that: the "
    "output is older than the answer or was edited, or the answer needs something that is not in the notebook."
)
ENDS = ("time", "budget", "output", "died", "error")  # what a cell can end a fork by
ODD = "an answer that could not be judged"


@dataclass(frozen=True)
class Asked:
    """An exercise at its place in the lesson: the expression that its check is handed, hidden cases, and the point."""

    exercise: Exercise
    answer: str
    hidden: tuple[Case, ...]
    point: int  # of `Sandbox.keep`


@dataclass
class Answering:
    """What is known of one answer. `try_shown` of all students comes before `mark` of any."""

    box: Sandbox
    cells: Sequence[Cell]
    budget: Budget
    bad: set[int]  # numbers of cells that ended a fork, of any exercise: they do not run again
    asked: Asked
    handed_out: Mapping[str, str]  # see `tries`
    costly: Collection[str]
    done: list[tuple[Try, Attempt]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.label = self.asked.exercise.label
        said = [cell.shown for cell in self.cells if (cell.kind, cell.name) == ("check", self.label)]
        said += [cell.shown for cell in self.cells if cell.kind == "own" and f"✔ Exercise {self.label}:" in cell.shown]
        self.promised = bool(said) and said[-1].lstrip().startswith("✔")
        self.own = {i for i, cell in enumerate(self.cells) if (cell.kind, cell.name) == ("exercise", self.label)}
        self.left = tries(self.cells, self.label, self.handed_out, self.costly, self.promised)
        self.confirmed = False  # whether a replay gave the right answer to all that the check in the notebook asks

    def try_shown(self) -> None:
        """Try the ways to run it, on the cases that the lesson shows, until one is right in all of them."""
        while self.left and not self.confirmed and self._may_go_on():
            self.done.append(self._shown(self.left.pop(0)))
            self.confirmed = self._rights(self.done[-1][1]) == len(self._cases)

    def mark(self) -> Mark:
        """The mark, with the hidden cases; while it is not full, the ways to run it that are left are tried as well."""
        way, shown = max(self.done, key=self._worth)
        best = self._judged(way, shown)
        while self.left and best.mark != "✔" and self._may_go_on():
            way, shown = self._shown(self.left.pop(0))
            mark = self._judged(way, shown)
            if mark.mark == "✔":
                best = mark
            elif mark.points > best.points:  # what the code says by now may come from hidden cases: it is not quoted
                words = f"not yet: {mark.points:g} of {mark.of} points, with all that stands before the check."
                best = replace(mark, words=words, mistake="")
        if best.mark == "○" and not self.own:
            best = replace(best, words=MISSING, trouble="missing")
        return replace(best, finding=UNCONFIRMED) if self.promised and not self.confirmed else best

    @property
    def _cases(self) -> Sequence[Case]:
        return self.asked.exercise.cases or [()]

    def _may_go_on(self) -> bool:
        """Whether another way to run it may bring more, at a cost that others can bear."""
        last = self.done[-1][1] if self.done else None
        slow = last and last.trouble in ("time", "budget") and not self.promised
        return len(self.bad) <= MOST_BAD and not slow and not (last and last.trouble == "report")

    def _rights(self, shown: Attempt) -> int:
        """How many of the cases that the lesson shows are right."""
        found = [*shown.answers, *[None] * len(self._cases)][: len(self._cases)]
        try:
            return 0 if shown.instead else sum(right_cases(self.asked.exercise, self._cases, found))
        except Exception:  # an answer that the judge is not made for
            return 0

    def _worth(self, done: tuple[Try, Attempt]) -> tuple[int, bool, bool]:
        """By what one of several attempts is the best: what is right, then that something was answered, and how far."""
        shown = done[1]
        raised = [answer for answer in shown.answers if isinstance(answer, Raised)]
        answered = any(answer is not None for answer in shown.answers) or bool(shown.instead)
        return self._rights(shown), answered, not (any(shown.errors) or raised or shown.trouble)

    def _judged(self, way: Try, shown: Attempt) -> Mark:
        """The mark for ``shown``, after the hidden cases have run in a fork of their own.

        Of that fork nothing but answers is told: a page may quote what a student's code says, and the code can say all
        that it finds. The hidden inputs are not there before.
        """
        one, hidden, unseen = self.asked.exercise, self.asked.hidden, None
        if hidden and not shown.trouble and not shown.instead and any(answer is not None for answer in shown.answers):
            unseen = self._attempt(self._running(way), way, hidden)
        with self.budget.spending():
            try:
                return mark_of(one, hidden, shown, unseen, self.box.limits)
            except Exception:  # an answer that the judge is not made for costs itself, and nobody else
                broken = replace(shown, answers=(), trouble="error", words=ODD)
                return mark_of(one, hidden, broken, None, self.box.limits)

    def _shown(self, way: Try) -> tuple[Try, Attempt]:
        """The attempt ``way``; again without a cell that ends it and is not one of the exercise's own."""
        while True:
            running = self._running(way)
            attempt = self._attempt(running, way, self.asked.exercise.cases)
            ended = running[len(attempt.errors) :][:1] if attempt.trouble in ENDS else []
            self.bad.update(ended)
            if not ended or ended[0] in self.own or len(self.bad) > MOST_BAD:
                return way, attempt

    def _running(self, way: Try) -> list[int]:
        return [number for number in way.cells if number not in self.bad or number in self.own]

    def _attempt(self, numbers: Sequence[int], way: Try, cases: Sequence[Case]) -> Attempt:
        sources, one = [self.cells[number].source for number in numbers], self.asked.exercise
        check = self.label if way.check else ""
        return self.box.attempt(
            sources, self.asked.answer, cases, one.is_function, self.budget, self.asked.point, check
        )
