"""Exercises of lesson 02c: the strict past, perplexity, the softmax inside the batch, adding up pieces."""

from collections.abc import Callable

import numpy as np

from course_lib.exercises.judge import Case, Exercise


def some_rentals(rng: np.random.Generator) -> Case:
    """A person's rentals in no order, of each fit on `today` and after it; one is missing before, mostly 2."""
    today, fits = int(rng.integers(12, 20)), np.repeat(np.arange(3), 3)
    days = np.tile([today - 1, today, today + 1], 3) + np.tile([-1, 0, 1], 3) * rng.integers(0, 3, size=9)
    more = int(rng.integers(1, 9))
    days, fits = np.append(days, rng.integers(9, today, size=more)), np.append(fits, rng.integers(0, 3, size=more))
    missing = rng.choice(3, p=[0.1, 0.1, 0.8])
    order = rng.permutation(np.flatnonzero((days >= today) | (fits != missing)))
    days, fits = np.append(days[order], today - 1), np.append(fits[order], (missing + 1) % 3)
    order = rng.permutation(len(days))
    return days[order], fits[order], today


def some_texts(rng: np.random.Generator) -> Case:
    """The mean loss of each of a few texts of different length, and their lengths in tokens."""
    n = int(rng.integers(2, 9))
    tokens = rng.choice(np.arange(1, 60), n, replace=False)
    return rng.uniform(0.5, 5, size=n).round(3), tokens


def perplexity(loss: np.ndarray, tokens: np.ndarray) -> float:
    return float(np.exp(loss @ tokens / tokens.sum()))


def some_films(rng: np.random.Generator, B: int, d: int) -> np.ndarray:
    E = rng.normal(size=(B, d))
    return E / np.linalg.norm(E, axis=1, keepdims=True)


def some_batch(rng: np.random.Generator) -> Case:
    """A batch of unit vectors, a partner for each, pairs that are alike, partners among them, and a temperature."""
    B = int(rng.integers(5, 9))
    partner = (np.arange(B) + rng.integers(1, B, size=B)) % B
    alike = rng.random((B, B)) < 0.2
    alike[np.arange(0, B, 2), partner[::2]] = True
    return some_films(rng, B, int(rng.integers(3, 9))), partner, alike | alike.T, round(rng.uniform(0.2, 0.8), 2)


def info_nce(
    E: np.ndarray,
    partner: np.ndarray,
    alike: np.ndarray,
    tau: float,
    own: bool = False,
    back: bool = True,
    reduce: Callable[[np.ndarray], float] = np.mean,
) -> float:
    """The loss; own: with each film among its own negatives; back: partners that are alike are in the sum again."""
    S, rows = E @ E.T / tau, np.arange(len(E))
    left_out = alike | (np.eye(len(E), dtype=bool) & (not own))
    if back:
        left_out[rows, partner] = False
    return float(reduce(np.log(np.where(left_out, 0, np.exp(S)).sum(axis=1)) - S[rows, partner]))


def zeros_left_in(E: np.ndarray, partner: np.ndarray, alike: np.ndarray, tau: float) -> float:
    S, rows = E @ E.T / tau, np.arange(len(E))
    left_out = alike | np.eye(len(E), dtype=bool)
    left_out[rows, partner] = False
    return float((np.log(np.exp(np.where(left_out, 0, S)).sum(axis=1)) - S[rows, partner]).mean())


def by_columns(E: np.ndarray, partner: np.ndarray, alike: np.ndarray, tau: float) -> float:
    S, rows = E @ E.T / tau, np.arange(len(E))
    left_out = alike | np.eye(len(E), dtype=bool)
    left_out[rows, partner] = False
    return float((np.log(np.where(left_out, 0, np.exp(S)).sum(axis=0))[partner] - S[rows, partner]).mean())


def without_partner(E: np.ndarray, partner: np.ndarray, alike: np.ndarray, tau: float) -> float:
    left_out = alike.copy()
    left_out[np.arange(len(E)), partner] = True
    return info_nce(E, partner, left_out, tau, back=False)


