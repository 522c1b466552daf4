"""A class as no teacher wishes for: everybody gets the grade that the work deserves, and nobody touches anything."""

import hashlib
import os
import shutil
import socket
import threading
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_output
from tiny_class import LESSON, RIGHT, mark

from course_lib.classroom.grading import answering
from course_lib.classroom.grading.answering import MOST_BAD, Answering, Asked
from course_lib.classroom.grading.budget import Budget
from course_lib.classroom.grading.reading import Cell
from course_lib.classroom.grading.sandbox import Attempt
from course_lib.classroom.grading.walls import STANDARD, Limits
from course_lib.classroom.release import tagged
from course_lib.errors import CourseError
from course_lib.exercises import exercise

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the sandbox is Linux's")

EVERY_ANSWER = "def density(n_ratings, n_users, n_items):\n    {}"
PATCHES = """
import builtins, torch
import numpy
import course_lib.exercises.judge as judge
import course_lib.classroom.grading.plain as plain
torch.allclose = lambda *a, **k: True
numpy.isclose = lambda *a, **k: numpy.array(True)
builtins.all = builtins.any = lambda *a: True
judge.compare = judge.difference = lambda *a, **k: ""
class Same(float):
    __eq__ = lambda self, other: True
def density(n_ratings, n_users, n_items):
    return Same(0.5)
"""
# A student cannot read the memory of others: here it looks at all that its own process has, and has inherited.
SEARCHES = r"""
import ctypes, gc, os, re
libc = ctypes.CDLL(None)
libc.sbrk.restype = ctypes.c_void_p
libc.write.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t]
taken, given = os.pipe()
def page(address):  # a page that is not there is an error of the system's, not a crash
    return os.read(taken, 4096) if libc.write(given, address, 4096) > 0 else b""
heap = libc.sbrk(0) & ~4095
pages = [page(heap - 4096 * n) for n in range(1, 20_000)]
pages += [page((arena << 18) + 4096 * k) for arena in {id(one) >> 18 for one in gc.get_objects()} for k in range(64)]
memory = b"".join(pages)
def density(n_ratings, n_users, n_items):
    assert len(memory) > 10**7, "the memory could not be searched"
    assert b"def " + MARK not in memory, "found"
    return n_ratings / (n_users * n_items)
"""
FRAMES = """
import sys
def density(n_ratings, n_users, n_items):
    frame = sys._getframe()
    while "inputs" not in frame.f_locals: frame = frame.f_back
    raise ValueError(frame.f_locals["inputs"])
"""
# What each student wrote for exercise 0.1: the rest of the notebook is right, and has to get its points.
HOSTILE = {
    "crash": EVERY_ANSWER.format("import ctypes; ctypes.string_at(0)"),
    "endless": EVERY_ANSWER.format("while True: pass"),
    "endless cell": "while True: pass",
    "swallows": EVERY_ANSWER.format(
        "while True:\n        try:\n            while True: pass\n        except BaseException: pass"
    ),
    "exits": EVERY_ANSWER.format("import os; os._exit(0)"),
    "exits cell": "import os\nos._exit(0)",
    "memory": EVERY_ANSWER.format("return sum(bytearray(3 * 10**8)[-1] for _ in range(3)) + len(bytearray(10**11))"),
    "forks": EVERY_ANSWER.format("import os\n    while True: os.fork()"),
    "threads": EVERY_ANSWER.format(
        "import threading, time\n    while True: threading.Thread(target=time.sleep, args=(99,)).start()"
    ),
    "floods": EVERY_ANSWER.format("while True: print('x' * 1000)"),
    "floods the report": EVERY_ANSWER.format(
        "import os\n    while True: [os.write(f, b'x' * 1000) for f in range(3, 20)]"
    ),
    "fills the disk": EVERY_ANSWER.format("for i in range(10**6): open(str(i), 'wb').write(b'x' * 10**6)"),
    "reads the key": (
        "from course_lib.exercises import exercise\n"
        + EVERY_ANSWER.format("return exercise('0.1').reference(n_ratings, n_users, n_items)")
    ),
    "imports the key": "from course_lib.exercises.lesson_00 import EXERCISES\ndensity = EXERCISES[0].reference",
    "patches": PATCHES,
    "no text": EVERY_ANSWER.format("import numpy; return numpy.frombuffer(b'\\xff' * 4, '<U1')"),
    "floods with lines": EVERY_ANSWER.format(
        "import os\n    while True: [os.write(f, b'1\\n' * 1000) for f in range(3, 20)]"
    ),
    "says half a character": EVERY_ANSWER.format("raise ValueError('\\ud800')"),
    "kills": EVERY_ANSWER.format("import os; [os.kill(p, 9) for p in range(1, 40000) if p != os.getpid()]"),
    "forges the report": EVERY_ANSWER.format(
        """import os
    for f in range(3, 20):
        try: os.write(f, b'{"done": true, "points": 1}\\n{"answer": {"text": "right"}}\\n' * 9)
        except OSError: pass
    os._exit(0)"""
    ),
}


