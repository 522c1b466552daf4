"""Wrong answers to the exercises of lessons 00 to 02b, as students write them: {label: functions, or values}."""

import math
import re

import numpy as np
import torch


def title(change, article=r"^(.*), (the|a|an)$", last=" ".join):
    """A key in which ``change`` is made of the title in small letters with its article in front."""
    return lambda t: last(change(re.sub(article, r"\2 \1", t.lower().strip())).split())


def by_words(text):
    return re.sub("[^a-z0-9]+", " ", text.replace("'", ""))


def taken_off(mean_of):
    """Each test rating minus ``mean_of`` the user's training ratings, and of all of them."""

    def wrong(tu, tr, u, r):
        return np.array([x - mean_of(tr[tu == i], tr) for i, x in zip(u, r, strict=True)])

    return wrong


def by_table(tu, tr, u, r):
    """Means in a table as long as train's ids; whoever is beyond it gets the last one."""
    mean = np.bincount(tu, tr) / np.maximum(np.bincount(tu), 1)
    return r - mean[np.minimum(u, len(mean) - 1)]


def pooled(weight):
    def wrong(h, m):
        w = weight(m).to(h.dtype)[..., None]
        return (h * w).sum(1) / w.sum(1)

    return wrong


def weighed(value):
    """One weight a class from its counts, where they are not 0."""

    def wrong(y, C):
        n = np.bincount(y, minlength=C)
        return np.where(n > 0, value(len(y), np.maximum(n, 1), (n > 0).sum()), 0)

    return wrong


def line(up, down):
    def wrong(S, w):
        s = np.arange(S)
        return np.where(s < w, up(s, S, w), down(s, S, w))

    return wrong


def rank_of(numbers, round_=np.floor):
    def wrong(L, m, d_in, d_out, n):
        return np.minimum(round_(n / numbers(L, m, d_in, d_out)), min(d_in, d_out)).astype(int)

    return wrong


def place(s):
    return 1 + (s[None, :] > s[:, None]).sum(axis=1)


def fusion(part):
    return lambda a, b, k=60: part(a, k) + part(b, k)


def hits(n, r, k, i):
    return math.comb(r, i) * math.comb(n - r, k - i) / math.comb(n, k)


