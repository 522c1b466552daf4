"""Wrong answers to the exercises of lessons 02c to 03b, as students write them: {label: functions, or values}."""

import numpy as np


def contrast(leave_out, reduce=np.mean, tau_of=lambda tau: tau):
    """InfoNCE with another set of what is left out: ``leave_out`` (own, partner, alike), all (B, B) truth values."""

    def wrong(E, partner, alike, tau):
        rows, own = np.arange(len(E)), np.eye(len(E), dtype=bool)
        S = E @ E.T / tau_of(tau)
        below = np.where(leave_out(own, own[partner], alike), -np.inf, S)
        with np.errstate(divide="ignore"):
            return float(reduce(np.log(np.exp(below).sum(axis=1)) - S[rows, partner]))

    return wrong


def right_set(own, partner, alike):
    return (own | alike) & ~partner


def pieces(factor):
    def wrong(n, p):
        sizes = np.array([min(p, n - at) for at in range(0, n, p)])
        return factor(sizes, n, p)

    return wrong


def weakest(choose, holds=lambda p, b: p < b):
    def wrong(before, after, y):
        found = []
        for b, a, c in zip(before, after, y, strict=True):
            j = choose(a, b, c)
            found.append(int(j) if holds(a[j, c], b[c]) else -1)
        return np.array(found)

    return wrong


def chosen(rows):
    def wrong(P, threshold, most):
        found = np.asarray(rows(P, P.max(axis=1), P.argmax(axis=1), threshold, most), dtype=int)
        return found, P[found].argmax(axis=1)

    return wrong


def of_each(sure, label, t, most, key):
    rows = [np.flatnonzero((label == c) & (sure >= t)) for c in np.unique(label)]
    return np.concatenate([r[np.argsort(key(sure[r]))[:most]] for r in rows])


def bits(scale, round_=np.round):
    def wrong(W):
        s = scale(np.abs(W))
        return s * round_(W / np.where(s == 0, 1, s))

    return wrong


def log_softmax(z, axis=1):
    return z - np.log(np.exp(z).sum(axis=axis, keepdims=True))


def distilled(value):
    return lambda z, t, T: float(value(log_softmax(z / T), log_softmax(t / T), T))


def inverse(X, lam):
    return np.linalg.inv(X.T @ X + lam * np.eye(X.shape[1]))


def without_diagonal(B):
    return B * (1 - np.eye(len(B)))


def by(key):
    return lambda q, V, n: np.argsort(key(q, V))[:n]


def looked_at(pick, weight):
    def wrong(a, d, j):
        there = pick(~np.isnan(d), np.arange(len(d)) != j)
        w = weight(a[there])
        return float(w @ np.nan_to_num(d[there]) / w.sum())

    return wrong


def age(times):
    return (times[None, :] > times[:, None]).sum(axis=1)


def steps(count, span=lambda w: range(1, w + 1)):
    def wrong(h, n_items, window, reach):
        C = np.zeros((n_items, n_items))
        for n in span(window):
            for at in range(len(h) - n):
                C[h[at], h[at + n]] += count(n, reach)
        return C

    return wrong


