"""How hidden cases are drawn: anew, until a case is worth asking."""

from collections.abc import Callable
from typing import Any

import numpy as np

from course_lib.exercises.judge import Case, Raised, answers_of_ours

Draw = Callable[[np.random.Generator], Case]


def until(draw: Draw, good: Callable[..., Any]) -> Draw:
    """Like ``draw``, but only cases of which ``good(*case)`` is true; RuntimeError after 1,000 that are not."""

    def drawn(rng: np.random.Generator) -> Case:
        for _ in range(1000):
            case = draw(rng)
            if good(*case):
                return case
        raise RuntimeError(f"{getattr(draw, '__name__', 'The draw')} found no good case in 1,000.")

    return drawn


def clear(total: Any, parts: Any, share: float = 0.1) -> bool:
    """Whether ``total`` is no small remainder of large ``parts``: then 32 bits are as good as 64."""
    return bool(np.all(np.abs(total) >= share * np.sum(np.abs(parts))))


def differ(reference: Callable[..., Any], *others: Callable[..., Any]) -> Callable[..., bool]:
    """Of a case: whether none of ``others`` answers it as ``reference`` does. To stop is another answer."""

    def good(*case: Any) -> bool:
        right, *found = (answers_of_ours(one, [case])[0] for one in (reference, *others))
        return not any(_same(np.asarray(right, dtype=float), other) for other in found)

    return good


def _same(right: np.ndarray, other: Any) -> bool:
    if isinstance(other, Raised) or right.shape != np.shape(other):
        return False
    return np.allclose(right, np.asarray(other, dtype=float), rtol=1e-3, equal_nan=True)
