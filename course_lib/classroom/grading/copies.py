"""Who may have copied from whom: answers to one lesson that are more alike than chance allows.

Fingerprints by winnowing: S. Schleimer, D. S. Wilkerson, A. Aiken, "Winnowing: Local Algorithms for Document
Fingerprinting", SIGMOD 2003. Short right answers are alike by nature, so a fingerprint weighs as many bits as it is
rare in the class, and it takes more of them than chance gives to some pair of so many. Whoever is right has a reason to
agree, and so has whoever makes a known mistake; two who are wrong in a way of their own have none.
"""

import builtins
import io
import keyword
import re
import tokenize
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import log2
from zlib import crc32

from course_lib.classroom.grading.results import Paper

GRAM, WINDOW = 6, 2  # tokens; any passage of GRAM + WINDOW - 1 = 7 tokens that two answers share is found
THRESHOLD = 0.6
EVIDENCE = 7.0  # bits over a lesson, beyond those that chance gives some pair of so many
TOGETHER = 13  # fingerprints that say as much as a single one: neighbours overlap, and one idea brings several
WRONG = 3.0  # what a bit of a wrong answer weighs that no known mistake explains
ELSEWHERE = 15  # students besides the class who would all have written otherwise: in a class of five, two are not few
MOST = 20_000  # characters of an answer that are read
KNOWN = frozenset(keyword.kwlist) | frozenset(dir(builtins))
PIECE = re.compile(r"(?s:\"\"\".*?\"\"\")|(?s:'''.*?''')|\"[^\"\n]*\"|'[^'\n]*'|#[^\n]*|\d[\w.]*|\w+|\n|[^\w\s]")
Tokens = tuple[str, ...]


@dataclass(frozen=True)
class Pair:
    """Two students with alike answers to ``exercises`` of one lesson; likeness: from 0 to 1, 1 is the same code.

    Students go by the names of their folders, which are no two people's.
    """

    lesson: str
    student_a: str
    student_b: str
    likeness: float
    exercises: tuple[str, ...]


def likely_copies(papers: Sequence[Paper], stubs: Mapping[str, str], threshold: float = THRESHOLD) -> list[Pair]:
    """Pairs of students whose answers to the exercises of one lesson are likely copies, the most alike first.

    stubs: {label: what the student was given}, which counts for nothing. threshold: how alike, from 0 to 1, two answers
    to an exercise have to be to count as evidence. Passages that more than four students share, and more than a tenth
    of the class, lead to no pair; in a class of two nothing does.
    """
    by_lesson: dict[str, list[Paper]] = defaultdict(list)
    for paper in papers:
        by_lesson[paper.lesson].append(paper)
    given = {label: set(lines(stub)) for label, stub in stubs.items()}
    pairs = [pair for lesson, group in by_lesson.items() for pair in _of_lesson(lesson, group, given, threshold)]
    return sorted(pairs, key=lambda pair: (pair.lesson, -pair.likeness, pair.student_a, pair.student_b))


