"""The Open Bandit log: what a fashion shop's front page showed, with what probability, and whether it was clicked.

Two policies showed the items during the same week of November 2019: "random" drew them uniformly, "bts" by Bernoulli
Thompson sampling. Source: Saito et al. (2021), the small sample of 10,000 rows for each policy and campaign.
"""

from typing import Literal, get_args

import pandas as pd
import pandera.pandas as pa

from course_lib.data.fetch import fetch
from course_lib.data.interactions import validated
from course_lib.errors import CourseError
from course_lib.inputs import choice

PolicyName = Literal["random", "bts"]
Campaign = Literal["all", "men", "women"]
POSITIONS = (1, 2, 3)
N_ITEMS: dict[str, int] = {"all": 80, "men": 34, "women": 46}
USER = ["user_0", "user_1", "user_2", "user_3"]

LOG = pa.DataFrameSchema(
    {
        "time": pa.Column("datetime64[us, UTC]"),
        "item": pa.Column("int64", pa.Check.ge(0)),
        "position": pa.Column("int64", pa.Check.isin(POSITIONS)),
        "click": pa.Column("int64", pa.Check.isin([0, 1])),
        "propensity": pa.Column("float64", [pa.Check.gt(0), pa.Check.le(1)]),
        **{column: pa.Column("int64", pa.Check.ge(0)) for column in USER},
    },
    strict=True,
)


def validated_log(table: pd.DataFrame, campaign: Campaign, name: str) -> pd.DataFrame:
    """``table`` if it is a log of ``campaign``; otherwise one sentence about what is wrong."""
    choice("campaign", campaign, N_ITEMS)
    validated(table, LOG, name)
    largest = table["item"].max() if len(table) else 0
    if largest >= N_ITEMS[campaign]:
        raise CourseError(f"{name!r} names item {largest}, but campaign {campaign!r} has {N_ITEMS[campaign]} items.")
    return table


def load_log(policy: PolicyName, campaign: Campaign = "all") -> pd.DataFrame:
    """The log that ``policy`` left in ``campaign``: 10,000 rows, one for each item shown, in the order of time.

    Columns: time; item (from 0 to N_ITEMS[campaign] - 1); position (1 left, 2 middle, 3 right); click (0 or 1);
    propensity, the probability with which the policy showed this item at this position; user_0 .. user_3, codes of
    hashed user features (a code means the same thing within one log only).
    """
    for value, known, kind in ((policy, PolicyName, "policy"), (campaign, Campaign, "campaign")):
        if value not in get_args(known):
            known_names = ", ".join(get_args(known))
            raise CourseError(f"The Open Bandit log has no {kind} {value!r}: choose one of {known_names}.")
    raw = pd.read_csv(fetch("open-bandit") / policy / campaign / f"{campaign}.csv", index_col=0)
    table = pd.DataFrame(
        {
            "time": pd.to_datetime(raw["timestamp"], utc=True, format="ISO8601").astype("datetime64[us, UTC]"),
            "item": raw["item_id"].astype("int64"),
            "position": raw["position"].astype("int64"),
            "click": raw["click"].astype("int64"),
            "propensity": raw["propensity_score"].astype("float64"),
        }
        | {name: pd.factorize(raw[f"user_feature_{k}"], sort=True)[0].astype("int64") for k, name in enumerate(USER)}
    )
    in_time = table.sort_values("time", kind="stable", ignore_index=True)
    return validated_log(in_time, campaign, f"open-bandit {policy}/{campaign}")
