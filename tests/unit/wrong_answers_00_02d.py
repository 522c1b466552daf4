"""Wrong answers to the exercises of lessons 00 to 02d, as students write them: {label: functions, or values}."""

import math
import re

import numpy as np
import torch
from scipy.special import log_softmax, softmax


def key_of(title, at_end=r"^(.*), (the|a|an)$", moved=r"\2 \1", gone="'", kept="a-z0-9"):
    return " ".join(re.findall(f"[{kept}]+", re.sub(f"[{gone}]", "", re.sub(at_end, moved, title.lower()))))


def split_at_comma(title):
    first, last = title.lower().split(", ")
    return key_of(f"{last} {first}")


def cut_at(time, place):
    return np.sort(time)[int(place)]


def means_of(train_user, train_rating, users):
    """Each user's mean in train, NaN without one."""
    with np.errstate(all="ignore"):
        return np.array([train_rating[train_user == user].sum() / (train_user == user).sum() for user in users])


def by_bincount(train_user, train_rating, user, rating):
    return rating - (np.bincount(train_user, train_rating) / np.maximum(np.bincount(train_user), 1))[user]


def per_class(labels, n_classes, weight, missing=0.0):
    counts = np.bincount(labels, minlength=n_classes)
    return np.where(counts > 0, weight(np.maximum(counts, 1)), missing)


def lines(up, down):
    def wrong(S, w):
        s = np.arange(S)
        return np.where(s < w, up(s, S, w), down(s, S, w))

    return wrong