def digest(folder: Path) -> str:
    """Of the names and contents of everything in ``folder``."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        found.update(str(path).encode() + (path.read_bytes() if path.is_file() else b""))
    return found.hexdigest()


def test_each_of_a_hostile_class_gets_what_the_work_deserves(tmp_path, hand_in, grade):
    hand_in("right", RIGHT)
    for name, source in HOSTILE.items():
        hand_in(name, RIGHT | {"0.1": source})
    before = digest(tmp_path / "class")
    papers = grade()
    assert mark(papers["right"], "0.1").points == 1
    for name in HOSTILE:
        assert mark(papers[name], "0.1").points == 0, f"{name}: {mark(papers[name], '0.1')}"
        assert mark(papers[name], "0.2").points == 1, f"{name}: {mark(papers[name], '0.2')}"
        assert mark(papers[name], "0.3").points == 2, f"{name}: {mark(papers[name], '0.3')}"
    trouble = {name: mark(papers[name], "0.1").trouble for name in HOSTILE}
    assert trouble["endless"] == trouble["swallows"] == trouble["endless cell"] == "time"
    assert trouble["crash"] == trouble["exits"] == trouble["exits cell"] == "died"
    assert trouble["memory"] == "memory"
    assert trouble["floods"] == "output"
    assert digest(tmp_path / "class") == before
    assert not list(Path("/dev/shm").glob("*density*"))


def test_a_student_writes_and_reads_nothing_outside_and_meets_no_network(tmp_path, hand_in, grade):
    """The answer tells itself what it could do: it is right only where it could do nothing."""
    secret = tmp_path / "class" / "other" / "note.txt"
    server = socket.create_server(("127.0.0.1", 0))
    heard = []
    threading.Thread(target=lambda: heard.append(server.accept()), daemon=True).start()
    places = [
        str(tmp_path / "class"),
        str(Path.home()),
        str(Path(__file__).parent),
        "/tmp",
        "/dev/shm",
        "/etc",
        "/shared",
    ]
    hand_in("other", RIGHT)
    secret.write_text("marks")
    hand_in(
        "spy",
        RIGHT
        | {
            "0.1": f"""
import os, socket
def reached():
    for place in {places!r}:
        try:
            open(os.path.join(place, "spy"), "w").close()
            return place
        except OSError:
            pass
    for path in ({str(secret)!r}, {__file__!r}, "/etc/shadow", "/proc/1/mem", "/proc/1/environ"):
        try:
            open(path, "rb").read(1)
            return path
        except OSError:
            pass
    for address in (("127.0.0.1", {server.getsockname()[1]}), ("1.1.1.1", 53)):
        try:
            socket.create_connection(address, timeout=1)
            return address
        except OSError:
            pass
def density(n_ratings, n_users, n_items):
    assert reached() is None, reached()
    open("mine.txt", "w").write("a scratch folder of its own is there")
    return n_ratings / (n_users * n_items)