WRONG = {
    "0.1": [
        lambda r, m, n: r / (m + n),
        lambda r, m, n: r / m / m,
        lambda r, m, n: 100 * r / (m * n),
        lambda r, m, n: m * n / r,
        lambda r, m, n: 1 - r / m / n,
        lambda r, m, n: r // (m * n),
        lambda r, m, n: 0.06304669364224533,
    ],
    "0.2": [
        lambda x, n: np.sort(np.bincount(x))[::-1][:n],
        lambda x, n: np.argsort(np.bincount(x), kind="stable")[-n:],
        lambda x, n: np.argsort(np.bincount(x), kind="stable")[:n],
        lambda x, n: np.unique(x)[:n],
        lambda x, n: np.unique(x, return_counts=True)[1].argsort()[::-1][:n],
        lambda x, n: x[:n],
        lambda x, n: np.array([3, 1]),
    ],
    "0.3": [
        2 / 5,
        2 / 3,
        1 / np.log2(3) + 1 / np.log2(6),
        (1 / np.log2(3) + 1 / np.log2(6)) / 3,
        (1 / np.log2(2) + 1 / np.log2(5)) / (1 + 1 / np.log2(3) + 1 / 2),
        (1 / np.log(3) + 1 / np.log(6)) / (1 + 1 / np.log2(3) + 1 / 2),
        (1 / 2 + 1 / 5) / (1 + 1 / 2 + 1 / 3),
    ],
    "1.1": [
        lambda t: t.lower(),
        lambda t: " ".join(by_words(t.lower()).split()),
        title(lambda t: re.sub("[^a-z0-9 ]", "", t)),
        title(lambda t: re.sub("[^a-z0-9]+", " ", t)),
        lambda t: " ".join(re.findall("[A-Za-z0-9]+", re.sub("^(.*), (The|A|An)$", r"\2 \1", t).replace("'", ""))),
        title(lambda t: by_words(t.replace(".", ""))),
        title(lambda t: re.sub("[^a-z0-9 ]+", " ", t.replace("'", "")), last="_".join),
    ],
    "1.2": [
        lambda o, s: (s >= o).mean(),
        lambda o, s: (s > o).mean(),
        lambda o, s: (1 + (s > o).sum()) / (1 + len(s)),
        lambda o, s: (1 + (s >= o).sum()) / len(s),
        lambda o, s: (1 + (s <= o).sum()) / (1 + len(s)),
        lambda o, s: (1 + (np.abs(s) >= o).sum()) / (1 + len(s)),
        lambda o, s: 0.4,
    ],
    "1.3": [
        lambda t, s: t >= np.sort(t)[int((1 - s) * (len(t) - 1))],
        lambda t, s: t > t[int((1 - s) * (len(t) - 1))],
        lambda t, s: t > np.sort(t)[int(s * (len(t) - 1))],
        lambda t, s: t > np.quantile(t, s),
        lambda t, s: np.sort(t) > np.sort(t)[int((1 - s) * (len(t) - 1))],
        lambda t, s: (t > np.sort(t)[int((1 - s) * (len(t) - 1))]).sum(),
        lambda t, s: np.ones(len(t), dtype=bool),
    ],
    "1.4": [
        taken_off(lambda own, all_: all_.mean()),
        taken_off(lambda own, all_: own.sum() / max(len(own), 1)),
        taken_off(lambda own, all_: np.median(own) if len(own) else all_.mean()),
        lambda tu, tr, u, r: r - np.array([r[u == i].mean() for i in u]),
        by_table,
        lambda tu, tr, u, r: np.array([tr[tu == i].mean() if i in tu else tr.mean() for i in u]),
        lambda tu, tr, u, r: r - r.mean(),
        lambda tu, tr, u, r: np.zeros(len(u)),
    ],
    "2.1": [
        lambda h, m: h.mean(dim=1),
        lambda h, m: (h * m[..., None]).sum(dim=1),
        lambda h, m: (h * m[..., None]).mean(dim=1),
        lambda h, m: h[:, 0],
        pooled(lambda m: 1 - m),
        lambda h, m: (h * m[..., None]).sum(dim=1) / m.sum(),
        lambda h, m: torch.stack([x[: int(n)].mean(0) for x, n in zip(h, m.sum(1), strict=True)]),
        lambda h, m: (h * m[..., None]).sum(dim=(0, 1)) / m.sum(),
    ],
    "2.2": [
        weighed(lambda n, c, C: 1 / c),
        weighed(lambda n, c, C: n / c),
        weighed(lambda n, c, C: c / n),
        weighed(lambda n, c, C: 1 - c / n),
        lambda y, C: len(y) / (C * np.maximum(np.bincount(y, minlength=C), 1)),
        lambda y, C: np.nan_to_num(len(y) / (C * np.where(n := np.bincount(y, minlength=C), n, np.inf))),
        lambda y, C: np.ones(C),
    ],
    "2.3": [
        line(lambda s, S, w: s / w, lambda s, S, w: (S - s) / (S - w)),
        line(lambda s, S, w: (s + 1) / w, lambda s, S, w: 1 - (s - w) / S),
        line(lambda s, S, w: (s + 1) / w, lambda s, S, w: (S - s - 1) / (S - w)),
        line(lambda s, S, w: (s + 1) / w, lambda s, S, w: 1.0 + 0 * s),
        line(lambda s, S, w: (s + 1) / S, lambda s, S, w: (S - s) / (S - w)),
        line(lambda s, S, w: (s + 1) / w, lambda s, S, w: 0.5 * (1 + np.cos(np.pi * (s - w) / (S - w)))),
        lambda S, w: np.linspace(1, 0, S),
    ],
    "2.4": [0.74, 2 * 0.74 / 1.74, 0.74 / 3, 2 * 0.74 / 1.74 / 2, 1 / 3, 0.5],
    "2b.1": [
        rank_of(lambda L, m, i, o: L * m * i * o),
        rank_of(lambda L, m, i, o: L * (i + o)),
        rank_of(lambda L, m, i, o: i + o),
        rank_of(lambda L, m, i, o: L * m * (i + o), np.ceil),
        lambda L, m, i, o, n: n // (L * m * (i + o)),
        lambda L, m, i, o, n: np.minimum(n / (L * m * (i + o)), min(i, o)),
        rank_of(lambda L, m, i, o: 2 * L * m * i),
        lambda L, m, i, o, n: np.full(len(n), 8),
    ],
    "2b.2": [
        fusion(lambda s, k: 1 / (k + place(s))),
        fusion(lambda s, k: np.where(np.isnan(s), 0, 1 / (k + place(s) - 1))),
        fusion(lambda s, k: np.where(np.isnan(s), 0, 1 / (k + place(-s)))),
        fusion(lambda s, k: np.where(np.isnan(s), 0, 1 / (k + np.argsort(-s) + 1))),
        fusion(lambda s, k: 1 / (k + place(np.nan_to_num(s)))),
        fusion(lambda s, k: np.nan_to_num(s)),
        lambda a, b, k=60: 1 / (k + place(np.nan_to_num(a) + np.nan_to_num(b))),
        lambda a, b, k=60: np.where(np.isnan(a + b), 0, 1 / (k + place(a)) + 1 / (k + place(b))),
    ],
    "2b.3": [
        hits,
        lambda n, r, k, m: 1 - hits(n, r, k, m),
        lambda n, r, k, m: sum(hits(n, r, k, i) for i in range(m)),
        lambda n, r, k, m: 1 - sum(hits(n, r, k, i) for i in range(m + 1)),
        lambda n, r, k, m: 1 - (1 - r / n) ** k,
        lambda n, r, k, m: k * r / n,
        lambda n, r, k, m: 1 - sum(math.comb(r, i) * math.comb(n - r, k - i) for i in range(m)),
        lambda n, r, k, m: 0.10486,
    ],
}
