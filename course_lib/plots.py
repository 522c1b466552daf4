"""The look of every figure: one style, one palette that colour-blind readers can tell apart, alt text always."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from IPython.display import Image, display
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font

from course_lib.errors import CourseError
from course_lib.inputs import array, number, same_length
from course_lib.inputs import texts as strings

# Okabe & Ito (2008): eight colours that stay apart with every common form of colour blindness.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442"]
TEXT_COLUMNS = 92  # characters of text a figure's width holds


def use_style() -> None:
    """Set the course's style for all figures that follow."""
    sns.set_theme(style="whitegrid", palette=COLOURS, rc={"figure.figsize": (8, 4), "figure.dpi": 110})
    plt.rcParams.update(
        {
            "axes.titlesize": 12,
            "axes.titleweight": "bold",
            "axes.titlelocation": "left",
            "axes.labelsize": 11,
            "legend.frameon": False,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "figure.constrained_layout.use": True,
            "svg.hashsalt": "course",
        }
    )


def show(figure: Figure, alt: str) -> None:
    """Show ``figure`` as a PNG with ``alt`` for people who hear it instead, and close it."""
    if len(alt.split()) < 5:
        raise CourseError(f"alt says what one sees in a sentence; got {alt!r}.")
    png = io.BytesIO()
    figure.savefig(png, format="png", metadata={"Software": None})
    plt.close(figure)
    display(Image(png.getvalue(), format="png", alt=alt))


def interval_bars(
    table: pd.DataFrame, metric: str, title: str, label: str = "", highlight: tuple[str, ...] = ()
) -> Figure:
    """Horizontal bars with intervals, one per row of ``table`` (columns metric, metric_low, metric_high).

    ``highlight``: rows drawn in the second colour. Rows keep their order, first on top.
    """
    for column in (metric, f"{metric}_low", f"{metric}_high"):
        if column not in table:
            raise CourseError(f"The table has no column {column!r}; it has {', '.join(map(str, table.columns))}.")
    rows = table.iloc[::-1]
    figure, axes = plt.subplots(figsize=(8, 0.9 + 0.36 * len(rows)))
    colours = [COLOURS[1] if name in highlight else COLOURS[0] for name in rows.index]
    below, above = rows[metric] - rows[f"{metric}_low"], rows[f"{metric}_high"] - rows[metric]
    axes.barh(
        rows.index.astype(str), rows[metric], xerr=np.stack([below, above]), color=colours, capsize=3, ecolor="0.25"
    )
    for y, (value, high) in enumerate(zip(rows[metric], rows[f"{metric}_high"], strict=True)):
        axes.annotate(f" {value:.3f}", (high, y), va="center", fontsize=9)
    axes.set(xlabel=label or f"{metric}, with 95 % interval over users", ylabel="", title=title)
    axes.grid(axis="y", visible=False)
    axes.margins(x=0.12)
    return figure


def pair_differences(pairs: pd.DataFrame, title: str) -> Figure:
    """Heat map of `significance.compare_pairs` in thousandths; a star where p_corrected < .05."""
    names = list(dict.fromkeys([*pairs.index.get_level_values("a"), *pairs.index.get_level_values("b")]))
    difference = 1000 * pairs["mean"].unstack().reindex(index=names[:-1], columns=names[1:])
    starred = (pairs["p_corrected"] < 0.05).unstack().reindex(index=names[:-1], columns=names[1:])
    words = difference.map("{:+.0f}".format) + np.where(starred == True, " *", "")  # noqa: E712 (NaN is not True)
    figure, axes = plt.subplots(figsize=(8, 1.2 + 0.4 * len(names)))
    bar = {"label": "row minus column (1/1000)"}
    limit = float(np.nanmax(np.abs(difference)))
    sns.heatmap(
        difference, annot=words, fmt="", cmap="RdBu_r", vmin=-limit, vmax=limit, ax=axes, cbar_kws=bar, linewidths=0.5
    )
    axes.set(title=title, xlabel="", ylabel="")
    plt.setp(axes.get_xticklabels(), rotation=25, ha="right", rotation_mode="anchor")
    axes.grid(visible=False)
    return figure


def training_curves(trained: Any, metric: str, label: str, reference: Mapping[str, float], title: str) -> Figure:
    """Loss of every step and of validation beside the score on validation, over the epochs of a `Trained`.

    reference: scores of simpler models, drawn as dotted lines.
    """
    reference = {name: number(f"The score of {name!r}", value) for name, value in reference.items()}
    history, losses = trained.history, pd.Series(trained.step_losses)
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4))
    epoch = np.arange(1, len(losses) + 1) * len(history) / len(losses)
    left.plot(epoch, losses, alpha=0.25)
    left.plot(epoch, losses.ewm(halflife=10).mean(), color=COLOURS[0], label="train, running mean")
    left.plot(history.index, history["valid_loss"], "s--", label="validation")
    left.set(xlabel="epoch", ylabel="loss", title="Loss", xlim=(0, len(history) + 0.1), ylim=(0, None))
    left.legend(loc="lower left")
    right.plot(history.index, history[metric], "o-", color=COLOURS[2], label="BERT")
    for (name, value), colour in zip(reference.items(), COLOURS[3:], strict=False):
        right.axhline(value, ls=":", lw=2, color=colour, label=name)
    right.set(xlabel="epoch", ylabel=label, title=title, xticks=history.index, xlim=(0.8, len(history) + 0.2))
    right.legend()
    return figure


def word_weights(words: Sequence[str], rows: Mapping[str, Sequence[float]], title: str) -> Figure:
    """The text once for each row of weights, every word on its colour: blue for, orange against, pale where near 0.

    rows: {name: one weight a word}. Each row has its own scale: its deepest colour is its largest absolute weight.
    """
    words = strings("words", words, empty=True)
    rows = {name: array(f"Weights of {name!r}", weights, ndim=1).tolist() for name, weights in rows.items()}
    for weights in rows.values():
        same_length(words=words, weights=weights)
    places, line, column = [], 0, 0
    for word in words:
        line, column = (line + 1, 0) if column and column + len(word) > TEXT_COLUMNS else (line, column)
        places.append((column, line))
        column += len(word) + 1
    height = line + 2.6  # of a row, in lines: its name, the text, a gap
    figure, axes = plt.subplots(figsize=(9, 0.7 + 0.27 * height * len(rows)))
    font = get_font(findfont("monospace"))
    drawn = ["".join(c if font.get_char_index(ord(c)) else "□" for c in word) for word in words]  # Chinese, emoji
    for r, (name, weights) in enumerate(rows.items()):
        top, scale = r * height, max(map(abs, weights), default=0.0) or 1.0
        axes.text(0, top, name, va="center", fontsize=10, fontweight="bold")
        for word, weight, (x, y) in zip(drawn, weights, places, strict=True):
            ink = (COLOURS[0 if weight > 0 else 1], 0.75 * abs(weight) / scale)
            style: dict[str, Any] = {
                "family": "monospace",
                "fontsize": 9.5,
                "bbox": {"facecolor": ink, "lw": 0, "pad": 1.5},
            }
            axes.text(x, top + 1.1 + y, word, va="center", parse_math=False, **style)
    axes.set(xlim=(0, TEXT_COLUMNS), ylim=(height * len(rows) - 1, -0.8), title=title)
    axes.axis("off")
    return figure