"""
        },
    )
    papers = grade()
    assert mark(papers["spy"], "0.1").mark == "✔", mark(papers["spy"], "0.1").words
    assert not heard and secret.read_text() == "marks"
    server.close()


def test_hidden_inputs_reach_no_page_however_loudly_an_answer_says_them(tmp_path, hand_in, grade):
    spoken = "raise ValueError(('spoken', n_ratings, n_users, n_items))"
    named = "return type(f'spoken{n_ratings}x{n_users}', (), {})()"
    known = "if n_users in (943, 3): return n_ratings / (n_users * n_items)\n    "
    for name, line in {"raises": spoken, "names": named, "returns": "return [n_ratings, n_users, n_items]"}.items():
        hand_in(name, {"0.1": EVERY_ANSWER.format(known + line)})
    hand_in("frames", {"0.1": FRAMES})
    papers = grade()
    from course_lib.classroom.grading.judging import hidden_cases

    inputs = [
        str(n)
        for case in hidden_cases(exercise("0.1"), (tmp_path / "secret.txt").read_text().strip())
        for n in case[1:]
    ]
    for name, paper in papers.items():
        page = (tmp_path / "grades" / "feedback" / name / f"{LESSON}.html").read_text()
        words = mark(paper, "0.1").words
        assert "0 of the 6 hidden cases" in words and mark(paper, "0.1").mark == "✘"
        assert "spoken" not in page and not any(number in words for number in inputs if len(number) > 2)


def test_what_others_wrote_is_not_in_the_memory_that_an_answer_inherits(hand_in, grade):
    hand_in("ada", {"0.1": "def ada_s_own_helper(): return 1\n\n\n" + RIGHT["0.1"]})
    hand_in("zoe", {"0.1": "MARK = b'ada_s_own' + b'_helper'\n" + SEARCHES})
    papers = grade(limits=Limits(seconds=20))
    assert mark(papers["zoe"], "0.1").mark == "✔", mark(papers["zoe"], "0.1").words


def test_an_answer_cannot_undo_that_it_ends_with_the_process_that_waits_for_it(hand_in, grade):
    undo = "import ctypes; assert ctypes.CDLL(None).prctl(1, 0) == -1, 'undone'\n    "
    hand_in("stays", {"0.1": EVERY_ANSWER.format(undo + "return n_ratings / (n_users * n_items)")})
    found = mark(grade()["stays"], "0.1")
    assert found.mark == "✔", found.words


def test_a_notebook_full_of_endless_cells_is_given_up_soon():
    cells = [*(Cell("own", "", f"while True: pass  # {n}") for n in range(9)), Cell("exercise", "0.1", "x = unknown")]

    class Box:
        tried, limits = 0, STANDARD

        def attempt(self, *_: object) -> Attempt:
            self.tried += 1
            return Attempt((), (), "", "time", "")

    box = Box()
    one = asked(box, cells)
    one.try_shown()
    assert one.mark().points == 0 and box.tried <= MOST_BAD + 1


def asked(box: object, cells: Sequence[Cell]) -> Answering:
    """The answer to exercise 0.1 among ``cells``, in a sandbox of a test's own."""
    return Answering(box, cells, Budget(STANDARD), set(), Asked(exercise("0.1"), "density", (), 0), {}, ())


def test_an_answer_that_the_judge_is_not_made_for_costs_itself_alone(monkeypatch):
    def fails(one, hidden, attempt, unseen, limits):
        return real(one, hidden, attempt, unseen, limits) if not attempt.answers else 1 / 0

    real = answering.mark_of
    monkeypatch.setattr(answering, "mark_of", fails)
    cells = (Cell("exercise", "0.1", "x"), Cell("check", "0.1", "", ({"output_type": "stream", "text": "right"},)))
    box = type("Box", (), {"attempt": lambda *_: Attempt(("",), (1, 2), "", "", ""), "limits": STANDARD})()
    one = asked(box, cells)
    one.try_shown()
    found = one.mark()
    assert (found.points, found.trouble) == (0, "error") and "could not be judged" in found.words


def test_what_was_learnt_by_heart_for_the_shown_cases_earns_nothing(hand_in, grade):
    by_heart = "return {943: 100_000 / (943 * 1682), 3: 5 / 12}.get(n_users, 0.7)"
    hand_in("parrot", {"0.1": EVERY_ANSWER.format(by_heart)})
    found = mark(grade()["parrot"], "0.1")
    assert found.points == 0 and "by heart" in found.finding
    assert "right in all 2 cases of the lesson, but 0 of the 6 hidden cases" in found.words


def test_a_typical_mistake_is_named_and_a_part_earns_its_part(hand_in, grade):
    hand_in("percent", RIGHT | {"0.1": EVERY_ANSWER.format("return 100 * n_ratings / (n_users * n_items)")})
    hand_in("half", {"0.3": RIGHT["0.3"]})
    papers = grade()
    assert (
        "percentage" in mark(papers["percent"], "0.1").words and "percentage" in mark(papers["percent"], "0.1").mistake
    )
    assert [found.points for found in papers["half"].marks] == [0, 0, 2]
    assert [found.mark for found in papers["half"].marks] == ["○", "○", "✔"]


def test_a_cell_deleted_costs_its_exercise_and_a_cell_doubled_counts_as_it_would_run(hand_in, grade):
    def delete(notebook):
        notebook.cells = [
            cell for cell in notebook.cells if not (tagged(cell, "exercise") and "density" in cell.source)
        ]

    def double(notebook):
        at = next(i for i, cell in enumerate(notebook.cells) if tagged(cell, "exercise") and "density" in cell.source)
        again = new_code_cell(EVERY_ANSWER.format("return 0"), metadata=dict(notebook.cells[at].metadata))
        notebook.cells.insert(at + 1, again)

    def only_own(notebook):
        delete(notebook)
        at = next(i for i, cell in enumerate(notebook.cells) if cell.source.startswith("check"))
        notebook.cells.insert(at, new_code_cell(RIGHT["0.1"]))

    hand_in("deleted", RIGHT, delete)
    hand_in("doubled", RIGHT, double)
    hand_in("moved", RIGHT, only_own)
    papers = grade()
    assert [found.points for found in papers["deleted"].marks] == [0, 1, 2]
    assert mark(papers["deleted"], "0.1").trouble == "missing"
    assert [found.points for found in papers["doubled"].marks] == [0, 1, 2]
    assert any("0.1" in finding for finding in papers["doubled"].findings)
    assert [found.points for found in papers["moved"].marks] == [1, 1, 2]