WRONG = {
    "2c.1": [
        lambda d, f, t: np.bincount(f[d <= t], minlength=3),
        lambda d, f, t: np.bincount(f, minlength=3),
        lambda d, f, t: np.bincount(f[d > t], minlength=3),
        lambda d, f, t: np.bincount(f[d < t], minlength=3) / max((d < t).sum(), 1),
        lambda d, f, t: np.bincount(f[d < t - 1], minlength=3),
        lambda d, f, t: np.bincount(f[d < t]) if (d < t).any() else np.zeros(1),
        lambda d, f, t: np.array([0, 1, 0]),
    ],
    "2c.2": [
        lambda x, n: np.exp(x.mean()),
        lambda x, n: np.exp(x).mean(),
        lambda x, n: np.exp(-x @ n / n.sum()),
        lambda x, n: x @ n / n.sum(),
        lambda x, n: 2 ** (x @ n / n.sum()),
        lambda x, n: np.exp(x.sum() / n.sum()),
        lambda x, n: np.exp(x) @ n / n.sum(),
        lambda x, n: 12.18,
    ],
    "2c.3": [
        contrast(lambda own, partner, alike: own & False),
        contrast(lambda own, partner, alike: own),
        contrast(lambda own, partner, alike: own | alike | partner & False),
        contrast(lambda own, partner, alike: own | partner),
        contrast(right_set, reduce=np.sum),
        contrast(right_set, tau_of=lambda tau: 1.0),
        contrast(right_set, tau_of=lambda tau: 1 / tau),
        lambda E, p, alike, tau: float(-(E @ E.T / tau)[np.arange(len(E)), p].mean()),
    ],
    "2c.4": [
        pieces(lambda s, n, p: s),
        pieces(lambda s, n, p: s / p),
        pieces(lambda s, n, p: np.full(len(s), 1 / len(s))),
        pieces(lambda s, n, p: np.full(len(s), p / n)),
        pieces(lambda s, n, p: n / s),
        pieces(lambda s, n, p: s / n * len(s)),
        pieces(lambda s, n, p: (s / n)[::-1]),
        lambda n, p: np.full(n // p, p / n),
    ],
    "2d.1": [
        weakest(lambda a, b, c: a[:, c].argmin(), holds=lambda p, b: True),
        weakest(lambda a, b, c: a[:, c].argmax()),
        weakest(lambda a, b, c: a[:, c].argmin(), holds=lambda p, b: p <= b),
        weakest(lambda a, b, c: a[:, b.argmax()].argmin()),
        weakest(lambda a, b, c: a.max(axis=1).argmin()),
        lambda before, after, y: after[np.arange(len(y)), :, y].min(axis=1),
        lambda before, after, y: np.array([a[:, c].argmin() + 1 for a, c in zip(after, y, strict=True)]),
        lambda before, after, y: np.full(len(y), -1),
    ],
    "2d.2": [
        chosen(lambda P, sure, label, t, most: np.flatnonzero(sure > t)),
        chosen(lambda P, sure, label, t, most: np.flatnonzero(sure >= t)),
        chosen(lambda P, sure, label, t, most: np.flatnonzero(sure >= t)[:most]),
        chosen(lambda P, sure, label, t, most: of_each(sure, label, t, most, lambda s: -s)),
        chosen(lambda P, sure, label, t, most: np.sort(of_each(sure, label, t, most, lambda s: s))),
        chosen(lambda P, sure, label, t, most: np.sort(of_each(sure, label, t, most, np.zeros_like))),
        lambda P, t, most: (P.max(axis=1) >= t, P.argmax(axis=1)),
        lambda P, t, most: np.flatnonzero(P.max(axis=1) >= t),
    ],
    "2d.3": [
        bits(lambda A: A.max() / 127),
        bits(lambda A: A.max(axis=0, keepdims=True) / 127),
        bits(lambda A: A.max(axis=1, keepdims=True) / 128),
        bits(lambda A: A.max(axis=1, keepdims=True) / 255),
        bits(lambda A: A.max(axis=1, keepdims=True) / 127, np.floor),
        bits(lambda A: A.max(axis=1, keepdims=True) / 127, np.trunc),
        lambda W: np.round(W / np.maximum(np.abs(W).max(axis=1, keepdims=True) / 127, 1e-12)),
        lambda W: W,
    ],
    "2d.4": [
        distilled(lambda q, p, T: -(np.exp(p) * q).sum(axis=1).mean()),
        distilled(lambda q, p, T: -(np.exp(q) * p).sum(axis=1).mean() * T**2),
        distilled(lambda q, p, T: -(np.exp(p) * q).mean() * T**2),
        distilled(lambda q, p, T: -(np.exp(p) * q).sum() * T**2),
        distilled(lambda q, p, T: (np.exp(p) * q).sum(axis=1).mean() * T**2),
        distilled(lambda q, p, T: (np.exp(p) * (p - q)).sum(axis=1).mean() * T**2),
        distilled(lambda q, p, T: -(np.exp(p) * q).sum(axis=1).mean() * T),
        distilled(lambda q, p, T: ((np.exp(p) - np.exp(q)) ** 2).sum(axis=1).mean() * T**2),
    ],
    "3.1": [
        lambda X, lam: inverse(X, lam),
        lambda X, lam: -inverse(X, lam) / np.diag(inverse(X, lam)),
        lambda X, lam: without_diagonal(inverse(X, lam) / np.diag(inverse(X, lam))),
        lambda X, lam: without_diagonal(-inverse(X, lam) / np.diag(inverse(X, lam))[:, None]),
        lambda X, lam: without_diagonal(-inverse(X, lam)),
        lambda X, lam: without_diagonal(-(P := np.linalg.inv(X.T @ X + lam)) / np.diag(P)),
        lambda X, lam: without_diagonal(-(P := inverse(X, 0.01)) / np.diag(P)),
        lambda X, lam: without_diagonal(-(P := inverse(X.T, lam)[: X.shape[1], : X.shape[1]]) / np.diag(P)),
    ],
    "3.2": [
        lambda alpha, w, c: np.concatenate([[alpha.sum()], w.sum(axis=0), [c.sum()]]),
        lambda alpha, w, c: np.concatenate([[alpha.mean()], alpha @ w / len(alpha), [alpha @ c / len(alpha)]]),
        lambda alpha, w, c: np.concatenate([[alpha.sum()], alpha @ w, [c.sum()]]),
        lambda alpha, w, c: np.concatenate([[1], alpha @ w, [alpha @ c]]),
        lambda alpha, w, c: np.concatenate([alpha @ w, [alpha @ c], [alpha.sum()]]),
        lambda alpha, w, c: np.concatenate([[alpha.sum()], alpha @ w]),
        lambda alpha, w, c: np.concatenate([[alpha.sum()], alpha @ w / alpha.sum(), [alpha @ c / alpha.sum()]]),
    ],
    "3.3": [
        lambda u, v, t, w, alpha: (alpha * (t @ w.T)).sum(axis=1) + (u * v).sum(axis=1),
        lambda u, v, t, w, alpha: ((u * v).sum(axis=1, keepdims=True) + t @ w.T).sum(axis=1),
        lambda u, v, t, w, alpha: (alpha * ((u * v).sum(axis=1, keepdims=True) + t @ w.T)).mean(axis=1),
        lambda u, v, t, w, alpha: (alpha * (t @ w.T)).sum(axis=1),
        lambda u, v, t, w, alpha: (alpha * ((u @ v.T).sum(axis=1, keepdims=True) + t @ w.T)).sum(axis=1),
        lambda u, v, t, w, alpha: alpha * ((u * v).sum(axis=1, keepdims=True) + t @ w.T),
        lambda u, v, t, w, alpha: (alpha[:1] * ((u * v).sum(axis=1, keepdims=True) + t @ w.T)).sum(axis=1),
        lambda u, v, t, w, alpha: np.zeros(len(u)),
    ],
    "3.4": [
        by(lambda q, V: -(V @ q)),
        by(lambda q, V: V @ q / np.linalg.norm(V, axis=1)),
        by(lambda q, V: np.linalg.norm(V - q, axis=1)),
        by(lambda q, V: -(V @ q) / (V**2).sum(axis=1)),
        by(lambda q, V: -np.abs(V @ q) / np.linalg.norm(V, axis=1)),
        lambda q, V, n: np.argsort(V @ q / np.linalg.norm(V, axis=1))[-n:],
        lambda q, V, n: np.sort(V @ q / np.linalg.norm(V, axis=1) / np.linalg.norm(q))[::-1][:n],
        lambda q, V, n: np.arange(n),
    ],
    "3.5": [232, 14, 33, 264, 263, 224, 8 * 33 - 33 + 16],
    "3b.1": [
        looked_at(lambda rated, other: rated, np.exp),
        looked_at(lambda rated, other: other, np.exp),
        looked_at(lambda rated, other: rated & other, lambda a: a),
        looked_at(lambda rated, other: rated & other, np.ones_like),
        looked_at(lambda rated, other: rated & other, lambda a: np.exp(-a)),
        lambda a, d, j: float(np.exp(a) @ np.nan_to_num(d)),
        lambda a, d, j: float(np.exp(a) @ d / np.exp(a).sum()),
        lambda a, d, j: float(np.nanmean(d)),
    ],
    "3b.2": [
        lambda t, tau: np.exp(-(t.max() - t) / tau),
        lambda t, tau: np.exp(-np.argsort(-t) / tau),
        lambda t, tau: np.exp(-age(-t) / tau),
        lambda t, tau: np.exp(-(1 + age(t)) / tau),
        lambda t, tau: np.exp(-age(t) * tau),
        lambda t, tau: np.exp(age(t) / tau),
        lambda t, tau: np.exp(-np.arange(len(t))[::-1] / tau),
        lambda t, tau: np.ones(len(t)),
    ],
    "3b.3": [
        steps(lambda n, reach: 1),
        steps(lambda n, reach: np.exp(-n / reach), lambda w: range(1, w)),
        steps(lambda n, reach: np.exp(-n / reach), lambda w: range(w + 1)),
        steps(lambda n, reach: np.exp(-(n - 1) / reach)),
        steps(lambda n, reach: np.exp(-n * reach)),
        lambda h, n, w, r: steps(lambda k, reach: np.exp(-k / reach))(h, n, w, r).T,
        lambda h, n, w, r: steps(lambda k, reach: np.exp(-k / reach))(h, n, 1, r),
        lambda h, n, w, r: steps(lambda k, reach: np.exp(-k / reach))(h[::-1], n, w, r),
    ],
}
