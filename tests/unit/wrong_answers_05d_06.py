"""Wrong answers to the exercises of lessons 05d to 06c, as students write them: {label: functions}."""

import numpy as np


def of(table, item):
    return table[np.arange(len(item)), item]


def ess(w):
    return w.sum() ** 2 / (w**2).sum()


def tau_of(w, share):
    return min(tau for tau in w if w[w > tau].sum() <= share * w.sum())


def slope_of(x, y):
    return np.cov(x, y)[0, 1] / np.var(x, ddof=1)


def adjusted(theta, centre=lambda known: known.mean(), new=None):
    """CUPED with another θ(x, y) of the users with a past, another centre, another value for users without one."""

    def wrong(y, x):
        known = ~np.isnan(x)
        found = y - theta(x[known], y[known]) * (np.where(known, x, 0) - centre(x[known]))
        return np.where(known, found, y if new is None else new(y))

    return wrong


def ratio(value):
    def wrong(c, v):
        r, s = c.sum() / v.sum(), np.cov(c, v)
        return value(c, v, r, s)

    return wrong


def each(value, of=np.mean):
    """Of users with a relevant item."""
    return lambda h, n: of([value(hits, m) for hits, m in zip(h, n, strict=True) if m])


def discount(k, first=2):
    return 1 / np.log2(np.arange(first, k + first))


def sorted_p(scaled):
    def wrong(p):
        order = np.argsort(p)
        out = np.empty(len(p))
        out[order] = scaled(p[order], len(p), np.arange(1, len(p) + 1))
        return out

    return wrong


