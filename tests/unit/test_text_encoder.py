import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModel, AutoTokenizer

from course_lib.errors import CourseError
from course_lib.text.encoder import Encoder, batch_starts, known, mean_pool, weights_folder

TEXTS = [
    "a quiet film about trains",
    "!",
    "Toy Story (1995). Animation, children's, comedy. " * 12,
    "我想找一款实用的笔记本",
    "emoji 🎬🍿 and English, mixed with 中文",
    "word " * 10_000,
    "Heat",
]


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder.load("minilm")


@pytest.fixture(scope="module")
def plain() -> np.ndarray:
    """The same texts one by one, by transformers alone: the oracle."""
    tokenizer = AutoTokenizer.from_pretrained(weights_folder("minilm"))
    model = AutoModel.from_pretrained(weights_folder("minilm")).eval()
    vectors = []
    for text in TEXTS:
        batch = tokenizer(text, truncation=True, max_length=256, padding=False, return_tensors="pt")
        with torch.no_grad():
            v = model(**batch).last_hidden_state[0].mean(0)
        vectors.append((v / v.norm()).numpy())
    return np.stack(vectors)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("batch_size", [1, 3, 32])
def test_vectors_equal_plain_transformers_in_any_order(encoder, plain, seed, batch_size):
    order = np.random.default_rng(seed).permutation(len(TEXTS))
    vectors = encoder.encode([TEXTS[i] for i in order], batch_size=batch_size)
    np.testing.assert_allclose(vectors, plain[order], atol=1e-5)


@pytest.mark.parametrize("threads", [1, 2])
def test_many_texts_have_the_vectors_that_each_has_alone(encoder, threads):
    rng, words = np.random.default_rng(1), ["quiet", "films", "about", "trains", "!"]
    texts = [" ".join(rng.choice(words, n)) for n in rng.permutation(np.r_[1:254:3, 1:60])]
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        vectors = encoder.encode(texts)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    some = rng.permutation(len(texts))[:25]
    np.testing.assert_allclose(vectors[some], np.vstack([encoder.encode([texts[i]]) for i in some]), atol=1e-5)


@given(st.lists(st.integers(1, 256), max_size=60), st.integers(1, 600))
def test_batches_hold_every_text_once_and_no_more_tokens_than_asked_for(lengths, tokens):
    falling = np.sort(lengths)[::-1]
    batches = np.split(falling, batch_starts(falling, None, tokens)[1:])
    assert np.concatenate(batches).tolist() == falling.tolist()
    assert all(len(b) == 1 or b[0] * len(b) <= tokens for b in batches if len(lengths))
    assert batch_starts(falling, 7, tokens) == list(range(0, len(falling), 7))


def test_vectors_have_unit_length_and_the_stated_shape(encoder):
    vectors = encoder.encode(TEXTS)
    assert vectors.shape == (len(TEXTS), encoder.dimension) == (len(TEXTS), 384) and vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_empty_text_is_the_zero_vector_and_disturbs_nobody(encoder, plain):
    vectors = encoder.encode(["", TEXTS[0], "  \n\t"])
    assert not vectors[0].any() and not vectors[2].any()
    np.testing.assert_allclose(vectors[1], plain[0], atol=1e-5)


def test_no_texts_give_no_rows(encoder):
    assert encoder.encode([]).shape == (0, 384)


def test_a_single_string_or_a_missing_text_is_refused(encoder):
    for wrong, words in (
        ("one text", r"wrap one text as \[text\]"),
        (["fine", None], "1 is None"),
        ([np.nan], "0 is nan"),
    ):
        with pytest.raises(CourseError, match=words):
            encoder.encode(wrong)


def test_an_unknown_encoder_is_refused_with_the_known_names():
    with pytest.raises(CourseError, match=r"no encoder called .bert-giant.; known.*minilm"):
        Encoder.load("bert-giant")
    with pytest.raises(CourseError):
        Encoder.load("movielens-100k")  # a source, but no encoder
    assert "minilm" in known()


def test_meaning_is_nearer_than_words(encoder):
    films = encoder.encode(["a spacecraft battles an alien", "aliens attack a starship", "a couple falls in love"])
    assert films[0] @ films[1] > films[0] @ films[2] + 0.2


def test_progress_sees_every_batch(encoder):
    seen = []
    encoder.encode(["a", "b", "c"], batch_size=2, progress=lambda starts: (seen.append(s) or s for s in starts))
    assert seen == [0, 2]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 7), min_size=1, max_size=4), st.integers(0, 2**31 - 1))
def test_mean_pool_ignores_whatever_lies_under_the_padding(lengths, seed):
    torch.manual_seed(seed)
    hidden = torch.randn(len(lengths), 8, 5)
    mask = (torch.arange(8)[None, :] < torch.tensor(lengths)[:, None]).long()
    pooled = mean_pool(hidden.masked_fill(mask[..., None] == 0, 1e6), mask)
    by_hand = torch.stack([hidden[i, :n].mean(0) for i, n in enumerate(lengths)])
    torch.testing.assert_close(pooled, by_hand)


def test_mean_pool_of_nothing_is_zero_not_nan():
    assert mean_pool(torch.ones(1, 3, 2), torch.zeros(1, 3, dtype=torch.long)).tolist() == [[0.0, 0.0]]
