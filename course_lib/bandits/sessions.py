"""Sessions in a large catalogue: too many states for a table, a known truth, thousands of users simulated at once.

Letters: B sessions at once, T turns at most, C candidates a turn, F films, U users, d dimensions of a vector.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from course_lib import inputs
from course_lib.bandits.q_learning import checked_discount
from course_lib.bandits.session_state import State, Visits, checked_choice
from course_lib.data.profiles import unit
from course_lib.errors import CourseError


def likes(stars: np.ndarray, spread: float, threshold: float = 3.5) -> np.ndarray:
    """P(rating ≥ 4) = Φ((stars − threshold) / spread): click probabilities from predicted stars of any shape.

    A rating is the prediction plus a normal error of standard deviation ``spread`` > 0; whole stars are rounded at 3.5.
    """
    stars, threshold = (
        inputs.array("Predicted stars", stars, finite=False, keep=True),
        inputs.number("threshold", threshold),
    )
    if not inputs.number("spread", spread) > 1e-100 or not np.isfinite(stars).all():
        raise CourseError("Click probabilities need finite predicted stars and a spread above 0.")
    return ndtr((stars - threshold) / spread)


def kinship(vectors: np.ndarray, genres: np.ndarray) -> np.ndarray:
    """How alike two films feel, (F, F), 0 to 1: half the cosine of their genres, half that of their texts (or 0).

    vectors: (F, d), one text vector a film, centred so that a cosine can be negative. genres: (F, G), 0 or 1. A film
    is entirely like itself.
    """
    vectors = inputs.array("vectors", vectors, ndim=2, finite=False, keep=True)
    genres = inputs.array("genres", genres, ndim=2)
    if len(vectors) != len(genres) or not np.isfinite(vectors).all():
        raise CourseError(f"Each film has a finite text vector and genres; got {len(vectors)} and {len(genres)} rows.")
    V, G = unit(vectors), unit(genres)
    alike = np.clip(0.5 * G @ G.T + 0.5 * np.maximum(V @ V.T, 0), 0, 1)
    np.fill_diagonal(alike, 1)
    return alike


Policy = Callable[[State], np.ndarray]  # the probability of showing each candidate, (B, C)


@dataclass(frozen=True)
class World:
    """Users who are shown one of C candidates a turn, tire of films like the last ones, and may leave after each turn.

    click: (U, F), P(click) of a user who is not tired. alike: (F, F), 0 to 1 (see `kinship`). With the films
    f_0 … f_{t−1} shown before, film f meets the tiredness k = Σ_j memory^(t−1−j) · alike[f, f_j]; it is clicked with
    probability click[u, f] · fatigue^k, and the user then leaves with probability min(1, leave + boredom · k).
    The candidates of a turn are drawn from all films, each at most once. (user, films shown, candidates) is all that
    the future depends on, so the process is Markov; `q_learning.Session` is its small sister.
    turns: ≥ 1. n_candidates: 1 to F. fatigue, memory, leave: 0 to 1. boredom: ≥ 0.
    """

    click: np.ndarray
    alike: np.ndarray
    turns: int = 10
    n_candidates: int = 30
    fatigue: float = 0.8
    memory: float = 0.7
    leave: float = 0.02
    boredom: float = 0.15

    def __post_init__(self) -> None:
        for name in ("click", "alike"):
            table = inputs.array(f"The table {name!r}", getattr(self, name), finite=False, keep=True)
            object.__setattr__(self, name, table)
        inputs.settings(self, turns=inputs.whole, n_candidates=inputs.whole)
        inputs.settings(self, **dict.fromkeys(("fatigue", "memory", "leave", "boredom"), inputs.number))
        _, n_films = self.click.shape if self.click.ndim == 2 else (0, -1)
        if self.alike.shape != (n_films, n_films):
            raise CourseError(
                f"click is (users, films), alike (films, films); got {self.click.shape}, {self.alike.shape}."
            )
        for name, table in (("click", self.click), ("alike", self.alike)):
            if not ((table >= 0) & (table <= 1)).all():  # also catches NaN
                raise CourseError(
                    f"Every entry of {name!r} lies between 0 and 1; found {table.min()} to {table.max()}."
                )
        if self.turns < 1 or not 1 <= self.n_candidates <= n_films:
            raise CourseError(f"A session has at least one turn and 1 to {n_films} candidates a turn.")
        if not all(0 <= x <= 1 for x in (self.fatigue, self.memory, self.leave)) or not self.boredom >= 0:
            raise CourseError("fatigue, memory and leave lie between 0 and 1, and boredom is not negative.")

    def draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Candidates of ``n`` sessions, (n, C), without repeats within a row. n: ≥ 0."""
        n, n_films = inputs.NATURAL("n", n), self.click.shape[1]
        return rng.random((n, n_films), dtype=np.float32).argpartition(self.n_candidates - 1)[:, : self.n_candidates]

    def start(self, users: np.ndarray, rng: np.random.Generator) -> State:
        """Sessions of ``users`` (B,) that begin."""
        users = inputs.ids("users", users, len(self.click))
        return State(users, np.full((len(users), self.turns), -1), self.draw(len(users), rng))

    def tiredness(self, state: State) -> np.ndarray:
        """k of each candidate, (B, C): 0 at the start of a session."""
        k = np.zeros(state.candidates.shape)
        age = (
            state.turn[:, None] - 1 - np.arange(self.turns)
        )  # (B, T): 0 for the last film shown, negative in the future
        for j in range(int(state.turn.max(initial=0))):
            weight = np.where(age[:, j] >= 0, self.memory ** np.maximum(age[:, j], 0), 0)
            k += weight[:, None] * self.alike[state.candidates, state.shown[:, j, None]]
        return k

    def truth(self, state: State) -> tuple[np.ndarray, np.ndarray]:
        """P(click) and P(stay after it) of each candidate, (B, C) both. Policies that learn never look here."""
        k = self.tiredness(state)
        click = self.click[state.user[:, None], state.candidates] * self.fatigue**k
        stay = np.where(state.turn[:, None] + 1 < self.turns, 1 - np.minimum(1, self.leave + self.boredom * k), 0)
        return click, stay


