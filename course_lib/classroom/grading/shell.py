"""The shell in which grading runs cells: it takes what a notebook's takes, and does nothing where there is nobody.

Figures, progress and timing are for who looks; commands of the system do not run here. Neither stops a cell, as they
do not in Jupyter: a sentence is printed, and the cell goes on.
"""

import builtins
import importlib
from typing import Any

from IPython.core.displayhook import DisplayHook
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.text import SList
from traitlets.config import Config

LEFT_OUT = "{} does not run where answers are graded; the cell goes on without it."
OF_THE_SYSTEM = (
    *("pip", "conda", "mamba", "micromamba", "uv", "system", "sx", "sc", "!", "bash", "sh", "script", "cmd"),
    *("perl", "ruby", "pypy", "python", "python2", "python3"),
)
FOR_WHO_LOOKS = ("timeit", "prun", "lprun", "memit", "mprun", "debug", "pdb")


class Plain(DisplayHook):
    """Shows results as a notebook stores them: no "Out[3]: " in front, and nothing where a cell ends in a semicolon."""

    source = ""  # of the cell that runs; it is not in the history, where IPython would look

    def write_output_prompt(self) -> None:
        """Nothing."""

    def quiet(self) -> bool:
        """Whether the cell ends in a semicolon."""
        return self.semicolon_at_end_of_expression(self.source)


class NotebookShell(InteractiveShell):
    """IPython as a notebook has it, for cells that nobody watches."""

    def enable_gui(self, gui: str | None = None) -> None:
        """No window: figures are drawn into memory."""

    def system(self, cmd: str) -> None:
        """Say that the shell line ``cmd`` is left out."""
        print(LEFT_OUT.format(f"!{cmd}"))

    system_piped = system_raw = system

    def getoutput(self, cmd: str, split: bool = True, depth: int = 0) -> Any:
        """Nothing, for ``x = !cmd``, and a sentence."""
        self.system(cmd)
        return SList() if split else ""

    def run_line_magic(self, magic_name: str, line: str, _stack_depth: int = 1) -> Any:
        """What the magic does; a sentence where it can do nothing here, because it has no screen, system or package."""
        if magic_name in (*OF_THE_SYSTEM, *FOR_WHO_LOOKS):
            return print(LEFT_OUT.format(f"%{magic_name}"))
        if not self.find_line_magic(magic_name):
            return print(LEFT_OUT.format(f"%{magic_name}"))
        try:
            return super().run_line_magic(magic_name, line, _stack_depth + 1)
        except Exception as error:
            if magic_name in ("time", "run"):  # what it runs is the student's own
                raise
            return print(LEFT_OUT.format(f"%{magic_name} ({type(error).__name__})"))

    def run_cell_magic(self, magic_name: str, line: str, cell: str) -> Any:
        """What the magic does; the cell itself where the magic is of a package that is not here."""
        if magic_name in (*OF_THE_SYSTEM, *FOR_WHO_LOOKS):
            return print(LEFT_OUT.format(f"%%{magic_name}"))
        if not self.find_cell_magic(magic_name):
            print(LEFT_OUT.format(f"%%{magic_name}"))
            self.run_cell(cell, store_history=False).raise_error()
            return None
        return super().run_cell_magic(magic_name, line, cell)


def start_shell() -> NotebookShell:
    """The one shell of this process. It keeps no file."""
    shell = NotebookShell.instance(displayhook_class=Plain, config=Config({"HistoryManager": {"enabled": False}}))
    shell.colors = "nocolor"
    builtins.input = _input
    return shell


def _input(prompt: object = "") -> str:
    """Nobody is there to answer."""
    print(prompt)
    return ""


def run(shell: InteractiveShell, source: str) -> BaseException | None:
    """Run a cell and return what it raised, if it did."""
    Plain.source = source
    importlib.invalidate_caches()  # a module that a cell has just written is there for the next
    result = shell.run_cell(source, store_history=False)
    return result.error_before_exec or result.error_in_exec
