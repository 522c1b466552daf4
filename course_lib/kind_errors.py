"""An IPython extension: a name that is not there becomes one sentence that says where, and what to do.

Loaded by every kernel of the course's environment (see course_lib/etc), so it imports nothing heavy.
"""

import builtins
import difflib
import traceback
from types import FrameType, TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

ABOVE = "choose Run -> Run All Above Selected Cell, then run this cell again"


def load_ipython_extension(shell: "InteractiveShell") -> None:
    """Called by IPython when the kernel starts."""
    shell.set_custom_exc((NameError,), _explain)


def _explain(
    shell: "InteractiveShell",
    kind: type[NameError],
    error: NameError,
    trace: TracebackType,
    tb_offset: int | None = None,
) -> None:
    """Show one sentence for a name missing in a cell; anything else as IPython does."""
    frame, line = list(traceback.walk_tb(trace))[-1]
    if kind is not NameError or not error.name or frame.f_globals is not shell.user_ns:
        shell.showtraceback((kind, error, trace), running_compiled_code=True)
        return
    error.args = (sentence(error.name, frame, line, started=_lesson_started(shell.user_ns)),)
    shell._showtraceback(kind, error, [f"NameError: {error}"])


def sentence(name: str, frame: FrameType, line: int, started: bool) -> str:
    """What to say of ``name``, missing in ``line`` of ``frame``; ``started``: the lesson's first cells were run."""
    function = frame.f_code.co_name
    where = f"line {line} of this cell" if function == "<module>" else f"line {line} of its cell, in {function}()"
    known = [known for known in {**frame.f_globals, **frame.f_locals, **vars(builtins)} if not known.startswith("_")]
    similar = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
    if similar:
        return f"`{name}` is not defined ({where}): did you mean `{similar[0]}`? If not, {ABOVE}."
    if not started:
        return f"`{name}` is not defined yet ({where}): this notebook was started in the middle; {ABOVE}."
    return f"`{name}` is not defined yet ({where}): a cell above was left out, or the name is mistyped; {ABOVE}."


def _lesson_started(names: dict[str, object]) -> bool:
    return any(type(value).__name__ == "Lesson" for value in names.values())
