"""A bandit in operation: choose, observe, update, with every event in an SQLite file that survives a crash.

Each step is one transaction: the event and the counts that follow from it are written together or not at all. So a
restart finds exactly the events that were confirmed, and counts that agree with them. Feedback names its decision:
given again, it is recognised and not counted again. Decision t draws its numbers from a stream seeded by
(seed, t), so a restarted loop goes on as if it had never stopped.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np

from course_lib import inputs
from course_lib.bandits.checks import checked_rates
from course_lib.bandits.policies import Policy, best
from course_lib.errors import CourseError

TABLES = """
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS decisions (id INTEGER PRIMARY KEY, arm INTEGER NOT NULL, propensity REAL NOT NULL);
CREATE TABLE IF NOT EXISTS feedback (
    decision INTEGER PRIMARY KEY REFERENCES decisions (id), reward INTEGER NOT NULL CHECK (reward IN (0, 1)));
CREATE TABLE IF NOT EXISTS counts (arm INTEGER PRIMARY KEY, clicks INTEGER NOT NULL, plays INTEGER NOT NULL);
"""


@dataclass(frozen=True)
class Decision:
    """What was shown: ``id`` (from 1), ``arm`` (from 0), and the probability with which this arm was chosen."""

    id: int
    arm: int
    propensity: float


@dataclass
class OnlineLoop:
    """One experiment in the file ``path``; opened again with the same settings, it continues.

    arms: their names. seed: ≥ 0. draws: how many times the policy scores the arms for a decision, ≥ 1. One of these
    draws, taken at
    random, is followed; so the share of draws that an arm wins is the probability with which it is shown, whatever
    the policy. It is logged, and lets the log judge other policies. An arm that wins no draw has
    probability 0: few draws save time and are blind to small probabilities. durable: wait at each step until it is on
    the disk, so that it outlives a power cut; without, it outlives the death of the process, and steps are quicker.
    """

    path: Path
    arms: Sequence[str]
    policy: Policy
    seed: int
    draws: int = 100
    durable: bool = True
    connection: sqlite3.Connection = field(init=False, repr=False)

    def __post_init__(self) -> None:
        inputs.settings(self, seed=inputs.SEED, draws=inputs.whole)
        self.path, self.arms = Path(self.path), inputs.texts("arms", self.arms, empty=True)
        if not self.arms or len(set(self.arms)) < len(self.arms) or self.draws < 1:
            raise CourseError("A loop needs at least one arm, no name twice, and at least one draw for a decision.")
        with self._kind_errors():
            self.connection = sqlite3.connect(self.path, timeout=10, isolation_level=None)
        try:
            with self._kind_errors():
                self._set_up()
        except CourseError:
            self.connection.close()
            raise

    def _set_up(self) -> None:
        """Journal, tables and settings of a new file; of an old one, the check that it is sound and ours."""
        ask = self.connection.execute
        (soundness,) = ask("PRAGMA quick_check(1)").fetchone()
        if soundness != "ok":
            raise sqlite3.DatabaseError(soundness)
        ask("PRAGMA journal_mode = WAL")  # readers see the last whole step while the next one is written
        ask(f"PRAGMA synchronous = {'FULL' if self.durable else 'NORMAL'}")
        settings = {
            "arms": json.dumps(list(self.arms)),
            "policy": repr(self.policy),
            "seed": json.dumps(self.seed),
            "draws": json.dumps(self.draws),
        }
        with self._step():
            for statement in filter(str.strip, TABLES.split(";")):
                ask(statement)
            stored = dict(ask("SELECT name, value FROM settings"))
            if not stored:
                self.connection.executemany("INSERT INTO settings VALUES (?, ?)", settings.items())
                self.connection.executemany(
                    "INSERT INTO counts VALUES (?, 0, 0)", [(a,) for a in range(len(self.arms))]
                )
        for name, value in settings.items():
            if stored and stored.get(name) != value:
                had, asked = (text if len(text) <= 60 else f"{text[:60]}…" for text in (str(stored.get(name)), value))
                raise CourseError(
                    f"{self.path.name} holds another experiment, with {name} {had} instead of {asked}: open it with its"
                    " own settings, or start a new file."
                )

    @contextmanager
    def _step(self) -> Iterator[None]:
        """One transaction: everything inside happens, or nothing. Other processes wait for their turn."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.connection.rollback()
            raise
        self.connection.commit()

    @contextmanager
    def _kind_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.ProgrammingError as error:
            raise CourseError(f"The loop of {self.path.name} was closed ({error}): open it again.") from error
        except sqlite3.OperationalError as error:  # no folder, read-only, disk full, locked
            raise CourseError(
                f"The database {self.path.name} cannot be written in {self.path.parent} ({error}): choose a folder that"
                " exists and that you may write to, and close other programs that hold the file."
            ) from error
        except sqlite3.DatabaseError as error:
            raise CourseError(
                f"{self.path.name} in {self.path.parent} is no sound SQLite database ({error}): restore a copy, or"
                " start a new file."
            ) from error

    def choose(self) -> Decision:
        """Decide what to show now; the decision is in the file before it is returned."""
        with self._kind_errors(), self._step():
            (last,) = self.connection.execute("SELECT coalesce(max(id), 0) FROM decisions").fetchone()
            rng = np.random.default_rng([self.seed, last + 1])
            clicks, plays = (np.tile(x, (self.draws, 1)).astype(float) for x in self.counts())  # (draws, A)
            winners = best(self.policy.scores(clicks, plays, rng))
            arm = int(winners[rng.integers(self.draws)])
            decision = Decision(last + 1, arm, float((winners == arm).mean()))
            self.connection.execute("INSERT INTO decisions VALUES (?, ?, ?)", (decision.id, arm, decision.propensity))
        return decision

    def observe(self, decision: int, reward: float) -> bool:
        """Take feedback: 1 for a click, 0 for none. True if it counts now, False if it was here before.

        Feedback may come late, in any order and more than once. CourseError for a decision that was never made, for a
        reward that is not 0 or 1, and for a second reward that contradicts the first.
        """
        if isinstance(reward, str) or reward is None or reward not in (0, 1):  # NaN is in no set
            raise CourseError(f"The reward of decision {decision} is {reward!r}: it must be 1 (click) or 0 (none).")
        decision = inputs.whole("decision", decision, at_most=2**62)
        with self._kind_errors(), self._step():
            ask = self.connection.execute
            found = ask(
                "SELECT arm, reward FROM decisions LEFT JOIN feedback ON decision = id WHERE id = ?", (int(decision),)
            ).fetchone()
            if found is None:
                raise CourseError(
                    f"Decision {decision} was never made in {self.path.name}: is it another experiment's?"
                )
            arm, known = found
            if known is not None and known != reward:
                raise CourseError(f"Decision {decision} has the reward {known} already; {int(reward)} is not counted.")
            if known is None:
                ask("INSERT INTO feedback VALUES (?, ?)", (int(decision), int(reward)))
                ask("UPDATE counts SET clicks = clicks + ?, plays = plays + 1 WHERE arm = ?", (int(reward), arm))
        return known is None

    def counts(self) -> tuple[np.ndarray, np.ndarray]:
        """Clicks and plays of each arm, (A,) each; plays are decisions whose feedback has come."""
        return self._per_arm("SELECT clicks, plays FROM counts ORDER BY arm")

    def replay(self) -> tuple[np.ndarray, np.ndarray]:
        """The same two arrays, counted anew from the events: what `counts` has to equal, after any crash."""
        return self._per_arm(
            "SELECT coalesce(sum(reward), 0), count(reward) FROM counts LEFT JOIN decisions USING (arm)"
            " LEFT JOIN feedback ON decision = id GROUP BY arm ORDER BY arm"
        )

    def _per_arm(self, query: str) -> tuple[np.ndarray, np.ndarray]:
        with self._kind_errors():
            clicks, plays = np.array(self.connection.execute(query).fetchall(), dtype=int).T
        return clicks, plays

    def pending(self) -> list[Decision]:
        """Decisions without feedback, oldest first: after a crash, ask for their feedback (again)."""
        query = "SELECT id, arm, propensity FROM decisions LEFT JOIN feedback ON decision = id WHERE reward IS NULL"
        with self._kind_errors():
            return [Decision(*row) for row in self.connection.execute(f"{query} ORDER BY id")]

    def log(self) -> dict[str, np.ndarray]:
        """Decisions with feedback, oldest first, as columns (n,): id, arm, propensity, reward."""
        query = "SELECT id, arm, propensity, reward FROM decisions JOIN feedback ON decision = id ORDER BY id"
        with self._kind_errors():
            rows = np.array(self.connection.execute(query).fetchall(), dtype=float).reshape(-1, 4)
        kinds = {"id": int, "arm": int, "propensity": float, "reward": int}
        return {name: column.astype(kind) for (name, kind), column in zip(kinds.items(), rows.T, strict=True)}

    def close(self) -> None:
        """Close the file; a loop that was killed instead loses nothing."""
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def play(loop: OnlineLoop, user: Callable[[Decision], float], until: int) -> None:
    """Show and observe until decision ``until`` is answered; begins with the decisions that a crash left unanswered.

    user: answers a decision with 0 or 1. until: ≥ 0.
    """
    until = inputs.NATURAL("until", until)
    for decision in loop.pending():
        loop.observe(decision.id, user(decision))
    (last,) = loop.connection.execute("SELECT coalesce(max(id), 0) FROM decisions").fetchone()
    for _ in range(last, until):
        decision = loop.choose()
        loop.observe(decision.id, user(decision))


@dataclass(frozen=True)
class SimulatedUser:
    """Clicks on arm a with probability ``click_rates[a]``; asked again about a decision, gives the same answer.

    click_rates: (A,), 0 to 1. seed: ≥ 0.
    """

    click_rates: tuple[float, ...]
    seed: int

    def __post_init__(self) -> None:
        inputs.settings(self, seed=inputs.SEED)
        object.__setattr__(self, "click_rates", tuple(checked_rates(self.click_rates).tolist()))

    def __call__(self, decision: Decision) -> int:
        """0 or 1."""
        luck = np.random.default_rng([self.seed, decision.id, 1]).random()
        return int(luck < self.click_rates[decision.arm])
