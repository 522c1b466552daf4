"""Wrong answers to the exercises of lessons 03 and 03b, as students write them: {label: functions, or values}."""

import numpy as np
from scipy.special import softmax


def inverse(X, lam):
    return np.linalg.inv(X.T @ X + lam * np.eye(X.shape[1]))


def off_diagonal(B):
    return B * (1 - np.eye(len(B)))


def cosines(q, V):
    return V @ q / (np.linalg.norm(V, axis=1) * np.linalg.norm(q))


def rated_others(d, j):
    return ~np.isnan(d) & (np.arange(len(d)) != j)


def steps(window, weight=lambda n, reach: np.exp(-n / reach)):
    """Transitions with ``window`` of the steps in the place of 1 … window, and another weight of a step."""

    def wrong(history, n_items, w, reach):
        C = np.zeros((n_items, n_items))
        for n in window(w):
            for left, right in zip(history, history[n:], strict=False):
                C[left, right] += weight(n, reach)
        return C

    return wrong


right_steps = steps(lambda w: range(1, w + 1))


def added_once(history, n_items, window, reach):
    C, h = np.zeros((n_items, n_items)), np.array(history)
    for n in range(1, min(window, len(h) - 1) + 1):
        C[h[:-n], h[n:]] += np.exp(-n / reach)
    return C


def set_once(history, n_items, window, reach):
    C = np.zeros((n_items, n_items))
    for at, left in enumerate(history):
        for n, right in enumerate(history[at + 1 : at + 1 + window], start=1):
            C[left, right] = np.exp(-n / reach)
    return C


def past_the_end(history, n_items, window, reach):
    C = np.zeros((n_items, n_items))
    for at, left in enumerate(history):
        for n in range(1, window + 1):
            C[left, history[at + n]] += np.exp(-n / reach)
    return C


def round_the_end(history, n_items, window, reach):
    C = np.zeros((n_items, n_items))
    for at, left in enumerate(history):
        for n in range(1, window + 1):
            C[left, history[(at + n) % len(history)]] += np.exp(-n / reach)
    return C


