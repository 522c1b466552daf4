"""A copy in disguise is found; right answers that are alike by nature are not."""

import random
import re
import time
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.classroom.grading.copies import fingerprints, likely_copies
from course_lib.classroom.grading.results import Mark, Paper

LESSON = "05_q_learning_bandits"
UCB = "def ucb_scores(clicks: np.ndarray, plays: np.ndarray) -> np.ndarray:\n"
IPW = "def ipw_value(reward, evaluation, propensity):\n"
BELLMAN = "def bellman_target(reward, next_q, ended, gamma):\n"
DOC = '    """Score of each arm, (A,). clicks, plays: (A,), every arm shown at least once."""\n'
STUBS = {"5.1": UCB + DOC + "    # YOUR CODE HERE", "5.2": BELLMAN, "5.3": IPW}
# Twelve people who know what they do, none of whom has seen another's notebook.
STYLES = """\
return clicks / plays + np.sqrt(2 * np.log(plays.sum()) / plays)
--
return reward + gamma * next_q.max(axis=1) * (1 - ended)
--
return np.mean(reward * evaluation / propensity)
====
t = plays.sum()
return clicks / plays + (2 * np.log(t) / plays) ** 0.5
--
best = np.max(next_q, axis=1)
best[ended] = 0
return reward + gamma * best
--
w = evaluation / propensity
return (w * reward).mean()
====
mean = clicks / plays
bonus = np.sqrt(2 * np.log(np.sum(plays)) / plays)
return mean + bonus
--
return np.where(ended, reward, reward + gamma * next_q.max(1))
--
return float((reward * evaluation / propensity).mean())
====
out = []
for c, p in zip(clicks, plays):
    out.append(c / p + math.sqrt(2 * math.log(sum(plays)) / p))
return np.array(out)
--
out = reward.copy()
for i in range(len(out)):
    if not ended[i]:
        out[i] += gamma * max(next_q[i])
return out
--
total = 0
for r, e, p in zip(reward, evaluation, propensity):
    total += r * e / p
return total / len(reward)
====
n = len(plays)
scores = np.zeros(n)
for a in range(n):
    scores[a] = clicks[a] / plays[a] + np.sqrt(2 * np.log(plays.sum()) / plays[a])
return scores
--
alive = 1.0 - ended.astype(float)
return reward + alive * gamma * np.amax(next_q, axis=-1)
--
return np.dot(reward, evaluation / propensity) / reward.size
====
return np.divide(clicks, plays) + np.sqrt(np.divide(2 * np.log(plays.sum()), plays))
--
target = reward.astype(float)
target[~ended] += gamma * next_q[~ended].max(axis=1)
return target
--
return np.average(reward * (evaluation / propensity))
====
rate, total = clicks / plays, np.sum(plays)
return rate + np.sqrt(2.0 * np.log(total) / plays)
--
q = next_q.max(axis=1)
q = np.where(ended, 0, q)
return reward + gamma * q
--
return (evaluation * reward / propensity).sum() / len(reward)
====
def bonus(p):
    return np.sqrt(2 * np.log(plays.sum()) / p)
return clicks / plays + bonus(plays)
--
return [r if e else r + gamma * q.max() for r, q, e in zip(reward, next_q, ended)]
--
return sum(reward * evaluation / propensity) / len(propensity)
====
log_t = np.log(plays.sum())
return clicks / plays + np.sqrt(2 * log_t / plays)
--
future = gamma * next_q.max(axis=1)
future[ended] = 0.0
return reward + future
--
weights = np.divide(evaluation, propensity)
return np.mean(weights * reward)
====
return np.array([c / p + np.sqrt(2 * np.log(np.sum(plays)) / p) for c, p in zip(clicks, plays)])
--
return reward + gamma * np.max(next_q, axis=1) * ~ended
--
ratio = evaluation / propensity
result = ratio @ reward
return result / len(ratio)
====
assert (plays > 0).all()
t = float(plays.sum())
explore = np.sqrt((2 * np.log(t)) / plays)
exploit = clicks / plays
return exploit + explore
--
mask = np.logical_not(ended)
return reward + mask * gamma * next_q.max(axis=1)
--
n = len(reward)
return 1 / n * np.sum(evaluation / propensity * reward)
====
ctr = clicks / plays
width = 2 * np.log(plays.sum())
width = width / plays
return ctr + np.sqrt(width)
--
v = [max(row) for row in next_q]
v = np.array(v) * (ended == False)
return reward + gamma * v
--
x = reward * evaluation
x = x / propensity
return x.mean()
"""


def answers(bodies: list[str]) -> dict[str, str]:
    def indented(body: str) -> str:
        return "".join(f"    {line}\n" for line in body.splitlines())

    return {
        "5.1": UCB + DOC + indented(bodies[0]),
        "5.2": BELLMAN + indented(bodies[1]),
        "5.3": IPW + indented(bodies[2]),
    }


def paper(student: str, written: dict[str, str], wrong: tuple[str, ...] = (), mistake: str = "") -> Paper:
    marks = (Mark(label, 0, 2, "✘" if label in wrong else "✔", "", mistake) for label in written)
    return Paper(student, LESSON, tuple(marks), answers=written)


CLASS = [paper(f"s{i:02}", answers(bodies.split("\n--\n"))) for i, bodies in enumerate(STYLES.split("\n====\n"))]


def disguised(code: str) -> str:
    """The code with other names of variables, comments and blank lines: what takes five minutes."""
    head, _, body = code.partition(":\n")
    names = {"exploit": "a1", "explore": "a2", "t": "total_plays", "mask": "going_on", "n": "size"}
    body = re.sub(r"\w+", lambda word: names.get(word[0], word[0]), body)
    return f"{head}:\n    # my own solution\n\n" + body.replace("\n", "  # so\n\n")