def _of_lesson(
    lesson: str, papers: Sequence[Paper], given: Mapping[str, set[Tokens]], threshold: float
) -> Iterator[Pair]:
    labels = dict.fromkeys(label for paper in papers for label in paper.answers)
    prints = {label: _answers(label, papers, given.get(label, set())) for label in labels}
    wrong = {(p.person.folder, mark.label) for p in papers for mark in p.marks if mark.mark == "✘" and not mark.mistake}
    enough = EVIDENCE + log2(max(1, len(papers) * (len(papers) - 1) / 2))
    bits: dict[str, dict[int, float]] = {}
    shared: dict[tuple[str, str], float] = defaultdict(float)  # bits of the rare fingerprints that two students share
    for label, answers in prints.items():
        owners: dict[int, list[str]] = defaultdict(list)
        for student, own in answers.items():
            for mark in own:
                owners[mark].append(student)
        n = len(answers)
        bits[label] = {mark: log2((n + ELSEWHERE) / len(students)) for mark, students in owners.items()}
        rare = min((n + 1) // 2, max(4, n // 10))
        for mark, students in owners.items():
            for pair in combinations(students, 2) if len(students) <= rare else ():
                shared[pair] += bits[label][mark]
    for a, b in (pair for pair, most in shared.items() if most >= enough / WRONG):
        alike: dict[str, float] = {}  # {label: bits shared}
        smaller = evidence = 0.0
        for label, answers in prints.items():
            one, other = ({mark: bits[label][mark] for mark in answers.get(student, ())} for student in (a, b))
            both = [one[mark] for mark in one.keys() & other.keys()]
            least = min(sum(one.values()), sum(other.values()))
            if both and sum(both) >= threshold * least:
                alike[label] = sum(both)
                smaller += least
                weight = WRONG if {(a, label), (b, label)} <= wrong else 1
                evidence += weight * max(max(both), sum(both) / TOGETHER)
        if evidence >= enough:
            yield Pair(lesson, a, b, min(1.0, sum(alike.values()) / smaller), tuple(alike))


def _answers(label: str, papers: Sequence[Paper], given: set[Tokens]) -> dict[str, set[int]]:
    """{student: fingerprints of the answer to ``label``}, by name, of those who have written anything."""
    found = {paper.person.folder: fingerprints(paper.answers.get(label, ""), given) for paper in papers}
    return {student: found[student] for student in sorted(found) if found[student]}


def fingerprints(source: str, given: Collection[Tokens] = ()) -> set[int]:
    """Hashes of passages of ``source`` beyond the ``given`` lines: the smallest of each `WINDOW` of neighbours."""
    tokens = [token for line in lines(source) if line not in given for token in line]
    if not tokens:
        return set()
    grams = [_hash(tokens[i : i + GRAM]) for i in range(max(1, len(tokens) - GRAM + 1))]
    return {min(grams[i : i + WINDOW]) for i in range(max(1, len(grams) - WINDOW + 1))}


def _hash(gram: Sequence[str]) -> int:
    """Names become numbers in the order in which the gram meets them: renaming changes nothing."""
    met: dict[str, str] = {}
    named = (met.setdefault(t, f"${len(met)}") if t[:1] == "$" else t for t in gram)
    return crc32("\0".join(named).encode("utf-8", "replace"))


def lines(source: str) -> Iterator[Tokens]:
    """The statements of ``source`` as tokens: no comments, docstrings, imports, layout, heads of functions.

    Names begin with "$", but for attributes and those of Python itself.
    """
    line: list[str] = []
    for token in [*_tokens(source[:MOST]), "\n"]:
        if token != "\n":
            name = token.isidentifier() and token not in KNOWN and line[-1:] != ["."]
            line.append(f"${token}" if name else token)
            continue
        line, whole = [], tuple(line[_head(line) :])
        docstring = len(whole) == 1 and whole[0][-1] in "\"'"
        if whole and not docstring and whole[0] not in ("import", "from"):
            yield whole


def _head(line: Sequence[str]) -> int:
    """How many tokens of ``line`` are "def name(...) -> ...:"."""
    if line[:1] != ["def"]:
        return 0
    depth = 0
    for i, token in enumerate(line):
        depth += (token in "([{") - (token in ")]}")
        if token == ":" and not depth:
            return i + 1
    return len(line)


def _tokens(source: str) -> list[str]:
    """Tokens of ``source``, "\\n" at the end of a statement; of code that is none, pieces that look like tokens."""
    skipped = (tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    try:
        found = list(tokenize.generate_tokens(io.StringIO(source).readline))
    except (SyntaxError, tokenize.TokenError):
        return [piece for piece in PIECE.findall(source) if piece[0] != "#"]
    return [
        "\n" if t.type == tokenize.NEWLINE else t.string for t in found if t.type not in skipped and t.string != " "
    ]
