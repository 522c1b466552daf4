"""A small bilingual shop, written for the course: products and questions in Chinese and in English.

Every product and every question stands there twice, zh and en, with the same meaning. A question has known answers, so
a search can be judged: see datasets/shop.md for how they were decided.
"""

from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pandera.pandas as pa

from course_lib.data.interactions import validated
from course_lib.errors import CourseError
from course_lib.inputs import whole
from course_lib.paths import ROOT

PRODUCTS = ROOT / "datasets" / "shop_products.csv"
QUERIES = ROOT / "datasets" / "shop_queries.csv"
LANGUAGES = ("zh", "en")
Language = Literal["zh", "en"]
_TEXT = pa.Column(str, pa.Check.str_matches(r"\S"))
_NAME = pa.Column(str, pa.Check.str_matches(r"\S"), unique=True)
_ANSWERS = pa.Check(
    lambda a: isinstance(a, tuple) and 1 <= len(set(a)) == len(a) <= 8, element_wise=True, name="1 to 8 different items"
)
PRODUCT = pa.DataFrameSchema(
    {
        "id": pa.Column(str, pa.Check.str_matches(r"^[a-z]{2}\d{2}$"), unique=True),
        "category": _TEXT,
        "price": pa.Column("int64", pa.Check.gt(0)),
        "name_zh": _NAME,
        "name_en": _NAME,
        "description_zh": _TEXT,
        "description_en": _TEXT,
    },
    strict=True,
)
QUERY = pa.DataFrameSchema({"zh": _NAME, "en": _NAME, "answers": pa.Column(object, _ANSWERS)}, strict=True)


def read_products(path: Path) -> pd.DataFrame:
    """The products in the CSV file ``path``, as `load_products` describes them; CourseError where it is wrong."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    if "price" in table:
        table["price"] = pd.to_numeric(table["price"], errors="coerce").fillna(0).astype("int64")
    return validated(table.rename_axis(index="item"), PRODUCT, "products of the shop")


def read_queries(path: Path, products: pd.DataFrame) -> pd.DataFrame:
    """The questions in the CSV file ``path``; CourseError where one names a product that ``products`` lacks."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    row_of = {product: row for row, product in enumerate(products["id"])}
    answers = [cell.split() for cell in table.get("answers", [])]
    for row, names in enumerate(answers):
        if unknown := [name for name in names if name not in row_of]:
            raise CourseError(
                f"Question {row} in {path.name} has the answer {unknown[0]!r}, and no product has that id: mend the"
                " column 'answers', ids with a space between them."
            )
    if "answers" in table:
        table["answers"] = pd.Series([tuple(row_of[name] for name in names) for names in answers], dtype=object)
    return validated(table.rename_axis(index="query"), QUERY, "questions to the shop")


@cache
def _products() -> pd.DataFrame:
    return read_products(PRODUCTS)


def load_products() -> pd.DataFrame:
    """The 276 products, indexed 0 … 275 (item), in the order of the file.

    id: two letters and two digits. category: 17 of them, in English. price: whole yuan. name_zh, name_en,
    description_zh, description_en: the same product in both languages. Nothing is missing, no name is there twice.
    """
    return _products().copy()


def load_queries() -> pd.DataFrame:
    """The 116 questions, indexed 0 … 115 (query): zh and en, twins, and answers, a tuple of 1 to 8 items (row numbers).

    Question 0 is the article's 我想找一款实用的笔记本, with its twin "I am looking for a practical notebook".
    """
    return read_queries(QUERIES, _products())


def product_texts(products: pd.DataFrame, language: Language) -> list[str]:
    """One text a product, name and description in ``language``: what a search reads. No price, no category."""
    if language not in LANGUAGES:
        raise CourseError(f"The shop speaks {' and '.join(LANGUAGES)}; got {language!r}.")
    join = "{}。{}" if language == "zh" else "{}. {}"
    pairs = zip(products[f"name_{language}"], products[f"description_{language}"], strict=True)
    return [join.format(name, description) for name, description in pairs]


def relevance(queries: pd.DataFrame, n_items: int) -> np.ndarray:
    """(len(queries), n_items) bool: True where the item is a right answer to the question. n_items: above all ids."""
    largest = max((max(answers) for answers in queries["answers"]), default=-1)
    right = np.zeros((len(queries), whole("n_items", n_items, at_least=largest + 1)), dtype=bool)
    for row, answers in enumerate(queries["answers"]):
        right[row, list(answers)] = True
    return right
