"""Leaves when every notebook has moved to the bank."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from course_lib.exercises.judge import Exercise, judge


def check_function(
    label: str,
    function: Any,
    reference: Callable[..., Any],
    cases: Sequence[Any],
    *,
    points: int = 1,
    rtol: float = 1e-6,
    mistakes: Mapping[str, Any] | None = None,
) -> None:
    print(judge(Exercise(label, points, reference, cases, mistakes=mistakes or {}, rtol=rtol), function))


def check_value(
    label: str,
    answer: Any,
    expected: Any,
    *,
    points: int = 1,
    hint: str = "",
    rtol: float = 1e-6,
    mistakes: Mapping[str, Any] | None = None,
) -> None:
    print(judge(Exercise(label, points, expected, mistakes=mistakes or {}, hint=hint, rtol=rtol), answer))
