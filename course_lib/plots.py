"""The look of every figure: one style, one palette that colour-blind readers can tell apart, alt text always."""

import io

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from IPython.display import Image, display
from matplotlib.figure import Figure

# Okabe & Ito (2008): eight colours that stay apart with every common form of colour blindness.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442"]


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
        raise ValueError(f"alt says what one sees in a sentence; got {alt!r}")
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