def ranks(budget_of_one):
    return lambda L, m, i, o, n: np.minimum(n // budget_of_one(L, m, i, o), min(i, o))


def place_of(scores):
    """1 for the largest, NaN last."""
    return 1 + np.argsort(np.argsort(-scores))


def fused(part):
    return lambda a, b, k: part(a, k) + part(b, k)


def drawn(n, r, k, i):
    return math.comb(r, i) * math.comb(n - r, k - i) / math.comb(n, k)


def nce(E, partner, left_out, tau, aggregate=np.mean):
    S, rows = E @ E.T / tau, np.arange(len(E))
    return float(aggregate(np.log((np.exp(S) * ~left_out).sum(axis=1)) - S[rows, partner]))


def itself(E):
    return np.eye(len(E), dtype=bool)


def strangers(E, partner, alike):
    """What is left out by the letter: oneself and those that are alike, but for the partner."""
    found = alike | itself(E)
    found[np.arange(len(E)), partner] = False
    return found


def sizes(n, piece):
    return np.diff(np.append(np.arange(0, n, piece), n))


def true_class(after, y):
    return after[np.arange(len(y)), :, y]


def chosen(order=lambda sure: -sure, at_least=np.greater_equal, places=lambda rows: np.sort(rows)):
    """Pseudo-labels with another order within a class, another comparison, another order of what is chosen."""

    def wrong(P, threshold, most):
        sure, label = P.max(axis=1), P.argmax(axis=1)
        of_class = [np.flatnonzero((label == c) & at_least(sure, threshold)) for c in range(P.shape[1])]
        rows = places(np.concatenate([rows[np.argsort(order(sure[rows]), kind="stable")[:most]] for rows in of_class]))
        return rows, label[rows]

    return wrong


right_rows = chosen()


def eight_bits(scale, rounded=np.round, back=True):
    def wrong(W):
        s = scale(W)
        s = np.where(s == 0, 1, s)
        return rounded(W / s) * (s if back else 1)

    return wrong


def largest(W):
    return np.abs(W).max(axis=1, keepdims=True)


def distilled(student, teacher, T):
    return -(softmax(teacher / T, axis=1) * log_softmax(student / T, axis=1)).sum(axis=1)


WRONG = {
    "0.1": [
        lambda r, m, n: r / (m * n) * 100,
        lambda r, m, n: 1 - r / (m * n),
        lambda r, m, n: r / (m + n),
        lambda r, m, n: r // (m * n),
        lambda r, m, n: r / m,
        lambda r, m, n: r / m * n,
        lambda r, m, n: round(r / (m * n), 2),
        lambda r, m, n: m * n / r,
        lambda r, m, n: 100_000 / (943 * 1682),
    ],
    "0.2": [
        lambda items, n: np.argsort(np.bincount(items))[:n],
        lambda items, n: np.argsort(np.bincount(items))[-n:],
        lambda items, n: np.sort(np.bincount(items))[::-1][:n],
        lambda items, n: np.argsort(-np.unique(items, return_counts=True)[1])[:n],
        lambda items, n: np.unique(items)[:n],
        lambda items, n: items[:n],
        lambda items, n: np.sort(items)[::-1][:n],
        lambda items, n: np.bincount(items)[:n],
        lambda items, n: np.bincount(items).argmax(),
        lambda items, n: np.argsort(-np.bincount(items))[: n - 1],
        lambda items, n: np.argsort(-np.bincount(items)),
        lambda items, n: np.array([3, 1]),
    ],
    "0.3": [
        (1 / np.log2(2) + 1 / np.log2(5)) / (1 / np.log2(2) + 1 / np.log2(3) + 1 / np.log2(4)),
        1 / np.log2(3) + 1 / np.log2(6),
        (1 / np.log2(3) + 1 / np.log2(6)) / sum(1 / np.log2(k + 1) for k in range(1, 6)),
        (1 / np.log2(3) + 1 / np.log2(6)) / (1 / np.log2(2) + 1 / np.log2(3)),
        (1 / 2 + 1 / 5) / (1 + 1 / 2 + 1 / 3),
        (1 / np.log2(3) + 1 / np.log2(6)) / 3,
        (1 / np.log2(3) + 1 / np.log2(6)) / 2,
        (1 / np.log2(3) + 1 / np.log2(6)) / 5,
        (np.log2(3) + np.log2(6)) / (np.log2(2) + np.log2(3) + np.log2(4)),
        2 / 3,
        2 / 5,
        0.48,
        48.2,
    ],
    "1.1": [
        lambda t: t.lower(),
        lambda t: key_of(t, at_end="(^)($)"),
        lambda t: key_of(t, moved=r"\1"),
        lambda t: key_of(t, gone="#"),
        lambda t: key_of(t, gone="'.:!(),&/-"),
        lambda t: key_of(t, gone="'."),
        lambda t: key_of(t, at_end=r"^(.*), (the)$"),
        lambda t: key_of(t, at_end=r"^(.*?), (.*)$"),
        lambda t: key_of(t).replace(" ", ""),
        lambda t: re.sub("[^a-z0-9]", " ", key_of(t, kept="^#").replace("'", "")),
        lambda t: key_of(t).title(),
        lambda t: key_of(t).split(),
        split_at_comma,
        lambda t: "usual suspects the",
    ],
    "1.2": [
        lambda o, s: (s >= o).mean(),
        lambda o, s: (1 + (s > o).sum()) / (1 + len(s)),
        lambda o, s: (1 + (s <= o).sum()) / (1 + len(s)),
        lambda o, s: (1 + (s >= o).sum()) / len(s),
        lambda o, s: (s >= o).sum() / (1 + len(s)),
        lambda o, s: 1 + (s >= o).sum(),
        lambda o, s: (1 + (np.abs(s) >= abs(o)).sum()) / (1 + len(s)),
        lambda o, s: (s > o).mean(),
        lambda o, s: 1 - (1 + (s >= o).sum()) / (1 + len(s)),
        lambda o, s: (o - s.mean()) / s.std(),
        lambda o, s: (1 + (s >= s.mean()).sum()) / (1 + len(s)),
        lambda o, s: 0.05,
    ],
    "1.3": [
        lambda t, s: t >= cut_at(t, (1 - s) * (len(t) - 1)),
        lambda t, s: t > t[int((1 - s) * (len(t) - 1))],
        lambda t, s: t <= cut_at(t, (1 - s) * (len(t) - 1)),
        lambda t, s: t > cut_at(t, s * (len(t) - 1)),
        lambda t, s: np.sort(t) > cut_at(t, (1 - s) * (len(t) - 1)),
        lambda t, s: np.arange(len(t)) >= int((1 - s) * len(t)),
        lambda t, s: t[t > cut_at(t, (1 - s) * (len(t) - 1))],
        lambda t, s: np.flatnonzero(t > cut_at(t, (1 - s) * (len(t) - 1))),
        lambda t, s: t > t.min() + (1 - s) * (t.max() - t.min()),
        lambda t, s: np.isin(np.arange(len(t)), np.argsort(t, kind="stable")[int((1 - s) * (len(t) - 1)) + 1 :]),
    ],
    "1.4": [
        by_bincount,
        lambda tu, tr, u, r: r - means_of(tu, tr, u),
        lambda tu, tr, u, r: r - np.nan_to_num(means_of(tu, tr, u)),
        lambda tu, tr, u, r: r - np.where(np.isin(u, tu), means_of(tu, tr, u), r.mean()),
        lambda tu, tr, u, r: r - means_of(u, r, u),
        lambda tu, tr, u, r: r - means_of(np.append(tu, u), np.append(tr, r), u),
        lambda tu, tr, u, r: r - tr.mean(),
        lambda tu, tr, u, r: r - r.mean(),
        lambda tu, tr, u, r: np.where(np.isin(u, tu), means_of(tu, tr, u), tr.mean()),
        lambda tu, tr, u, r: np.where(np.isin(u, tu), means_of(tu, tr, u), tr.mean()) - r,
        lambda tu, tr, u, r: np.nan_to_num(r - means_of(tu, tr, u)),
        lambda tu, tr, u, r: np.where(np.isin(u, tu), r - means_of(tu, tr, u), tr.mean()),
        lambda tu, tr, u, r: tr - means_of(tu, tr, tu),
        lambda tu, tr, u, r: (r - means_of(tu, tr, u))[np.isin(u, tu)],
    ],
    "2.1": [
        lambda h, m: h.mean(1),
        lambda h, m: (h * m[..., None]).mean(1),
        lambda h, m: (h * m[..., None]).sum(1),
        lambda h, m: h[:, 0],
        lambda h, m: torch.stack([text[:n].mean(0) for text, n in zip(h, m.sum(1), strict=True)]),
        lambda h, m: h[m.bool()].mean(0),
        lambda h, m: (h * m[..., None]).sum(1) / m.sum(),
        lambda h, m: (h * m[..., None]).mean(2),
        lambda h, m: (h * m[..., None]).sum(0) / m.sum(0)[:, None].clamp(min=1),
        lambda h, m: (h * (1 - m)[..., None]).sum(1) / (1 - m).sum(1, keepdim=True),
        lambda h, m: (h * m).sum(1) / m.sum(1),
        lambda h, m: torch.stack([text[: n - 1].mean(0) for text, n in zip(h, m.sum(1), strict=True)]),
    ],
    "2.2": [
        lambda y, C: len(y) / (C * np.bincount(y, minlength=C)),
        lambda y, C: per_class(y, C, lambda n: len(y) / (C * n)),
        lambda y, C: per_class(y, C, lambda n: len(y) / n),
        lambda y, C: per_class(y, C, lambda n: 1 / n),
        lambda y, C: per_class(y, C, lambda n: len(y) / (len(np.unique(y)) * n), 1),
        lambda y, C: np.bincount(y, minlength=C) / len(y),
        lambda y, C: len(y) / (len(np.unique(y)) * np.unique(y, return_counts=True)[1]),
        lambda y, C: len(y) / (len(np.unique(y)) * np.maximum(np.bincount(y, minlength=C), 1)),
        lambda y, C: per_class(y, C, lambda n: len(y) / (len(np.unique(y)) * n)) / C,
        lambda y, C: (w := per_class(y, C, lambda n: 1 / n)) / w.sum(),
        lambda y, C: per_class(y, C, lambda n: np.sqrt(len(y) / (len(np.unique(y)) * n))),
        lambda y, C: per_class(y, C, lambda n: 1 - n / len(y)),
        lambda y, C: np.ones(C),
    ],
    "2.3": [
        lines(lambda s, S, w: s / w, lambda s, S, w: (S - s) / (S - w)),
        lines(lambda s, S, w: (s + 1) / w, lambda s, S, w: 1.0),
        lines(lambda s, S, w: (s + 1) / w, lambda s, S, w: (S - s) / S),
        lines(lambda s, S, w: (s + 1) / w, lambda s, S, w: (S - s - 1) / (S - w)),
        lines(lambda s, S, w: (s + 1) / w, lambda s, S, w: (s - w) / (S - w)),
        lines(lambda s, S, w: (s + 1) / w, lambda s, S, w: (S - s - 1) / (S - w - 1) if S - w > 1 else 0 * s),
        lines(lambda s, S, w: (s + 1) / w, lambda s, S, w: 1 - (s - w + 1) / (S - w)),
        lines(lambda s, S, w: (s + 1) / w, lambda s, S, w: 0.5 * (1 + np.cos(np.pi * (s - w) / (S - w)))),
        lines(lambda s, S, w: 1.0, lambda s, S, w: (S - s) / (S - w)),
        lines(lambda s, S, w: (s + 1) / S, lambda s, S, w: (S - s) / (S - w)),
        lambda S, w: 1 - np.arange(S) / S,
        lambda S, w: np.minimum((np.arange(S) + 1) / (w + 1), (S - np.arange(S)) / (S - w)),
        lambda S, w: np.ones(S),
    ],
    "2.4": [
        2 * 0.74 / 1.74,
        0.74,
        0.74 / 3,
        1 / 3,
        0.28,
        28.35,
        2 * 0.74 / 1.74 / 2,
        0.74 / 1.74 / 3,
        2 * 0.74 / 1.74 * 0.74,
    ],
    "2b.1": [
        ranks(lambda L, m, i, o: L * m * i * o),
        ranks(lambda L, m, i, o: L * m * i),
        ranks(lambda L, m, i, o: L * m * o),
        ranks(lambda L, m, i, o: i + o),
        ranks(lambda L, m, i, o: m * (i + o)),
        ranks(lambda L, m, i, o: L * (i + o)),
        ranks(lambda L, m, i, o: 2 * L * m * (i + o)),
        lambda L, m, i, o, n: n // (L * m * (i + o)),
        lambda L, m, i, o, n: np.minimum(n / (L * m * (i + o)), min(i, o)),
        lambda L, m, i, o, n: np.minimum(np.round(n / (L * m * (i + o))), min(i, o)),
        lambda L, m, i, o, n: np.minimum(np.ceil(n / (L * m * (i + o))), min(i, o)),
        lambda L, m, i, o, n: np.clip(n // (L * m * (i + o)), 1, min(i, o)),
        lambda L, m, i, o, n: np.minimum(n // (L * m * (i + o)), max(i, o)),
        lambda L, m, i, o, n: np.minimum(n.max() // (L * m * (i + o)), min(i, o)),
    ],
    "2b.2": [
        lambda a, b, k: 1 / (k + np.argsort(-a)) + 1 / (k + np.argsort(-b)),
        fused(lambda s, k: np.where(np.isnan(s), 0, 1 / (k + 1 + np.argsort(-s)))),
        fused(lambda s, k: 1 / (k + place_of(s))),
        fused(lambda s, k: np.where(np.isnan(s), 0, 1 / (k + place_of(s) - 1))),
        fused(lambda s, k: np.where(np.isnan(s), 0, 1 / (k + place_of(-s)))),
        fused(lambda s, k: np.where(np.isnan(s), np.nan, 1 / (k + place_of(s)))),
        fused(lambda s, k: np.where(np.isnan(s), 0, 1 / (k + place_of(np.nan_to_num(s))))),
        fused(lambda s, k: np.where(np.isnan(s), 0, 1 / (60 + place_of(s)))),
        fused(lambda s, k: np.where(np.isnan(s), 0, 1 / place_of(s))),
        fused(lambda s, k: np.where(np.isnan(s), 1 / k, 1 / (k + place_of(s)))),
        lambda a, b, k: np.nan_to_num(a) + np.nan_to_num(b),
        lambda a, b, k: 1 / (k + place_of(np.nan_to_num(a) + np.nan_to_num(b))),
        lambda a, b, k: 1 / (k + place_of(a) + place_of(b)),
    ],
    "2b.3": [
        lambda n, r, k, m: drawn(n, r, k, m),
        lambda n, r, k, m: 1 - sum(drawn(n, r, k, i) for i in range(m + 1)),
        lambda n, r, k, m: sum(drawn(n, r, k, i) for i in range(m)),
        lambda n, r, k, m: sum(drawn(n, r, k, i) for i in range(m + 1)),
        lambda n, r, k, m: 1 - sum(drawn(n, r, k, i) for i in range(1, m)),
        lambda n, r, k, m: 1 - drawn(n, r, k, m),
        lambda n, r, k, m: 1 - drawn(n, r, k, 0),
        lambda n, r, k, m: sum(drawn(n, r, k, i) for i in range(m, k)),
        lambda n, r, k, m: 1 - sum(math.comb(k, i) * (r / n) ** i * (1 - r / n) ** (k - i) for i in range(m)),
        lambda n, r, k, m: k * r / n,
        lambda n, r, k, m: 1 - (1 - r / n) ** k,
        lambda n, r, k, m: sum(math.comb(r, i) * math.comb(n - r, k - i) for i in range(m, k + 1)),
    ],
    "2c.1": [
        lambda d, f, t: np.bincount(f[d <= t], minlength=3),
        lambda d, f, t: np.bincount(f, minlength=3),
        lambda d, f, t: np.bincount(f[d > t], minlength=3),
        lambda d, f, t: np.bincount(f[d < t]),
        lambda d, f, t: np.bincount(f[d < t - 1], minlength=3),
        lambda d, f, t: np.bincount(f[:t], minlength=3),
        lambda d, f, t: np.bincount(f[d < t], minlength=3) / max((d < t).sum(), 1),
        lambda d, f, t: np.unique(f[d < t], return_counts=True)[1],
        lambda d, f, t: (d < t).sum(),
        lambda d, f, t: f[d < t],
        lambda d, f, t: np.array([1, 1, 0]),
    ],
    "2c.2": [
        lambda loss, n: np.exp(loss.mean()),
        lambda loss, n: np.exp(loss) @ n / n.sum(),
        lambda loss, n: np.exp(loss).mean(),
        lambda loss, n: loss @ n / n.sum(),
        lambda loss, n: np.exp(-loss @ n / n.sum()),
        lambda loss, n: 2 ** (loss @ n / n.sum()),
        lambda loss, n: np.exp(loss.sum() / n.sum()),
        lambda loss, n: np.exp(loss * n / n.sum()),
        lambda loss, n: np.log(loss @ n / n.sum()),
        lambda loss, n: -np.exp(loss @ n / n.sum()),
        lambda loss, n: np.exp(loss @ n),
        lambda loss, n: 10 ** (loss @ n / n.sum()),
    ],
    "2c.3": [
        lambda E, p, a, t: nce(E, p, strangers(E, p, a) & ~itself(E), t),
        lambda E, p, a, t: nce(E, p, itself(E), t),
        lambda E, p, a, t: nce(E, p, 0 * a > 0, t),
        lambda E, p, a, t: nce(E, p, a | itself(E), t),
        lambda E, p, a, t: nce(E, p, strangers(E, p, a), 1),
        lambda E, p, a, t: nce(E, p, strangers(E, p, a), 1 / t),
        lambda E, p, a, t: nce(E, p, strangers(E, p, a), t, np.sum),
        lambda E, p, a, t: -nce(E, p, strangers(E, p, a), t),
        lambda E, p, a, t: nce(E, p, strangers(E, p, a), t, lambda loss: np.exp(-loss).mean()),
        lambda E, p, a, t: np.mean(np.diag(-log_softmax(E @ E.T / t, axis=1))),
        lambda E, p, a, t: np.mean(
            -log_softmax(np.where(strangers(E, p, a), 0, E @ E.T / t), axis=1)[np.arange(len(E)), p]
        ),
        lambda E, p, a, t: np.mean(
            -log_softmax(np.where(strangers(E, p, a), -np.inf, E @ E.T / t), axis=0)[np.arange(len(E)), p]
        ),
        lambda E, p, a, t: nce(E, p, strangers(E, p, a) | (np.arange(len(E)) == p[:, None]), t),
        lambda E, p, a, t: -np.mean((E @ E.T / t)[np.arange(len(E)), p]),
    ],
    "2c.4": [
        lambda n, p: np.full(math.ceil(n / p), 1 / math.ceil(n / p)),
        lambda n, p: np.full(math.ceil(n / p), p / n),
        lambda n, p: np.full(n // p, p / n),
        lambda n, p: sizes(n, p),
        lambda n, p: sizes(n, p) / p,
        lambda n, p: 1 / sizes(n, p),
        lambda n, p: n / sizes(n, p),
        lambda n, p: np.full(n, 1 / n),
        lambda n, p: p / n,
        lambda n, p: sizes(n, p)[::-1] / n,
        lambda n, p: np.append(np.full(math.ceil(n / p) - 1, p / n), 1 / n),
    ],
    "2d.1": [
        lambda b, a, y: true_class(a, y).argmin(axis=1),
        lambda b, a, y: np.where(true_class(a, y).max(axis=1) > 0, true_class(a, y).argmax(axis=1), -1),
        lambda b, a, y: np.where((p := true_class(a, y)).min(axis=1) <= b[np.arange(len(y)), y], p.argmin(axis=1), -1),
        lambda b, a, y: np.where(
            (p := true_class(a, c := b.argmax(axis=1))).min(axis=1) < b.max(axis=1), p.argmin(axis=1), 0 * c - 1
        ),
        lambda b, a, y: np.where((a.argmax(axis=2) != y[:, None]).any(axis=1), true_class(a, y).argmin(axis=1), -1),
        lambda b, a, y: np.where(
            (a.argmax(axis=2) != y[:, None]).any(axis=1), (a.argmax(axis=2) != y[:, None]).argmax(axis=1), -1
        ),
        lambda b, a, y: np.where((p := true_class(a, y)).min(axis=1) < b[np.arange(len(y)), y], p.argmin(axis=1), 0),
        lambda b, a, y: np.where(
            (p := true_class(a, y) < b[np.arange(len(y)), y][:, None]).any(axis=1), p.argmax(axis=1), -1
        ),
        lambda b, a, y: true_class(a, y).min(axis=1),
        lambda b, a, y: a.min(axis=2).argmin(axis=1),
        lambda b, a, y: a[:, :, y].argmin(axis=1),
        lambda b, a, y: np.full(len(y), -1),
        lambda b, a, y: np.where(
            (p := true_class(a, y)).min(axis=1) < b[np.arange(len(y)), y], p.argmin(axis=1) + 1, 0
        ),
        lambda b, a, y: np.where((p := true_class(a, y)).min(axis=1) < b.max(axis=1), p.argmin(axis=1), -1),
    ],
    "2d.2": [
        chosen(at_least=np.greater),
        chosen(order=lambda sure: sure),
        chosen(order=lambda sure: np.arange(len(sure))),
        chosen(places=lambda rows: rows),
        lambda P, t, m: right_rows(P, t, len(P)),
        lambda P, t, m: right_rows(P, t, m + 1),
        lambda P, t, m: right_rows(P, 0, m),
        lambda P, t, m: right_rows(P, t, m)[0],
        lambda P, t, m: right_rows(P, t, m)[::-1],
        lambda P, t, m: (right_rows(P, t, m)[0], P.argmax(axis=1)),
        lambda P, t, m: (right_rows(P, t, m)[0], P.max(axis=1)[right_rows(P, t, m)[0]]),
        lambda P, t, m: (P.max(axis=1) >= t, P.argmax(axis=1)),
        lambda P, t, m: ((r := np.flatnonzero(P.max(axis=1) >= t)[:m]), P.argmax(axis=1)[r]),
        lambda P, t, m: np.nonzero(t <= P),
    ],
    "2d.3": [
        eight_bits(lambda W: np.abs(W).max() / 127),
        eight_bits(lambda W: np.abs(W).max(axis=0, keepdims=True) / 127),
        eight_bits(lambda W: W.max(axis=1, keepdims=True) / 127),
        eight_bits(lambda W: largest(W) / 128),
        eight_bits(lambda W: largest(W) / 255),
        eight_bits(lambda W: largest(W) / 256),
        eight_bits(lambda W: largest(W)),
        eight_bits(lambda W: largest(W) / 127, np.floor),
        eight_bits(lambda W: largest(W) / 127, np.trunc),
        eight_bits(lambda W: largest(W) / 127, back=False),
        eight_bits(lambda W: (W.max(axis=1, keepdims=True) - W.min(axis=1, keepdims=True)) / 255),
        lambda W: np.round(W / (largest(W) / 127)) * (largest(W) / 127),
        lambda W: largest(W) / 127,
        lambda W: np.round(W, 2),
        lambda W: W,
    ],
    "2d.4": [
        lambda z, t, T: distilled(z, t, T).mean(),
        lambda z, t, T: T * distilled(z, t, T).mean(),
        lambda z, t, T: T**2 * distilled(t, z, T).mean(),
        lambda z, t, T: T**2 * distilled(z, t, 1).mean(),
        lambda z, t, T: T**2 * distilled(z * T, t, T).mean(),
        lambda z, t, T: T**2 * distilled(z, t * T, T).mean(),
        lambda z, t, T: T**2 * distilled(z, t, T).sum(),
        lambda z, t, T: T**2 * distilled(z, t, T),
        lambda z, t, T: -(T**2) * distilled(z, t, T).mean(),
        lambda z, t, T: T**2 * distilled(z, t, T).mean() / z.shape[1],
        lambda z, t, T: T**2 * (distilled(z, t, T) - distilled(t, t, T)).mean(),
        lambda z, t, T: T**2 * distilled(z, t, 1 / T).mean(),
        lambda z, t, T: -(T**2) * log_softmax(z / T, axis=1)[np.arange(len(z)), t.argmax(axis=1)].mean(),
        lambda z, t, T: -(T**2) * (softmax(t / T, axis=0) * log_softmax(z / T, axis=0)).sum(axis=1).mean(),
        lambda z, t, T: ((z - t) ** 2).mean(),
        lambda z, t, T: -(T**2) * (t / T * log_softmax(z / T, axis=1)).sum(axis=1).mean(),
    ],
}