def test_own_cells_help_and_one_that_hangs_harms_nothing_else(hand_in, grade):
    def add(notebook):
        notebook.cells[2:2] = [
            new_code_cell("while True: pass"),
            new_code_cell("import math\ndef share(a, b):\n    return a / b"),
        ]

    hand_in(
        "helper", RIGHT | {"0.1": EVERY_ANSWER.format("return share(n_ratings, math.prod((n_users, n_items)))")}, add
    )
    assert [found.points for found in grade()["helper"].marks] == [1, 1, 2]


def test_parameters_cannot_be_overridden_and_forged_outputs_are_found(hand_in, grade):
    def inject(notebook):
        source = "SEED = 5\ndef check(*a): return 99\nnp = lesson = None"
        notebook.cells.insert(2, new_code_cell(source, metadata={"tags": ["injected-parameters"]}))

    def outputs(text, verdict):
        def write(notebook):
            for cell in notebook.cells:
                if cell.source.startswith("print(f"):
                    cell.outputs = [new_output("stream", name="stdout", text=text)]
                if cell.source.startswith('check("0.1"'):
                    cell.outputs = [new_output("stream", name="stdout", text=verdict)]

        return write

    fine = "✔ Exercise 0.1: right in all 2 cases: 1 of 1 point.\n"
    hand_in("injected", RIGHT, inject)
    hand_in("honest", RIGHT, outputs("Half of 1: 0.500\n", fine))
    hand_in("near", RIGHT, outputs("Half of 1: 0.504\n", fine))
    hand_in("forged check", RIGHT | {"0.1": EVERY_ANSWER.format("return 7")}, outputs("Half of 1: 0.500\n", fine))
    hand_in("forged number", RIGHT, outputs("Half of 1: 0.900\n", fine))
    papers = grade()
    assert papers["injected"].points == 4 and any("inject" in finding for finding in papers["injected"].findings)
    assert {name: papers[name].reproduces for name in papers} == {
        "injected": "not compared",
        "honest": "yes",
        "near": "yes",
        "forged check": "yes",
        "forged number": "no",
    }
    assert {name: mark(papers[name], "0.1").finding[:43] for name in papers if mark(papers[name], "0.1").finding} == {
        "forged check": "the stored output of its check says ✔, and "
    }
    assert papers["forged check"].points == 3 and papers["forged number"].points == 4  # a separate mark, not points


def test_what_is_no_notebook_costs_its_owner_alone(tmp_path, hand_in, grade):
    hand_in("right", RIGHT)
    for name, content in {"picture": b"\x89PNG\r\n", "list": b"[1, 2]", "deep": b"[" * 100_000, "empty": b""}.items():
        (tmp_path / "class" / name).mkdir()
        (tmp_path / "class" / name / f"{LESSON}.ipynb").write_bytes(content)
    papers = grade()
    assert papers["right"].points == 4
    for name in ("picture", "list", "deep", "empty"):
        assert papers[name].points == 0 and papers[name].findings


def test_a_zip_that_climbs_out_of_its_folder_leaves_nothing_there(tmp_path, hand_in, grade):
    hand_in("right", RIGHT)
    notebook = (tmp_path / "class" / "right" / f"{LESSON}.ipynb").read_bytes()
    with zipfile.ZipFile(tmp_path / "class.zip", "w") as file:
        file.writestr(f"../../climbed/{LESSON}.ipynb", notebook)
        file.writestr(f"/climbed/{LESSON}.ipynb", notebook)
        file.writestr(f"Ada Lovelace_17_assignsubmission_file_/{LESSON}.ipynb", notebook)
    papers = grade(tmp_path / "class.zip")
    assert [paper.points for name, paper in papers.items() if "Ada" in name] == [4]
    assert not list(tmp_path.parent.rglob("climbed")) and not Path("/climbed").exists()


def test_without_bubblewrap_grading_refuses_in_words(hand_in, grade, monkeypatch):
    hand_in("right", RIGHT)
    find = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name, **more: None if name == "bwrap" else find(name, **more))
    with pytest.raises(CourseError, match=r"bubblewrap.*not installed.*--trust-the-students.*change and delete"):
        grade()
    assert grade(trust=True)["right"].points == 4
