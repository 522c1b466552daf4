"""A notebook started in the middle says so in one sentence, in a real kernel; other errors stay what they are."""

import subprocess
import sys

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from course_lib.classroom.process import own_kernel


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Cells run one after the other in a real kernel of this environment; returns the error of the last one."""
    notebook = new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "x", "language": "python"}})
    manager = own_kernel(tmp_path_factory.mktemp("build"), tmp_path_factory.mktemp("kernel"))
    client = NotebookClient(notebook, kernel_name="python3", kernel_manager_class=manager, allow_errors=True)

    def run_cells(*sources: str) -> nbformat.NotebookNode:
        client.nb.cells = [new_code_cell(source) for source in ("%reset -f", *sources)]
        for index, cell in enumerate(client.nb.cells):
            client.execute_cell(cell, index)
        (error,) = [output for output in client.nb.cells[-1].outputs if output.output_type == "error"]
        return error

    with client.setup_kernel():
        yield run_cells


def test_started_in_the_middle_is_one_sentence_that_says_what_to_do(run):
    error = run("model = 1\nprint(split.train)")
    assert error.ename == "NameError"
    assert error.evalue == (
        "`split` is not defined yet (line 2 of this cell): this notebook was started in the middle;"
        " choose Run -> Run All Above Selected Cell, then run this cell again."
    )
    assert error.traceback == [f"NameError: {error.evalue}"]


def test_typo_in_a_students_function_is_found_by_function_and_line(run):
    error = run("def ndcg(ranks):\n    gains = 1\n    return gians / 2", "ndcg([1])")
    assert error.evalue.startswith("`gians` is not defined (line 3 of its cell, in ndcg()): did you mean `gains`?")


def test_typo_of_a_name_of_the_notebook_is_suggested(run):
    assert "did you mean `ratings`?" in run("ratings = [1]", "len(ratigns)").evalue


def test_after_the_lessons_start_a_missing_name_is_not_blamed_on_the_start(run):
    error = run("class Lesson: pass\nlesson = Lesson()", "print(alpha)")
    assert "started in the middle" not in error.evalue and "a cell above was left out" in error.evalue


def test_name_missing_inside_a_library_keeps_its_whole_traceback(run):
    error = run("import types\nm = types.ModuleType('m')\nexec('def f():\\n    return nowhere', m.__dict__)", "m.f()")
    assert error.evalue == "name 'nowhere' is not defined" and len(error.traceback) > 1


def test_local_variable_used_too_early_is_left_to_python(run):
    error = run("def f():\n    print(x)\n    x = 1", "f()")
    assert error.ename == "UnboundLocalError" and "local variable 'x'" in error.evalue


def test_kernel_goes_on_after_it(run):
    assert (
        "zzz" in run("try:\n    zzz\nexcept NameError as e:\n    caught = e", "assert caught.name == 'zzz'\nzzz").evalue
    )


def test_extension_imports_nothing_heavy():
    heavy = {"torch", "numpy", "pandas", "IPython"}
    code = f"import sys, course_lib.kind_errors; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
