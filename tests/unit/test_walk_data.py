"""Everything public in course_lib.data, found by inspection, with what goes wrong elsewhere."""

import numpy as np
import pytest
from pantry import COMMON, N_ITEMS, Choice, Fixed, Ids, Knob, Numbers, Rows, Texts, interactions, split
from walk import Pantry, Target, check, targets, untold

from course_lib import data
from course_lib.data import films, movielens, open_bandit, shop

PANTRY: Pantry = COMMON | {
    "Interactions.table": lambda: interactions().table,
    "Interactions.n_users": lambda: Knob(12, dear=True),
    "Interactions.n_items": lambda: Knob(N_ITEMS, dear=True),
    "keep.rows": lambda: Ids(np.array([1, 3, 4]), len(interactions())),
    "rows": lambda: Ids(np.array([1, 3, 4]), len(interactions())),
    "unit.rows": lambda: Numbers(np.random.default_rng(0).normal(size=(5, 3))),
    "other": lambda: Rows(split().test),
    "values": lambda: Choice("rating"),
    "valid": lambda: Knob(0.2),
    "test": lambda: Knob(0.2),
    "Split.valid": lambda: Rows(split().valid),
    "Split.test": lambda: Rows(split().test),
    "name": lambda: "walk",
    "canonical.ratings": movielens.load_ratings,
    "fold": lambda: Knob(1),
    "cold_items.n": lambda: Knob(2),
    "ratings": lambda: Rows(interactions()),
    "at_least": lambda: Knob(1),
    "facts": lambda: Fixed([("drama", "war"), ("comedy",), ("war",)] * (N_ITEMS // 3)),
    "catalogue": lambda: films.load_catalogue().head(20),
    "columns": lambda: Texts(["user", "item"], words=True),
    "products": shop.load_products,
    "language": lambda: Choice("en"),
    "queries": shop.load_queries,
    "n_items": lambda: Knob(276, dear=True),
    "campaign": lambda: Choice("men"),
    "policy": lambda: Choice("random"),
    "validated_log.table": lambda: open_bandit.load_log("random", "men"),
}
HELD = {"Member", "Source", "Names", "Rule"}


WALKED = targets(data, HELD)


@pytest.mark.parametrize("target", WALKED, ids=str)
def test_every_parameter(target: Target) -> None:
    check(target, PANTRY)


def test_every_range_is_told() -> None:
    assert [knob for target in WALKED for knob in untold(target, PANTRY)] == []