def surely(scores: np.ndarray) -> np.ndarray:
    """A deterministic policy: probability 1 for the largest score of each row, (B, C), the first among equals."""
    scores = inputs.array("A policy's scores", scores, ndim=2, finite=False, keep=True)
    if np.isnan(scores).any():
        raise CourseError("A policy's scores hold NaN: look at the features or the network that they come from.")
    if not scores.shape[1]:
        raise CourseError("A policy scores at least one candidate; got none.")
    return np.eye(scores.shape[1])[scores.argmax(axis=1)]


def uniform(state: State) -> np.ndarray:
    """The policy that draws any candidate: the baseline that never learns."""
    return np.full(state.candidates.shape, 1 / state.candidates.shape[1])


def greedy(world: World, worth: np.ndarray | None = None) -> Policy:
    """The greedy bandit in its strongest form: the candidate with the largest *true* expected reward now.

    worth: (U, F), expected reward of a click; by default 1, so that clicks are counted.
    """
    worth = _worth(world, worth)
    return lambda state: surely(world.truth(state)[0] * _of(worth, state))


def _worth(world: World, worth: np.ndarray | None) -> np.ndarray | None:
    """``worth``, checked against ``world``."""
    if worth is None:
        return None
    found = inputs.array("worth", worth, keep=True)
    if found.shape != world.click.shape:
        raise CourseError(f"worth is one number for each user and film, {world.click.shape}; got {found.shape}.")
    return found


def _of(worth: np.ndarray | None, state: State) -> np.ndarray | float:
    return 1.0 if worth is None else worth[state.user[:, None], state.candidates]


def simulate(world: World, policy: Policy, users: np.ndarray, seed: int) -> Visits:
    """One session of each of ``users`` (B,) under ``policy``, all at once.

    Policies with the same users and seed meet the same luck: the same candidates turn by turn, and one uniform number
    each for the policy's own draw, the click and the leaving. Their difference is therefore a paired one.
    users: ids, at least one. seed: ≥ 0.
    """
    rng = inputs.generator(seed)
    state = world.start(users, rng)
    if not len(state.user):
        raise CourseError("There is no user to simulate a session of: give at least one.")
    rows, there = np.arange(len(state.user)), np.ones(len(state.user), dtype=bool)
    clicked, present = (np.zeros((len(rows), world.turns), dtype=bool) for _ in range(2))
    for t in range(world.turns):
        draw, click_luck, stay_luck = rng.random((3, len(rows)))
        p = checked_choice(policy(state), state.candidates.shape)
        choice = (draw[:, None] * p.sum(axis=1, keepdims=True) >= p.cumsum(axis=1)).sum(axis=1)
        choice = np.minimum(choice, p.shape[1] - 1)
        click, stay = world.truth(state)
        present[:, t], clicked[:, t] = there, there & (click_luck < click[rows, choice])
        there = there & (stay_luck < stay[rows, choice])
        state = state.then(state.candidates[rows, choice], world.draw(len(rows), rng))
    return Visits(state.user, state.shown, clicked, present)


