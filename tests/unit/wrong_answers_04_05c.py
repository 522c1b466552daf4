"""Wrong answers to the exercises of lessons 04 to 05c, as students write them: {label: functions}."""

import numpy as np
from scipy.special import logsumexp, rel_entr


def unit(Z):
    return Z / np.linalg.norm(Z, axis=1, keepdims=True)


def lists_of(pick):
    """MMR with ``pick(value, chosen)`` in the place of the maximum over what is left."""

    def wrong(relevance, similarity, n, theta):
        chosen = [int(relevance.argmax())]
        for _ in range(n - 1):
            value = theta * relevance - (1 - theta) * similarity[chosen].max(axis=0)
            chosen.append(int(pick(value, chosen)))
        return chosen

    return wrong


def block(R):
    with np.errstate(all="ignore"):
        return np.nan_to_num(R / np.sqrt(np.outer(R.sum(axis=1), R.sum(axis=0))))


def greedy(i, f, e, k):
    return e / k + (1 - e) * (i == f)


def slope(fraction):
    return lambda p: float(np.sum(fraction(p[p < p.max()], p.max())))


def kl(a, b):
    return rel_entr(a, b) + rel_entr(1 - a, 1 - b)


def explored(c, A, T):
    return np.minimum(1, c * A / np.arange(1, T + 1)).sum()


