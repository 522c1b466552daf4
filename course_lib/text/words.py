"""The words of a text as a reader sees them: where they are, and the text without some of them (lesson 02d).

A word is letters and digits ("didn't" is one), a Chinese character, or a run of other signs ("!!", an emoji). BERT may
cut it into several WordPieces; a person never does, so what explains or attacks a model works on whole words.
"""

import re
from collections.abc import Collection

from course_lib.text.fine_tune import Text

CHINESE = "\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # BERT, too, takes each of these for a word
LETTER = rf"(?:[^\W{CHINESE}]|[\u0300-\u036f])"  # letters, digits, and accents stored on their own
WORD = re.compile(rf"[{CHINESE}]|{LETTER}+(?:['’]{LETTER}+)*|[^\w\s]+")


def halves(text: Text) -> tuple[str, ...]:
    """The text alone, or the two halves of a pair."""
    return (text,) if isinstance(text, str) else text


def spans(text: Text) -> list[tuple[int, int, int]]:
    """Where the words of a text or pair are: (half, start, end), half 0 or 1."""
    return [(half, *match.span()) for half, part in enumerate(halves(text)) for match in WORD.finditer(part)]


def words(text: Text) -> list[str]:
    """The words of a text, or of the first and then the second half of a pair."""
    return [halves(text)[half][start:end] for half, start, end in spans(text)]


def without(text: Text, rows: Collection[int], put: str = " ") -> Text:
    """``text`` with ``put`` in the place of its words at positions ``rows``; what is between words stays."""
    parts = list(halves(text))
    for i, (half, start, end) in reversed(list(enumerate(spans(text)))):
        if i in rows:
            parts[half] = parts[half][:start] + put + parts[half][end:]
    return parts[0] if isinstance(text, str) else (parts[0], parts[1])