def look_ahead(
    world: World, users: np.ndarray, gamma: float, seed: int, worth: np.ndarray | None = None, sweeps: int = 3
) -> Policy:
    """A planner that knows the truth: P(click) · worth + γ · P(stay) · v_t, with one number v_t a turn for the rest.

    v_t is the mean discounted reward from turn t on in sessions of ``users`` simulated under the planner itself;
    ``sweeps`` ≥ 1 rounds from zero settle it. It knows that tired users leave, and not that a film shown now also tires
    them of later ones: a strong reference, no optimum. gamma: 0 to 1. seed: ≥ 0. worth: see `greedy`.
    """
    gamma, sweeps, worth = checked_discount(gamma), inputs.COUNT("sweeps", sweeps), _worth(world, worth)
    users, seed = inputs.ids("users", users, len(world.click)), inputs.SEED("seed", seed)
    v = np.zeros(world.turns + 1)

    def act(state: State) -> np.ndarray:
        click, stay = world.truth(state)
        return surely(click * _of(worth, state) + gamma * stay * v[state.turn + 1][:, None])

    for sweep in range(sweeps):
        seen = simulate(world, act, users, seed + sweep)
        r = seen.clicked * (1.0 if worth is None else worth[seen.user[:, None], seen.film])
        left = np.zeros(len(seen.user))
        for t in reversed(range(world.turns)):
            left = r[:, t] + gamma * left
            v[t] = left[seen.there[:, t]].mean() if seen.there[:, t].any() else v[t + 1]
    return act


@dataclass(frozen=True)
class Features:
    """What a learner sees of a state; never `World.truth`.

    films: X (F, d), features of a film; users: P (U, d), a user's profile in the same space. With f_0 … f_{t−1} shown,
    a state is [P_u, m, X of the last film, t / T], where m = Σ_j memory^(t−1−j) X[f_j] remembers all that was shown.
    groups: (d, G), 0 or 1, which features belong together (text, genres, …). memory: 0 to 1.
    """

    films: np.ndarray
    users: np.ndarray
    memory: float
    groups: np.ndarray | None = None

    def __post_init__(self) -> None:
        inputs.settings(self, memory=inputs.SHARE)
        for name in ("films", "users"):
            table = inputs.array(f"The features of {name}", getattr(self, name), finite=False, keep=True)
            object.__setattr__(self, name, table)
            if table.ndim != 2 or not len(table) or not np.isfinite(table).all():
                raise CourseError(f"The features of {name} are a table of finite numbers; got NaN or a wrong shape.")
        if self.groups is not None:
            object.__setattr__(self, "groups", inputs.array("groups", self.groups, ndim=2, keep=True))
        if self.films.shape[1] != self.users.shape[1]:
            raise CourseError(
                f"Films and users share a space; got {self.films.shape[1]} and {self.users.shape[1]} features."
            )

    def state(self, state: State) -> np.ndarray:
        """(B, 3 d + 1), float32."""
        T, turn = state.shown.shape[1], state.turn[:, None]
        age = turn - 1 - np.arange(T)  # (B, T): 0 for the last film shown, negative where none is yet
        weight = np.where(age >= 0, self.memory ** np.maximum(age, 0), 0)
        X = self.films[state.shown]  # (B, T, d); what stands at −1 weighs nothing
        m, last = np.einsum("wbt,btd->wbd", np.stack([weight, age == 0]), X)
        return np.hstack([self.users[state.user], m, last, turn / T]).astype(np.float32)


Reward = Callable[[np.ndarray, np.ndarray, np.ndarray, np.random.Generator], np.ndarray]  # user, film, clicked, dice


@dataclass
class Visitors:
    """The world as an environment for `deep_q.train`: ``n`` sessions of ``users``, each replaced when its user leaves.

    reward: what a film shown brings, (n,), given user, film, clicked (n,) and dice; by default 1 for a click. n: ≥ 1.
    seed: ≥ 0.
    """

    world: World
    features: Features
    users: np.ndarray
    n: int
    seed: int
    reward: Reward | None = None

    def __post_init__(self) -> None:
        inputs.settings(self, n=inputs.COUNT)
        self.items, self.rng = self.features.films, inputs.generator(self.seed)
        self.users = inputs.ids("users", self.users, len(self.world.click))
        shapes = (len(self.features.users), len(self.features.films))
        if shapes != self.world.click.shape or not len(self.users):
            raise CourseError(f"The world is {self.world.click.shape}, its features are of {shapes}, and a user comes.")
        self.views, self.groups = 3, self.features.groups
        self.state = self.world.start(self.rng.choice(self.users, self.n), self.rng)

    def observe(self) -> tuple[np.ndarray, np.ndarray]:
        """Features of the states, and the candidates."""
        return self.features.state(self.state), self.state.candidates

    def step(self, action: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A click or none; the user stays, or a new one comes."""
        action = inputs.ids("Actions", action, len(self.items))
        if len(action) != self.n:
            raise CourseError(f"There is an action for each of {self.n} sessions; got {len(action)}.")
        click, stay = self.world.truth(State(self.state.user, self.state.shown, action[:, None]))
        clicked, ended = self.rng.random(self.n) < click[:, 0], self.rng.random(self.n) >= stay[:, 0]
        r = self.reward(self.state.user, action, clicked, self.rng) if self.reward else clicked.astype(float)
        shown = self.state.shown.copy()
        shown[np.arange(self.n), self.state.turn] = action
        shown[ended] = -1
        user = np.where(ended, self.rng.choice(self.users, self.n), self.state.user)
        self.state = State(user, shown, self.world.draw(self.n, self.rng))
        return r, ended