WRONG = {
    "5d.1": [
        lambda r, a, p, pi, q: np.mean((pi * q).sum(axis=1)),
        lambda r, a, p, pi, q: np.mean(r * of(pi, a) / p),
        lambda r, a, p, pi, q: np.mean(q.mean(axis=1) + of(pi, a) / p * (r - of(q, a))),
        lambda r, a, p, pi, q: np.mean((pi * q).sum(axis=1) + (r - of(q, a)) / p),
        lambda r, a, p, pi, q: np.mean((pi * q).sum(axis=1) + of(pi, a) / p * (of(q, a) - r)),
        lambda r, a, p, pi, q: np.sum((pi * q).sum(axis=1) + of(pi, a) / p * (r - of(q, a))),
        lambda r, a, p, pi, q: (pi * q).sum(axis=1) + of(pi, a) / p * (r - of(q, a)),
        lambda r, a, p, pi, q: np.mean((pi * q) + (of(pi, a) / p * (r - of(q, a)))[:, None]),
    ],
    "5d.2": [
        lambda w, share: np.where(w <= share, w, 0),
        lambda w, share: np.where(w <= np.quantile(w, 1 - share), w, 0),
        lambda w, share: np.minimum(w, tau_of(w, share)),
        lambda w, share: np.where(w < tau_of(w, share), w, 0),
        lambda w, share: w * (w > tau_of(w, share)),
        lambda w, share: w <= tau_of(w, share),
        lambda w, share: np.where(w <= tau_of(w, 1 - share), w, 0),
        lambda w, share: w[w <= tau_of(w, share)],
    ],
    "5d.3": [
        lambda w, lam: np.array([ess(w), ess(np.minimum(w, lam)), np.minimum(w, lam).sum() / w.sum()]),
        lambda w, lam: np.array([ess(w), ess(np.minimum(w, lam)), (w > lam).mean()]),
        lambda w, lam: np.array([ess(w), ess(w * (w <= lam)), w[w > lam].sum() / w.sum()]),
        lambda w, lam: np.array([ess(w), ess(np.minimum(w, lam)), w.sum() - np.minimum(w, lam).sum()]),
        lambda w, lam: np.array([ess(np.minimum(w, lam)), ess(w), 1 - np.minimum(w, lam).sum() / w.sum()]),
        lambda w, lam: np.array([ess(w), ess(np.minimum(w, lam))]),
    ],
    "5d.4": [
        lambda p, q, pi_0, pi, lam: p @ (pi_0 * np.minimum(pi / pi_0, lam) * q).sum(axis=1),
        lambda p, q, pi_0, pi, lam: p @ ((pi - pi_0 * np.minimum(pi / pi_0, lam)) * q).sum(axis=1),
        lambda p, q, pi_0, pi, lam: p @ ((np.minimum(pi / pi_0, lam) - pi) * q).sum(axis=1),
        lambda p, q, pi_0, pi, lam: p @ ((pi * np.minimum(pi / pi_0, lam) - pi) * q).sum(axis=1),
        lambda p, q, pi_0, pi, lam: np.mean(((pi_0 * np.minimum(pi / pi_0, lam) - pi) * q).sum(axis=1)),
        lambda p, q, pi_0, pi, lam: ((pi_0 * np.minimum(pi / pi_0, lam) - pi) * q).sum(axis=1),
        lambda p, q, pi_0, pi, lam: ((pi_0 * np.minimum(pi / pi_0, lam) - pi) * q).sum(),
    ],
    "5e.1": [
        lambda sd, d, s: 2 * 2.8**2 * sd**2 / d**2,
        lambda sd, d, s: 4 * 2.8**2 * sd**2 / d**2,
        lambda sd, d, s: 2.8**2 * sd**2 / d**2 / s,
        lambda sd, d, s: np.ceil(2.8**2 * sd**2 / d**2 / (s * (1 - s))),
        lambda sd, d, s: 2.8 * sd**2 / d**2 / (s * (1 - s)),
        lambda sd, d, s: 2 * 2.8**2 * sd**2 / d**2 / (s * (1 - s)),
        lambda sd, d, s: 2.8**2 * sd**2 / d / (s * (1 - s)),
    ],
    "5e.2": [
        lambda y, x: y - np.cov(x, y)[0, 1] / np.var(x, ddof=1) * (x - x.mean()),
        lambda y, x: y - slope_of(np.nan_to_num(x), y) * (np.nan_to_num(x) - np.nan_to_num(x).mean()),
        adjusted(slope_of, centre=lambda known: 0),
        adjusted(lambda x, y: np.cov(x, y)[0, 1] / np.var(x)),
        adjusted(lambda x, y: np.corrcoef(x, y)[0, 1]),
        adjusted(slope_of, new=lambda y: 0),
        adjusted(slope_of, new=lambda y: np.nan),
        adjusted(lambda x, y: -slope_of(x, y)),
        lambda y, x: (adjusted(slope_of)(y, x))[~np.isnan(x)],
    ],
    "5e.3": [
        ratio(lambda c, v, r, s: r * (1 - r) / v.sum()),
        ratio(lambda c, v, r, s: (s[0, 0] - 2 * r * s[0, 1] + r**2 * s[1, 1]) / v.mean() ** 2),
        ratio(lambda c, v, r, s: (s[0, 0] + r**2 * s[1, 1]) / len(v) / v.mean() ** 2),
        ratio(lambda c, v, r, s: (s[0, 0] - 2 * r * s[0, 1] + r**2 * s[1, 1]) / len(v) / v.mean()),
        ratio(lambda c, v, r, s: (c / v).var(ddof=1) / len(v)),
        ratio(lambda c, v, r, s: (c.var() - 2 * r * s[0, 1] + r**2 * v.var()) / len(v) / v.mean() ** 2),
        ratio(lambda c, v, r, s: (s[0, 0] - 2 * r * s[0, 1] + r * s[1, 1]) / len(v) / v.mean() ** 2),
    ],
    "5e.4": [
        lambda r: np.minimum(1, 1 / r),
        lambda r: 1 / np.maximum.accumulate(r),
        lambda r: np.minimum(1, np.maximum.accumulate(r)),
        lambda r: np.minimum(1, 1 / r.max()),
        lambda r: np.maximum.accumulate(np.minimum(1, 1 / r)),
        lambda r: np.minimum(1, 1 / r.cumprod()),
        lambda r: np.minimum.accumulate(1 / r),
    ],
    "6.1": [
        each(lambda h, n: (h * discount(len(h))).sum() / discount(max(h.sum(), 1)).sum()),
        each(lambda h, n: (h * discount(len(h))).sum() / discount(n).sum()),
        each(lambda h, n: (h * discount(len(h))).sum() / discount(len(h)).sum()),
        each(lambda h, n: (h * discount(len(h))).sum()),
        each(lambda h, n: (h * discount(len(h), 1)).sum() / discount(min(n, len(h)), 1).sum()),
        each(lambda h, n: h.sum() / n),
        each(lambda h, n: (h * discount(len(h))).sum() / discount(min(n, len(h))).sum(), of=np.array),
        each(lambda h, n: (h * discount(len(h))).sum() / discount(min(n, len(h))).sum(), of=np.sum),
        lambda h, n: (h @ discount(h.shape[1]) / [discount(min(m, h.shape[1])).sum() for m in n]).mean(),
        lambda h, n: (h @ discount(h.shape[1])).sum() / sum(discount(min(m, h.shape[1])).sum() for m in n),
    ],
    "6.2": [
        lambda d, s: ((s * d).mean(axis=1) >= d.mean()).mean(),
        lambda d, s: (np.abs((s * d).mean(axis=1)) > abs(d.mean())).mean(),
        lambda d, s: (np.abs(s * d).mean(axis=1) >= abs(d.mean())).mean(),
        lambda d, s: ((np.abs((s * d).mean(axis=1)) >= abs(d.mean())).sum() + 1) / (len(s) + 1),
        lambda d, s: (np.abs((s * d).mean(axis=1)) < abs(d.mean())).mean(),
        lambda d, s: (np.abs((s * d).sum(axis=1)) >= abs(d.mean())).mean(),
        lambda d, s: (np.abs((s * d).mean(axis=1)) >= abs(d.mean())).sum(),
        lambda d, s: (np.abs((s * d).mean(axis=0)) >= abs(d.mean())).mean(),
    ],
    "6.3": [
        lambda n, i, s, r: n / i,
        lambda n, i, s, r: r / (i - s),
        lambda n, i, s, r: n * r / (i - s),
        lambda n, i, s, r: n * r / (i - s) / n,
        lambda n, i, s, r: n / (i - s - r),
        lambda n, i, s, r: 1 - (1 - r / (i - s)) ** n,
        lambda n, i, s, r: min(n, r) / (i - s),
    ],
    "6.4": [
        lambda p: np.minimum(p * len(p), 1),
        lambda p: p * len(p),
        lambda p: np.minimum.accumulate((np.sort(p) * len(p) / np.arange(1, len(p) + 1))[::-1])[::-1],
        lambda p: np.minimum.accumulate((np.sort(p) * len(p) / np.arange(1, len(p) + 1))[::-1])[::-1][np.argsort(p)],
        sorted_p(lambda p, m, k: p * m / k),
        sorted_p(lambda p, m, k: np.minimum.accumulate(p * m / k)),
        sorted_p(lambda p, m, k: np.maximum.accumulate(p * m / k)),
        sorted_p(lambda p, m, k: np.minimum.accumulate((p * k / m)[::-1])[::-1]),
        sorted_p(lambda p, m, k: np.minimum.accumulate((p * m / k)[::-1])),
        lambda p: p * len(p) / np.arange(1, len(p) + 1),
    ],
    "6b.1": [
        lambda D, t, p: np.linalg.solve(D.T @ D + p, D.T @ t),
        lambda D, t, p: np.linalg.solve(D.T @ D + np.eye(len(p)), D.T @ t),
        lambda D, t, p: np.linalg.solve(D.T @ D / len(D) + np.diag(p), D.T @ t / len(D)),
        lambda D, t, p: np.linalg.lstsq(D, t)[0],
        lambda D, t, p: (D.T @ D + np.diag(p)) @ D.T @ t,
        lambda D, t, p: D.T @ t / (np.diag(D.T @ D) + p),
        lambda D, t, p: np.linalg.solve(D @ D.T + np.eye(len(D)), t),
    ],
    "6b.2": [
        lambda x, V: ((x @ V) ** 2).sum() / 2,
        lambda x, V: ((x @ V) ** 2 - x**2 @ V**2).sum(),
        lambda x, V: ((x @ V) ** 2 - x @ V**2).sum() / 2,
        lambda x, V: (V.sum(axis=0) ** 2 - (V**2).sum(axis=0)).sum() / 2,
        lambda x, V: ((x @ V) ** 2 - x**2 @ V**2) / 2,
        lambda x, V: ((x @ V).sum() ** 2 - (x**2 @ V**2).sum()) / 2,
        lambda x, V: (x @ V).sum(),
    ],
    "6b.3": [
        lambda d, v: np.sqrt(d.var(axis=0, ddof=1) + v.mean(axis=0)),
        lambda d, v: d.std(axis=0) + np.sqrt(v.mean(axis=0)),
        lambda d, v: d.std(axis=0),
        lambda d, v: d.var(axis=0) + v.mean(axis=0),
        lambda d, v: np.sqrt(d.var(axis=1) + v.mean(axis=1)),
        lambda d, v: np.sqrt(d.var() + v.mean()),
        lambda d, v: np.sqrt(d.var(axis=0) + (v**2).mean(axis=0)),
        lambda d, v: np.sqrt((d.var(axis=0) + v.mean(axis=0)) / len(d)),
    ],
    "6c.1": [
        lambda valid, test: test.max(),
        lambda valid, test: valid.max(),
        lambda valid, test: test.mean(),
        lambda valid, test: valid[test.argmax()],
        lambda valid, test: valid.argmax(),
        lambda valid, test: test[valid.argmin()],
        lambda valid, test: test,
    ],
    "6c.2": [
        lambda a, b: np.array([(b - a).mean(), (b - a).std(ddof=1) / np.sqrt(len(a))]),
        lambda a, b: np.array([(a - b).mean(), (a - b).std() / np.sqrt(len(a))]),
        lambda a, b: np.array([(a - b).mean(), (a - b).std(ddof=1)]),
        lambda a, b: np.array([(a - b).mean(), np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / len(a))]),
        lambda a, b: np.array([(a - b).mean(), (a - b).var(ddof=1) / len(a)]),
        lambda a, b: np.array([np.abs(a - b).mean(), (a - b).std(ddof=1) / np.sqrt(len(a))]),
        lambda a, b: (a - b).mean(),
    ],
    "6c.3": [
        lambda hits: np.array([np.mean([u.mean() for u in hits])] * 2),
        lambda hits: np.mean([u.mean() for u in hits]),
        lambda hits: np.array([min(u.mean() for u in hits), max(u.mean() for u in hits)]),
        lambda hits: np.array([np.mean([u[0] for u in hits]), np.mean([u[-1] for u in hits])]),
        lambda hits: np.array([np.mean([u.max() for u in hits]), np.mean([u.min() for u in hits])]),
        lambda hits: np.array([sum(u.min() for u in hits), sum(u.max() for u in hits)]),
        lambda hits: np.array([np.concatenate(hits).min(), np.concatenate(hits).max()]),
        lambda hits: np.array([sum(u.min() for u in hits), sum(u.max() for u in hits)]) / sum(map(len, hits)),
    ],
}
