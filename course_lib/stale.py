"""Which cells of a notebook have failed to give a name its value: what the name still stands for is then an older one.

A check asks before it judges: a function left over from an earlier run, or from the lesson, is not the answer.
"""

import re
import sys
from typing import Any

BOUND = re.compile(r"^(?:(?:async[ \t]+)?def|class)[ \t]+(\w+)|^(\w+)[ \t]*(?::[^=\n]{0,200})?=(?!=)", re.MULTILINE)
failed: dict[str, str] = {}  # {name: what the cell that should have bound it raised}, of this kernel
_before: dict[str, Any] = {}
_running = [""]


def names_of(source: str) -> list[str]:
    """The names that the cell ``source`` gives a value at its outermost level, by def, class or =."""
    return [name for pair in BOUND.findall(source) for name in pair if name]


def watch() -> None:
    """From now on, note the cells of this notebook that fail; nothing where there is no notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if not shell or _on_start in shell.events.callbacks["pre_run_cell"]:
        return
    shell.events.register("pre_run_cell", _on_start)
    shell.events.register("post_run_cell", lambda result: _on_end(result, shell.user_ns))


def reason(label: str) -> str:
    """Why the name that the running cell hands to the check of exercise ``label`` is an older one; else empty."""
    call = re.search(rf"""check\(\s*["']{re.escape(label)}["']\s*,\s*(\w+)""", _running[0])
    return failed.get(call[1], "") if call else ""


def _on_start(info: Any) -> None:
    from IPython import get_ipython

    shell = get_ipython()
    _running[0] = info.raw_cell or ""
    _before.clear()
    _before.update({name: shell.user_ns.get(name) for name in names_of(_running[0])} if shell else {})


def _on_end(result: Any, space: dict[str, Any]) -> None:
    error = result.error_before_exec or result.error_in_exec
    for name, before in _before.items():
        failed.pop(name, None)
        if error is not None and space.get(name) is before:
            failed[name] = f"{type(error).__name__}: {error}"[:200]