def some_pieces(rng: np.random.Generator) -> Case:
    """A batch and the size of its pieces, the last of which is shorter."""
    piece, whole = int(rng.integers(3, 40)), int(rng.integers(1, 8))
    return piece * whole + int(rng.integers(1, piece)), piece


def factors(n: int, piece: int) -> np.ndarray:
    return np.diff(np.append(np.arange(0, n, piece), n)) / n


def small_batch(B: int, d: int, seed: int, tau: float) -> Case:
    """Nobody is alike in the batch of 6; in the others film 0 is like its own partner and like the film after it."""
    partner, alike = np.roll(np.arange(B), 1), np.zeros((B, B), dtype=bool)
    alike[0, [1, B - 1]] = alike[[1, B - 1], 0] = B != 6
    return some_films(np.random.default_rng(seed), B, d), partner, alike, tau


EXERCISES = (
    Exercise(
        "2c.1",
        1,
        lambda days, fits, today: np.bincount(fits[days < today], minlength=3),
        [
            (np.array([3, 5, 5, 9]), np.array([1, 0, 1, 2]), 5),
            (np.array([1, 2, 3, 4]), np.array([0, 0, 2, 1]), 4),
            (np.array([7, 7]), np.array([1, 1]), 7),
        ],
        some_rentals,
        {
            "That counts the rentals of the same day: their fit is not known yet.": lambda d, f, t: np.bincount(
                f[d <= t], minlength=3
            ),
            "That counts everything, the future too.": lambda d, f, t: np.bincount(f, minlength=3),
            "That counts what comes after the day.": lambda d, f, t: np.bincount(f[d > t], minlength=3),
            "That counts today and what comes after it.": lambda d, f, t: np.bincount(f[d >= t], minlength=3),
            "That counts the same day alone.": lambda d, f, t: np.bincount(f[d == t], minlength=3),
            "These are shares; counts are wanted.": lambda d, f, t: np.bincount(f[d < t], minlength=3) / (d < t).sum(),
            "These are the fits themselves: count how often each occurs.": lambda d, f, t: f[d < t],
            "That is how many there are in all: one count for each fit is wanted.": lambda d, f, t: (d < t).sum(),
            "The day before today is past too: yours leaves it out.": lambda d, f, t: np.bincount(
                f[d < t - 1], minlength=3
            ),
        },
        "Keep the fits of the days before today, and count them with np.bincount(…, minlength=3).",
    ),
    Exercise(
        "2c.2",
        1,
        perplexity,
        [
            (np.array([2.0, 4.0]), np.array([30, 10])),
            (np.array([1.5]), np.array([7])),
            (np.array([0.7, 3.1, 2.2]), np.array([2, 40, 5])),
        ],
        some_texts,
        {
            "A long text has more tokens, and each of them counts: weigh the losses by the tokens.": (
                lambda loss, n: np.exp(loss.mean())
            ),
            "First the mean over all tokens, then the exponential: yours averages perplexities.": (
                lambda loss, n: np.exp(loss) @ n / n.sum()
            ),
            "First the mean over all tokens, then the exponential: yours averages the texts' perplexities.": (
                lambda loss, n: np.exp(loss).mean()
            ),
            "That is the mean loss of a token; raise e to it.": lambda loss, n: loss @ n / n.sum(),
            "The losses have their minus already: perplexity is at least 1.": lambda loss, n: np.exp(
                -loss @ n / n.sum()
            ),
            "These are natural logarithms: raise e, not 2.": lambda loss, n: 2 ** (loss @ n / n.sum()),
            "Each loss is a mean already: multiply it by its tokens, do not divide.": lambda loss, n: np.exp(
                (loss / n).sum() / n.sum()
            ),
            "Divide by the number of tokens, not of texts.": lambda loss, n: np.exp(min(loss @ n / len(n), 700)),
            "Each loss is a mean already: multiply it by its tokens before you add.": lambda loss, n: np.exp(
                loss.sum() / n.sum()
            ),
            "Perplexity is e to the mean loss of a token; that is its logarithm.": lambda loss, n: np.log(
                loss @ n / n.sum()
            ),
            "Divide by the number of all tokens before you raise e to it.": lambda loss, n: np.exp(min(loss @ n, 700)),
            "These are natural logarithms: raise e, not 10.": lambda loss, n: 10 ** (loss @ n / n.sum()),
        },
        "The sum over all tokens is Σ loss · tokens; divide it by Σ tokens, then take the exponential.",
    ),
    Exercise(
        "2c.3",
        2,
        info_nce,
        [small_batch(4, 3, 0, 0.5), small_batch(6, 8, 1, 0.1), small_batch(5, 2, 2, 1.0)],
        some_batch,
        {
            "Each film is among its own negatives: leave the diagonal out of the sum.": lambda E, p, a, t: info_nce(
                E, p, a, t, own=True
            ),
            "Films that are alike are no negatives: leave them out of the sum.": lambda E, p, a, t: info_nce(
                E, p, a & False, t
            ),
            "The partner stays in the sum, also where it is alike.": lambda E, p, a, t: info_nce(
                E, p, a, t, back=False
            ),
            "Those that are alike are left out, and yours keeps nothing else.": lambda E, p, a, t: info_nce(
                E, p, ~a, t
            ),
            "Divide the cosines by the temperature.": lambda E, p, a, t: info_nce(E, p, a, 1.0),
            "Divide by the temperature, do not multiply.": lambda E, p, a, t: info_nce(E, p, a, 1 / t),
            "The mean over the films is wanted, not the sum.": lambda E, p, a, t: info_nce(E, p, a, t, reduce=np.sum),
            "The sign: a loss is minus the logarithm of q.": lambda E, p, a, t: -info_nce(E, p, a, t),
            "What is left out is -∞ before the exponential; a similarity of 0 still counts as e⁰ = 1.": (
                lambda E, p, a, t: zeros_left_in(E, p, a, t)
            ),
            "That is the mean of q, not of its logarithm.": lambda E, p, a, t: info_nce(
                E, p, a, t, reduce=lambda loss: np.exp(-loss).mean()
            ),
            "Neither the film itself nor those that are alike are negatives: "
            "leave both out of the sum.": lambda E, p, a, t: info_nce(E, p, a & False, t, own=True),
            "The partner of film i is film partner[i]; yours takes the film itself.": lambda E, p, a, t: float(
                (np.log(np.exp(E @ E.T / t).sum(axis=1)) - np.diag(E @ E.T) / t).mean()
            ),
            "The softmax is over the row of film i, axis=1: yours is over the columns.": by_columns,
            "The partner stands below the line too, not the negatives alone.": without_partner,
            "Below the line something is missing: yours is the partner's similarity alone.": lambda E, p, a, t: float(
                -(E * E[p]).sum(axis=1).mean() / t
            ),
        },
        "Set what is left out to -∞ (the diagonal, and what is alike but for the partner), then take the log-softmax.",
    ),
    Exercise(
        "2c.4",
        1,
        factors,
        [(20, 8), (16, 4), (5, 5), (7, 3)],
        some_pieces,
        {
            "Every piece the same: right only if all are equally long. A short piece must count less.": lambda n, p: (
                np.full(-(-n // p), 1 / -(-n // p))
            ),
            "These are the sizes of the pieces: divide by n.": lambda n, p: factors(n, p) * n,
            "The last piece is shorter than the others.": lambda n, p: np.full(-(-n // p), p / n),
            "The last piece is missing: it takes what remains.": lambda n, p: np.full(n // p, p / n),
            "The factor of a piece is its size over n, not over the size of a full piece.": lambda n, p: (
                factors(n, p) * n / p
            ),
            "Upside down: a short piece must count less.": lambda n, p: 1 / (factors(n, p) * n),
            "The short piece comes last.": lambda n, p: factors(n, p)[::-1],
            "One factor for each piece is wanted, not for each example.": lambda n, p: np.full(n, 1 / n),
        },
        "The mean over the batch is Σ size · mean / n: each piece's factor is its own size over n.",
        kind="share",
    ),
)
