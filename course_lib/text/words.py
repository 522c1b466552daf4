"""The words of a text as a reader sees them: where they are, and the text without some of them.

A word is letters and digits ("didn't" is one), a Chinese character, or a run of other signs ("!!", an emoji). BERT may
cut it into several WordPieces; a person never does, so what explains or attacks a model works on whole words.
"""

import re
from collections.abc import Collection

from course_lib import inputs
from course_lib.errors import CourseError
from course_lib.text.examples import Text

CHINESE = "\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # BERT, too, takes each of these for a word
LETTER = rf"(?:[^\W{CHINESE}]|[\u0300-\u036f])"  # letters, digits, and accents stored on their own
WORD = re.compile(rf"[{CHINESE}]|{LETTER}+(?:['’]{LETTER}+)*|[^\w\s]+")


def halves(text: Text) -> tuple[str, ...]:
    """The text alone, or the two halves of a pair."""
    if isinstance(text, str):
        return (text,)
    if not (isinstance(text, tuple) and len(text) == 2 and all(isinstance(half, str) for half in text)):
        raise CourseError(f"A text is one string, or a pair (string, string); got a {type(text).__name__}.")
    return text


def spans(text: Text) -> list[tuple[int, int, int]]:
    """Where the words of a text or pair are: (half, start, end), half 0 or 1."""
    return [(half, *match.span()) for half, part in enumerate(halves(text)) for match in WORD.finditer(part)]


def words(text: Text) -> list[str]:
    """The words of a text, or of the first and then the second half of a pair."""
    return [halves(text)[half][start:end] for half, start, end in spans(text)]


def without(text: Text, rows: Collection[int], put: str = " ") -> Text:
    """``text`` with ``put`` in the place of its words at positions ``rows``, from 0; what is between words stays."""
    parts, places = list(halves(text)), spans(text)
    gone = set(inputs.ids("The positions of words", list(rows), len(places)).tolist())
    for i, (half, start, end) in reversed(list(enumerate(places))):
        if i in gone:
            parts[half] = parts[half][:start] + put + parts[half][end:]
    return parts[0] if isinstance(text, str) else (parts[0], parts[1])