WRONG = {
    "3.1": [
        lambda X, lam: -inverse(X, lam) / np.diag(inverse(X, lam)),
        lambda X, lam: off_diagonal(-inverse(X, lam) / np.diag(inverse(X, lam))[:, None]),
        lambda X, lam: off_diagonal(inverse(X, lam) / np.diag(inverse(X, lam))),
        lambda X, lam: off_diagonal(-inverse(X, lam)),
        lambda X, lam: inverse(X, lam),
        lambda X, lam: off_diagonal(-inverse(X, 0) / np.diag(inverse(X, 0))),
        lambda X, lam: off_diagonal(-(P := np.linalg.inv(X.T @ X + lam)) / np.diag(P)),
        lambda X, lam: off_diagonal(-(P := np.linalg.inv(X @ X.T + lam * np.eye(len(X)))) / np.diag(P)),
        lambda X, lam: off_diagonal(X.T @ X + lam),
        lambda X, lam: off_diagonal(-inverse(X, lam) / np.trace(inverse(X, lam))),
        lambda X, lam: X @ off_diagonal(-inverse(X, lam) / np.diag(inverse(X, lam))),
    ],
    "3.2": [
        lambda a, w, c: np.concatenate([[a.sum()], w.sum(axis=0), [c.sum()]]),
        lambda a, w, c: np.concatenate([[a.sum()], w.sum(axis=0), [a @ c]]),
        lambda a, w, c: np.concatenate([[a.sum()], a @ w, [c.sum()]]),
        lambda a, w, c: np.concatenate([[a.mean()], a @ w / len(a), [a @ c / len(a)]]),
        lambda a, w, c: np.concatenate([[a.sum()], a @ w / a.sum(), [a @ c / a.sum()]]),
        lambda a, w, c: np.concatenate([[a.sum()], a.sum() * w.sum(axis=0), [a.sum() * c.sum()]]),
        lambda a, w, c: np.concatenate([[a.sum()], a @ w]),
        lambda a, w, c: np.concatenate([a @ w, [a.sum()], [a @ c]]),
        lambda a, w, c: np.concatenate([[len(a)], a @ w, [a @ c]]),
        lambda a, w, c: np.concatenate([[a.prod()], a @ w, [a @ c]]),
        lambda a, w, c: np.concatenate([a, a @ w, [a @ c]]),
        lambda a, w, c: np.array([a.sum(), (a @ w).sum(), a @ c]),
    ],
    "3.3": [
        lambda u, v, t, w, a: (a * (u @ v.T + t @ w.T)).sum(axis=1),
        lambda u, v, t, w, a: (a * ((u @ v.T).sum(axis=1, keepdims=True) + t @ w.T)).sum(axis=1),
        lambda u, v, t, w, a: (u * v).sum(axis=1) + (a * (t @ w.T)).sum(axis=1),
        lambda u, v, t, w, a: a.sum(axis=1) * (u * v).sum(axis=1) + (t @ w.T).sum(axis=1),
        lambda u, v, t, w, a: (a * ((u * v).sum(axis=1, keepdims=True) + t @ w.T)).mean(axis=1),
        lambda u, v, t, w, a: (a * ((u * v).sum(axis=1, keepdims=True) + t @ w.T)).sum(axis=0),
        lambda u, v, t, w, a: (a * ((u * v).sum(axis=1, keepdims=True) + t @ w.T)).sum(),
        lambda u, v, t, w, a: a * ((u * v).sum(axis=1, keepdims=True) + t @ w.T),
        lambda u, v, t, w, a: (a * ((u * v).sum() + t @ w.T)).sum(axis=1),
        lambda u, v, t, w, a: (a * ((u * v).mean(axis=1, keepdims=True) + t @ w.T)).sum(axis=1),
        lambda u, v, t, w, a: ((u * v).sum(axis=1, keepdims=True) + t @ w.T).sum(axis=1),
        lambda u, v, t, w, a: (softmax(a, axis=1) * ((u * v).sum(axis=1, keepdims=True) + t @ w.T)).sum(axis=1),
        lambda u, v, t, w, a: (a * (t @ w.T)).sum(axis=1),
        lambda u, v, t, w, a: (a.mean(axis=0) * ((u * v).sum(axis=1, keepdims=True) + t @ w.T)).sum(axis=1),
    ],
    "3.4": [
        lambda q, V, n: np.argsort(-(V @ q))[:n],
        lambda q, V, n: np.argsort(cosines(q, V))[:n],
        lambda q, V, n: np.argsort(cosines(q, V))[-n:],
        lambda q, V, n: np.sort(cosines(q, V))[::-1][:n],
        lambda q, V, n: np.argsort(np.linalg.norm(V - q, axis=1))[:n],
        lambda q, V, n: np.argsort(-(V @ q) / np.linalg.norm(V))[:n],
        lambda q, V, n: np.argsort(-(V / np.linalg.norm(V, axis=0)) @ q)[:n],
        lambda q, V, n: np.argsort(-(V @ q) / (V**2).sum(axis=1))[:n],
        lambda q, V, n: np.argsort(-np.abs(cosines(q, V)))[:n],
        lambda q, V, n: np.argsort(np.argsort(-cosines(q, V)))[:n],
        lambda q, V, n: np.argsort(-cosines(q, V)),
        lambda q, V, n: np.argsort(-cosines(q, V))[: n + 1],
        lambda q, V, n: np.argsort(-cosines(q, V))[1 : n + 1],
        lambda q, V, n: np.argsort(-cosines(q, V))[:n] + 1,
        lambda q, V, n: np.arange(n),
    ],
    "3.5": [232, 263, 14, 224, 264, 33, 8 * 16 + 8 * 32 - 33, 8 * (16 + 32), 7, 256, 223, 230],
    "3b.1": [
        lambda a, d, j: np.nansum(softmax(a) * d),
        lambda a, d, j: (softmax(a) * d).sum(),
        lambda a, d, j: np.nansum((softmax(a) * d)[np.arange(len(d)) != j]),
        lambda a, d, j: softmax(a[~np.isnan(d)]) @ d[~np.isnan(d)],
        lambda a, d, j: softmax(a[np.arange(len(d)) != j]) @ d[np.arange(len(d)) != j],
        lambda a, d, j: np.nansum(softmax(a[np.arange(len(d)) != j]) * d[np.arange(len(d)) != j]),
        lambda a, d, j: np.exp(a[rated_others(d, j)]) @ d[rated_others(d, j)],
        lambda a, d, j: a[rated_others(d, j)] @ d[rated_others(d, j)],
        lambda a, d, j: a[rated_others(d, j)] @ d[rated_others(d, j)] / a[rated_others(d, j)].sum(),
        lambda a, d, j: d[rated_others(d, j)].mean(),
        lambda a, d, j: softmax(-a[rated_others(d, j)]) @ d[rated_others(d, j)],
        lambda a, d, j: (softmax(a[rated_others(d, j)]) * d[rated_others(d, j)]).mean(),
        lambda a, d, j: softmax(a[rated_others(d, j)]) * d[rated_others(d, j)],
        lambda a, d, j: d[np.where(rated_others(d, j), a, -np.inf).argmax()],
        lambda a, d, j: softmax(np.where(rated_others(d, j), a, 0)) @ np.where(rated_others(d, j), d, 0),
        lambda a, d, j: softmax(d[rated_others(d, j)]) @ a[rated_others(d, j)],
        lambda a, d, j: d[j],
    ],
    "3b.2": [
        lambda t, tau: np.exp(-np.argsort(np.argsort(t)) / tau),
        lambda t, tau: np.exp(-np.argsort(-t) / tau),
        lambda t, tau: np.exp(-np.argsort(t) / tau),
        lambda t, tau: np.exp(-(t.max() - t) / tau),
        lambda t, tau: np.exp(-(np.argsort(np.argsort(-t)) + 1) / tau),
        lambda t, tau: np.exp(-np.arange(len(t)) / tau),
        lambda t, tau: np.exp(-np.arange(len(t))[::-1] / tau),
        lambda t, tau: np.exp(np.argsort(np.argsort(-t)) / tau),
        lambda t, tau: np.exp(-np.argsort(np.argsort(-t)) * tau),
        lambda t, tau: np.exp(-np.argsort(np.argsort(-t))),
        lambda t, tau: softmax(-np.argsort(np.argsort(-t)) / tau),
        lambda t, tau: np.argsort(np.argsort(-t)),
        lambda t, tau: 1 / (1 + np.argsort(np.argsort(-t)) / tau),
        lambda t, tau: np.exp(-np.argsort(np.argsort(-t)) / tau)[np.argsort(-t)],
        lambda t, tau: 2 ** (-np.argsort(np.argsort(-t)) / tau),
    ],
    "3b.3": [
        lambda h, k, w, r: right_steps(h, k, w, r).T,
        steps(lambda w: range(w + 1)),
        steps(lambda w: range(1, w)),
        steps(lambda w: range(1, w + 2)),
        steps(lambda w: range(1, 2)),
        steps(lambda w: range(w, w + 1)),
        steps(lambda w: range(1, w + 1), lambda n, reach: 1),
        steps(lambda w: range(1, w + 1), lambda n, reach: np.exp(-n * reach)),
        steps(lambda w: range(1, w + 1), lambda n, reach: np.exp(n / reach)),
        steps(lambda w: range(1, w + 1), lambda n, reach: np.exp(-(n - 1) / reach)),
        steps(lambda w: range(1, w + 1), lambda n, reach: 1 / n),
        added_once,
        set_once,
        past_the_end,
        round_the_end,
        lambda h, k, w, r: right_steps(h, k, w, r) + right_steps(h, k, w, r).T,
        lambda h, k, w, r: right_steps(h, k, w, r) / np.maximum(right_steps(h, k, w, r).sum(1, keepdims=True), 1e-9),
    ],
}
