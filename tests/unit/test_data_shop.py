import re

import numpy as np
import pandas as pd
import pytest

from course_lib.data.shop import (
    PRODUCTS,
    QUERIES,
    load_products,
    load_queries,
    product_texts,
    read_products,
    read_queries,
    relevance,
)
from course_lib.errors import CourseError

CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture(scope="module")
def products() -> pd.DataFrame:
    return load_products()


@pytest.fixture(scope="module")
def queries() -> pd.DataFrame:
    return load_queries()


def words(text: str) -> set[str]:
    """Pairs of neighbouring Chinese characters, and lower-case English words of four letters or more."""
    pairs = {text[i : i + 2] for i in range(len(text) - 1) if CHINESE.match(text[i]) and CHINESE.match(text[i + 1])}
    return pairs | set(re.findall(r"[a-z]{4,}", text.lower()))


def test_shop_is_large_enough_and_its_tables_are_typed(products, queries):
    assert len(products) == 276 and products["category"].nunique() == 17 and products["price"].between(3, 9000).all()
    assert products.index.tolist() == list(range(276)) and products["price"].dtype == "int64"
    assert len(queries) == 116 and queries["answers"].map(len).between(1, 8).all()


def test_every_product_and_question_stands_there_in_chinese_and_in_english(products, queries):
    zh = [*products["name_zh"], *products["description_zh"], *queries["zh"]]
    en = [*products["name_en"], *products["description_en"], *queries["en"]]
    assert all(CHINESE.search(text) for text in zh)
    assert not any(CHINESE.search(text) for text in en) and all(re.search("[a-z]{2}", text) for text in en)
    assert not any(re.search("[,;?!]", text) for text in zh), "Chinese text has Chinese punctuation"


def test_the_first_question_is_the_articles_and_both_kinds_of_notebook_answer_it(products, queries):
    first = queries.iloc[0]
    assert (first["zh"], first["en"]) == ("我想找一款实用的笔记本", "I am looking for a practical notebook")
    assert set(products.loc[list(first["answers"]), "category"]) == {"stationery", "electronics"}
    lures = products[products["name_zh"].str.contains("笔记本|实用")].index.difference(first["answers"])
    assert len(lures) >= 4, "a laptop stand, a sleeve, a practical cookbook: near misses on purpose"


@pytest.mark.parametrize("language", ["zh", "en"])
def test_questions_mostly_avoid_the_names_of_their_answers(products, queries, language):
    names = products[f"name_{language}"].map(words)
    shared = [
        any(words(text) & names[item] for item in answers)
        for text, answers in zip(queries[language], queries["answers"], strict=True)
    ]
    assert np.mean(shared) <= 0.1


def test_answers_are_spread_over_the_shop(products, queries):
    asked = products.loc[sorted({item for answers in queries["answers"] for item in answers}), "category"]
    assert asked.nunique() == products["category"].nunique() and len(asked) >= 100


def test_relevance_marks_exactly_the_answers(queries):
    right = relevance(queries, 276)
    assert right.shape == (116, 276) and right.sum() == queries["answers"].map(len).sum()
    assert tuple(np.flatnonzero(right[5])) == tuple(sorted(queries["answers"][5]))


def test_a_product_text_is_name_and_description_without_the_price(products):
    first = product_texts(products, "en")[0]
    assert first == f"{products['name_en'][0]}. {products['description_en'][0]}"
    assert product_texts(products, "zh")[0].startswith("横线笔记本。A5")
    with pytest.raises(CourseError, match="speaks zh and en; got 'fr'"):
        product_texts(products, "fr")


def test_what_a_loader_gives_may_be_changed_without_harm(products):
    mine = load_products()
    mine.loc[0, "name_en"] = "mine"
    pd.testing.assert_frame_equal(load_products(), products)


def changed(tmp_path, path, old, new):
    """A copy of the CSV file with the first ``old`` changed to ``new``."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    copy = tmp_path / path.name
    copy.write_text(text.replace(old, new, 1), encoding="utf-8")
    return copy


def test_an_answer_that_no_product_has_is_named(tmp_path, products):
    copy = changed(tmp_path, QUERIES, "st01 st02", "st01 st99")
    with pytest.raises(CourseError, match=r"Question 0 in shop_queries.csv has the answer 'st99'"):
        read_queries(copy, products)


@pytest.mark.parametrize(
    ("old", "new", "column"),
    [
        (" st03 st05 el01 el03", " st01", "answers"),  # one answer twice
        ("st01 st02 st03 st05 el01 el03", "", "answers"),  # none at all
        ("I am looking for a practical notebook", "  ", "en"),
        ("我想找一款实用的笔记本", "冬天骑车手都冻僵了", "zh"),  # asked twice
        ("zh,en,answers", "zh,english,answers", "en"),
        ("zh,en,answers", "zh,en,right", "right"),
    ],
)
def test_a_wrong_table_of_questions_is_refused_in_one_sentence(tmp_path, products, old, new, column):
    with pytest.raises(CourseError, match=f"questions to the shop.*{column}"):
        read_queries(changed(tmp_path, QUERIES, old, new), products)


@pytest.mark.parametrize(
    ("old", "new", "column"),
    [
        ("st01,", "stationery-1,", "id"),
        ("st02,", "st01,", "id"),
        ("stationery,12,", "stationery,free,", "price"),
        ("stationery,12,", "stationery,-12,", "price"),
        ("Ruled notebook", "", "name_en"),
        ("id,category,price", "id,category,yuan", "yuan"),
    ],
)
def test_a_wrong_table_of_products_is_refused_in_one_sentence(tmp_path, old, new, column):
    with pytest.raises(CourseError, match=f"products of the shop.*{column}"):
        read_products(changed(tmp_path, PRODUCTS, old, new))