WRONG = {
    "4.1": [
        lambda A: A / A.sum(axis=1, keepdims=True),
        lambda A: A / np.sqrt(A.sum(axis=1)),
        lambda A: np.diag(A.sum(axis=1)) - A,
        lambda A: A / np.sqrt(np.outer(A.sum(axis=1), A.sum(axis=1))),
        lambda A: A / np.sqrt(np.maximum(np.outer(A.sum(axis=1), A.sum(axis=1)), 1)),
        lambda A: A / np.maximum(np.sqrt(np.outer((A > 0).sum(axis=1), (A > 0).sum(axis=1))), 1),
        lambda A: np.nan_to_num(A / np.outer(A.sum(axis=1), A.sum(axis=1))),
        lambda A: A.sum(axis=1),
    ],
    "4.2": [
        lambda A, E, L: sum(np.linalg.matrix_power(A, k) @ E for k in range(L)) / (L + 1),
        lambda A, E, L: sum(np.linalg.matrix_power(A, k) @ E for k in range(1, L + 1)) / L,
        lambda A, E, L: np.linalg.matrix_power(A, L) @ E,
        lambda A, E, L: np.mean([A**k @ E for k in range(L + 1)], axis=0),
        lambda A, E, L: sum(np.linalg.matrix_power(A, k) @ E for k in range(L + 1)),
        lambda A, E, L: np.stack([np.linalg.matrix_power(A, k) @ E for k in range(L + 1)]),
        lambda A, E, L: np.mean([np.linalg.matrix_power(A, k) @ E for k in range(L + 1)]),
    ],
    "4.3": [
        lambda r, S, n, t: np.argsort(-r)[:n],
        lambda r, S, n, t: np.argsort(r)[:n],
        lambda r, S, n, t: np.argsort(-(t * r - (1 - t) * S.max(axis=0)), kind="stable")[:n],
        lambda r, S, n, t: np.argsort(-(t * r - (1 - t) * S.mean(axis=0)), kind="stable")[:n],
        lists_of(lambda value, chosen: value.argmax()),
        lists_of(lambda value, chosen: np.where(np.isin(np.arange(len(value)), chosen), np.inf, value).argmin()),
        lists_of(lambda value, chosen: np.delete(value, chosen).argmax()),
        lambda r, S, n, t: lists_of(lambda v, c: np.where(np.isin(np.arange(len(v)), c), -np.inf, v).argmax())(
            r, S, n, t
        )[::-1],
    ],
    "4.4": [
        lambda R, u, i: R[u] * (R.T @ R[:, i]),
        lambda R, u, i: block(R)[u] @ (block(R).T @ block(R)[:, i]),
        lambda R, u, i: block(R)[u] * block(R)[:, i].sum(),
        lambda R, u, i: (block(R) @ block(R).T)[u] * block(R)[:, i],
        lambda R, u, i: (block(R) ** 2)[u] * ((block(R) ** 2).T @ (block(R) ** 2)[:, i]),
        lambda R, u, i: block(R)[u] * (R.T @ R[:, i]),
    ],
    "4b.1": [
        lambda R, T, w: np.block([[np.zeros((len(R),) * 2), R], [R.T, w * T @ T.T]]),
        lambda R, T, w: np.block(
            [[0 * R @ R.T, R, 0 * R @ T], [R.T, 0 * T @ T.T, T], [0 * (R @ T).T, T.T, 0 * T.T @ T]]
        ),
        lambda R, T, w: np.block(
            [[0 * R @ R.T, R, 0 * R @ T], [0 * R.T, 0 * T @ T.T, w * T], [0 * (R @ T).T, 0 * T.T, 0 * T.T @ T]]
        ),
        lambda R, T, w: (
            w * np.block([[0 * R @ R.T, R, 0 * R @ T], [R.T, 0 * T @ T.T, T], [0 * (R @ T).T, T.T, 0 * T.T @ T]])
        ),
        lambda R, T, w: np.block(
            [[0 * R @ R.T, R, R @ T], [R.T, 0 * T @ T.T, w * T], [(R @ T).T, w * T.T, 0 * T.T @ T]]
        ),
    ],
    "4b.2": [
        lambda A, B, tau: np.mean(logsumexp(A @ B.T / tau, axis=1) - np.diag(A @ B.T / tau)),
        lambda A, B, tau: np.sum(logsumexp(unit(A) @ unit(B).T / tau, axis=1) - np.diag(unit(A) @ unit(B).T / tau)),
        lambda A, B, tau: np.mean(np.diag(unit(A) @ unit(B).T / tau) - logsumexp(unit(A) @ unit(B).T / tau, axis=1)),
        lambda A, B, tau: np.mean(logsumexp(unit(A) @ unit(B).T / tau, axis=0) - np.diag(unit(A) @ unit(B).T / tau)),
        lambda A, B, tau: np.mean(logsumexp(unit(A) @ unit(B).T * tau, axis=1) - np.diag(unit(A) @ unit(B).T * tau)),
        lambda A, B, tau: logsumexp(unit(A) @ unit(B).T / tau, axis=1) - np.diag(unit(A) @ unit(B).T / tau),
        lambda A, B, tau: np.mean(-np.diag(unit(A) @ unit(B).T / tau)),
    ],
    "4b.3": [
        lambda s, true, h: int((s > s[h]).sum() + 1),
        lambda s, true, h: int((s[~true] > s[h]).sum()),
        lambda s, true, h: int((s[~true] >= s[h]).sum()),
        lambda s, true, h: int((s[~true] < s[h]).sum() + 1),
        lambda s, true, h: int(np.argsort(-s)[h] + 1),
        lambda s, true, h: s[h],
    ],
    "5.1": [
        lambda c, n: c / n + np.sqrt(2 * np.log(n.sum()) / n),
        lambda c, n: np.nan_to_num(c / n + np.sqrt(2 * np.log(n.sum()) / n), posinf=0),
        lambda c, n: c / np.maximum(n, 1) + np.sqrt(2 * np.log(n.sum()) / np.maximum(n, 1)),
        lambda c, n: np.where(n > 0, c / np.maximum(n, 1) + np.sqrt(np.log(n.sum()) / np.maximum(n, 1)), np.inf),
        lambda c, n: np.where(n > 0, c / np.maximum(n, 1) + 2 * np.log(n.sum()) / np.maximum(n, 1), np.inf),
        lambda c, n: (c / np.maximum(n, 1)).argmax(),
        lambda c, n: c / (n + 1e-9) + np.sqrt(2 * np.log(n.sum()) / (n + 1e-9)),
    ],
    "5.2": [
        lambda r, q, e, g: r + g * q.max(axis=1),
        lambda r, q, e, g: r + g * q.max(axis=1) * e,
        lambda r, q, e, g: (r + g * q.max(axis=1)) * (1 - e),
        lambda r, q, e, g: r + g * q.max() * (1 - e),
        lambda r, q, e, g: r + g * q.mean(axis=1) * (1 - e),
        lambda r, q, e, g: r + q.max(axis=1) * (1 - e),
        lambda r, q, e, g: r[:, None] + g * q * (1 - e)[:, None],
    ],
    "5.3": [
        lambda r, i, p, f, e, k: np.mean(r * (i == f) / p),
        lambda r, i, p, f, e, k: np.mean(r * np.where(i == f, 1 - e, e) / p),
        lambda r, i, p, f, e, k: np.mean(r * np.where(i == f, 1 - e, e / (k - 1)) / p),
        lambda r, i, p, f, e, k: np.mean(r * np.where(i == f, 1 - e, e / k) / p),
        lambda r, i, p, f, e, k: np.mean(r),
        lambda r, i, p, f, e, k: np.mean(r * p / greedy(i, f, e, k)),
        lambda r, i, p, f, e, k: np.sum(r * greedy(i, f, e, k) / p),
        lambda r, i, p, f, e, k: r * greedy(i, f, e, k) / p,
        lambda r, i, p, f, e, k: np.average(r, weights=greedy(i, f, e, k) / p + 1e-12),
    ],
    "5.4": [
        lambda p, s: np.ceil(1.96**2 * (1 - p) / (p * s**2)),
        lambda p, s: 1.96**2 * p * (1 - p) / s**2,
        lambda p, s: 1.96 * (1 - p) / (p * s**2),
        lambda p, s: 4 * (1 - p) / (p * s**2),
        lambda p, s: np.sqrt(1.96**2 * (1 - p) / (p * s**2)),
    ],
    "5b.1": [
        lambda A, x, w: A - np.outer(A @ x, A @ x) / (1 + x @ A @ x),
        lambda A, x, w: A - w * np.outer(A @ x, A @ x) / (1 + x @ A @ x),
        lambda A, x, w: A + w * np.outer(A @ x, A @ x) / (1 + w * x @ A @ x),
        lambda A, x, w: A - w * (x @ A @ x) / (1 + w * x @ A @ x),
        lambda A, x, w: A - w * np.outer(A @ x, A @ x) / (w * x @ A @ x),
        lambda A, x, w: np.linalg.inv(A + w * np.outer(x, x)),
        lambda A, x, w: A + w * np.outer(x, x),
    ],
    "5b.2": [
        lambda f, s, A, w: w * np.sqrt([np.kron(j, f) @ A @ np.kron(j, f) for j in s]),
        lambda f, s, A, w: w * np.array([np.kron(f, j) @ A @ np.kron(f, j) for j in s]),
        lambda f, s, A, w: np.sqrt([w * np.kron(f, j) @ A @ np.kron(f, j) for j in s]),
        lambda f, s, A, w: np.sqrt([np.kron(f, j) @ A @ np.kron(f, j) for j in s]),
        lambda f, s, A, w: w * np.sqrt([np.kron(f, j) @ np.kron(f, j) for j in s]),
        lambda f, s, A, w: w * np.sqrt(np.kron(f, s) @ A @ np.kron(f, s).T),
        lambda f, s, A, w: w * np.sqrt(s @ A @ s.T),
    ],
    "5b.3": [
        lambda c, p, T: explored(c, len(p), T),
        lambda c, p, T: explored(c, len(p), T) * p.max(),
        lambda c, p, T: explored(c, len(p), T - 1) * (p.max() - p.mean()),
        lambda c, p, T: (c * len(p) / np.arange(1, T + 1)).sum() * (p.max() - p.mean()),
        lambda c, p, T: explored(c, len(p), T) * (p.max() - p).sum() / (len(p) - 1),
        lambda c, p, T: explored(c, len(p), T) * (p.max() - p.min()),
        lambda c, p, T: explored(c, len(p), T) * (p.max() - np.median(p)),
    ],
    "5b.4": [
        slope(lambda q, b: (b - q) / kl(b, q)),
        slope(lambda q, b: 1 / kl(q, b)),
        slope(lambda q, b: (b - q) / rel_entr(q, b)),
        slope(lambda q, b: (b - q) / kl(q, b) * np.log(2)),
        lambda p: np.sum((p.max() - p) / kl(p, p.max())),
        lambda p: float((p.max() - p[p < p.max()]).sum() / kl(p[p < p.max()], p.max()).sum()),
        lambda p: (p.max() - p[p < p.max()]) / kl(p[p < p.max()], p.max()),
    ],
    "5c.1": [
        lambda r, q, f, c, e, g: r + g * f[np.arange(len(r)), q.argmax(axis=1)] * ~e,
        lambda r, q, f, c, e, g: r + g * f[np.arange(len(r)), (q * c).argmax(axis=1)] * ~e,
        lambda r, q, f, c, e, g: r + g * np.where(c, f, -np.inf).max(axis=1) * ~e,
        lambda r, q, f, c, e, g: r + g * np.where(e, 0, np.where(c, q, -np.inf).max(axis=1)),
        lambda r, q, f, c, e, g: r + g * f[np.arange(len(r)), np.where(c, q, -np.inf).argmax(axis=1)],
        lambda r, q, f, c, e, g: r + g * q[np.arange(len(r)), np.where(c, f, -np.inf).argmax(axis=1)] * ~e,
        lambda r, q, f, c, e, g: r + g * (f * c).max(axis=1) * ~e,
    ],
    "5c.2": [
        lambda x: np.array([((x >= p).all(axis=1) & (x > p).any(axis=1)).any() for p in x]),
        lambda x: np.array([((x <= p).all(axis=1) & (x < p).any(axis=1)).sum() for p in x]),
        lambda x: np.array([(x > p).all(axis=1).sum() for p in x]),
        lambda x: np.array([(x >= p).all(axis=1).sum() for p in x]),
        lambda x: np.array([(x >= p).all(axis=1).sum() - 1 for p in x]),
        lambda x: ((x[:, None] >= x).all(axis=2) & (x[:, None] > x).any(axis=2)).sum(axis=1),
        lambda x: ((x[:, None] >= x).all(axis=2) & (x[:, None] > x).any(axis=2)).sum(),
    ],
    "5c.3": [
        lambda f, w, t, k: (1 - t) * f + t * w,
        lambda f, w, t, k: (1 - k * t) * f + k * t * w,
        lambda f, w, t, k: (1 - t) ** k * f + t**k * w,
        lambda f, w, t, k: t**k * f + (1 - t**k) * w,
        lambda f, w, t, k: f + k * t * (w - f),
        lambda f, w, t, k: (1 - (1 - t) ** k) * f + (1 - t) ** k * w,
    ],
    "5c.4": [
        lambda r, g: r @ g ** np.arange(r.shape[1]),
        lambda r, g: (r * g ** np.arange(r.shape[1])).cumsum(axis=1),
        lambda r, g: (r * g ** np.arange(r.shape[1]))[:, ::-1].cumsum(axis=1)[:, ::-1],
        lambda r, g: r[:, ::-1].cumsum(axis=1)[:, ::-1],
        lambda r, g: r * g ** np.arange(r.shape[1]),
        lambda r, g: np.stack([(r[:, t:] @ g ** np.arange(r.shape[1] - t)) for t in range(r.shape[1])]),
    ],
}