def test_independent_right_answers_in_different_styles_are_not_flagged():
    assert likely_copies(CLASS, STUBS) == []


def test_a_copy_with_other_names_and_comments_is_flagged_with_its_exercises():
    copy = paper("zoe", {label: disguised(code) for label, code in CLASS[10].answers.items()})
    assert copy.answers["5.1"] != CLASS[10].answers["5.1"]
    [pair] = likely_copies([*CLASS, copy], STUBS)
    assert (pair.lesson, pair.student_a, pair.student_b) == (LESSON, "s10", "zoe")
    assert pair.exercises == ("5.1", "5.2", "5.3")
    assert pair.likeness == 1


def test_one_liners_that_the_whole_class_shares_are_not_flagged():
    assert likely_copies([paper(f"s{i:02}", CLASS[0].answers) for i in range(30)], STUBS) == []
    assert likely_copies([paper(f"s{i}", CLASS[0].answers) for i in range(3)], STUBS) == []


def test_a_short_answer_that_two_share_is_no_evidence():
    others = [paper(f"s{i:02}", {**one.answers}) for i, one in enumerate(CLASS)]
    others[3] = paper("s03", {**others[3].answers, "5.3": others[6].answers["5.3"]})
    assert likely_copies(others, STUBS) == []


ODD = """\
    s = np.cumsum(plays)[::-1]
    z = clicks[::-1] / (s + 3) - np.tanh(plays / 7)
    return np.abs(z) ** 1.5 + s.max() / 4
"""


def test_a_rare_wrong_answer_that_two_share_is_flagged():
    a, b = ({**CLASS[i].answers, "5.1": UCB + DOC + ODD} for i in (2, 3))
    pairs = [paper("ann", a, wrong=("5.1",)), paper("ben", b, wrong=("5.1",))]
    [pair] = likely_copies([*CLASS, *pairs], STUBS)
    assert (pair.student_a, pair.student_b) == ("ann", "ben")
    assert "5.1" in pair.exercises


def test_a_wrong_answer_that_a_known_mistake_explains_weighs_as_a_right_one():
    common = UCB + DOC + "    return clicks / plays + np.sqrt(2 * np.log(plays) / plays)\n"
    a, b = ({**CLASS[i].answers, "5.1": common} for i in (4, 7))
    pairs = [paper(name, code, ("5.1",), "the logarithm is of the sum") for name, code in (("ann", a), ("ben", b))]
    assert likely_copies([*CLASS, *pairs], STUBS) == []


def test_untouched_stubs_are_no_copies():
    assert all(fingerprints(stub) == set() for stub in STUBS.values())
    assert likely_copies([paper(f"s{i:02}", dict(STUBS)) for i in range(5)] + CLASS, STUBS) == []


def test_what_the_student_was_given_counts_for_nothing():
    given_code = "my_table = read_table('films', columns=('title', 'year', 'genre'), sort=True).head(100)\n"
    papers = [paper(f"s{i:02}", {"5.1": given_code + f"x = {i}\n"}) for i in range(4)]
    given_lines = {"5.1": given_code + "x = ...\n"}
    assert likely_copies(papers, given_lines) == []
    assert len(fingerprints(given_code)) > 5


def test_layout_comments_docstrings_and_names_hide_nothing():
    plain = fingerprints("def f(a, b):\n    c = a - b * 3\n    return c / (a + 1)\n")
    same = (
        'def g(\n  x, y\n):\n    """Hm."""\n\n    # why\n    z = x - y * 3  # so\n\n    return z / (\n        x + 1)\n'
    )
    assert plain == fingerprints(same)
    assert len(plain) > 2


def test_other_operators_attributes_and_order_of_names_are_other_code():
    one = fingerprints("x = a / (a * b)")
    for other in ("x = a * (a / b)", "x = a / (b * a)", "x = a / (a * b.mean)", "x = a / (a * 2)"):
        assert fingerprints(other) != one
    assert fingerprints("u = v / (v * w)") == one


def test_broken_code_is_compared_all_the_same():
    broken = {label: code.replace("return", "return (", 1) for label, code in CLASS[10].answers.items()}
    pairs = likely_copies([*CLASS, paper("zoe", broken), paper("yan", broken)], STUBS)
    assert ("yan", "zoe") in {(pair.student_a, pair.student_b) for pair in pairs}


def test_answers_of_different_lessons_are_not_compared():
    copy = replace(CLASS[10], student="zoe", lesson="06_evaluation")
    assert likely_copies([*CLASS, copy], STUBS) == []


def test_the_order_of_papers_changes_nothing():
    papers = [*CLASS, replace(CLASS[10], student="zoe"), replace(CLASS[4], student="abe")]
    shuffled = random.Random(0).sample(papers, len(papers))
    found = likely_copies(papers, STUBS)
    assert len(found) == 2
    assert likely_copies(shuffled, STUBS) == found


@settings(max_examples=200)
@given(st.text(max_size=300))
def test_any_text_is_survived_and_compared_with_itself(source):
    assert fingerprints(source) == fingerprints(source)


def test_a_long_hostile_answer_takes_no_time():
    start = time.perf_counter()
    for source in ("(" * 200_000, "'''" * 60_000, "a = 1\n" * 50_000, '"' * 200_000, "\\\n" * 90_000, "0_" * 100_000):
        fingerprints(source)
    assert time.perf_counter() - start < 10


def test_a_class_of_200_takes_seconds():
    rng = random.Random(1)
    papers = [
        Paper(f"s{i:03}", f"{lesson:02}_x", (), answers=rng.choice(CLASS).answers)
        for lesson in range(3)
        for i in range(200)
    ]
    start = time.perf_counter()
    likely_copies(papers, STUBS)
    assert time.perf_counter() - start < 10
