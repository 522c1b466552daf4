"""Do the outputs handed in agree with those of the replay? Texts word by word, numbers within a tolerance."""

import re
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

# Outputs are hostile text: every repetition has a limit, so that no text takes more than linear time.
NUMBER = re.compile(
    r"(?<![\w.])[-+−]?(?:\d[\d,]{0,30}(?:\.\d{0,30})?|\.\d{1,30})(?:e[-+]?\d{1,3})?(?!\w)", re.IGNORECASE
)
DRAWN = re.compile(r"<[\w. ]{1,100}(?: size [^>]{0,100}| object)?>")  # a figure's, a display's own words


def shown(outputs: Sequence[Mapping[str, Any]]) -> str:
    """What stored ``outputs`` of a cell show as text: streams but the error stream, and the plain text of results."""
    texts = []
    for output in outputs:
        text = (
            output.get("text", "") if output.get("output_type") == "stream" and output.get("name") == "stdout" else ""
        )
        data = output.get("data")
        if isinstance(data, Mapping):
            text = data.get("text/plain", "")
        texts.append("".join(map(str, text)) if isinstance(text, list) else str(text))
    return "\n".join(texts)


def difference(handed_in: str, replayed: str, rel: float) -> str:
    """The first place where two texts do not agree, in words; empty if they do.

    rel: how far two numbers may be apart, relative to the larger one; besides, one unit of the last digit printed.
    """
    theirs, ours = (DRAWN.sub("", text).split() for text in (handed_in, replayed))
    for one, other in zip_longest(theirs, ours, fillvalue="nothing"):
        if not _agree(one, other, rel):
            return f"{one[:40]!r} was handed in, the replay gives {other[:40]!r}"
    return ""


def _agree(one: str, other: str, rel: float) -> bool:
    numbers = [NUMBER.findall(word) for word in (one, other)]
    if NUMBER.sub("#", one) != NUMBER.sub("#", other) or len(numbers[0]) != len(numbers[1]):
        return False
    return all(_near(a, b, rel) for a, b in zip(*numbers, strict=True))


def _near(a: str, b: str, rel: float) -> bool:
    if a == b:
        return True
    x, y = (float(text.replace(",", "").replace("−", "-")) for text in (a, b))
    digits = max(len(text.partition(".")[2].partition("e")[0]) for text in (a, b))
    return abs(x - y) <= max(rel * max(abs(x), abs(y)), 1.01 * 10.0**-digits)
