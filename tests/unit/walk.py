"""A walk over the public classes and functions of a package: on every parameter is tried what goes wrong elsewhere.

`targets` finds them by inspection, `check` builds valid arguments from a pantry, {name: how to make a `pantry.Kind`},
and then tries one bad or oddly written value at a time. What must hold: finite results or CourseError, nothing else.
A key of a pantry is a parameter's name, or the name behind its owner where that is too common: "users", "rank.scores"
(a function), "EASE.lam" (a class), "EASE.score.users" (one method of it). Knobs with a default and Literals need none.
"""

import importlib
import inspect
import pkgutil
import re
import signal
import typing
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from types import ModuleType
from typing import Any, Literal

import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch
from pantry import NOTHING, Choice, Fixed, Kind, Knob, Trial

from course_lib.data.interactions import Interactions, Split
from course_lib.errors import CourseError

Pantry = Mapping[str, Callable[[], Any]]
Changes = Mapping[tuple[str, str], Any]
SINGLE, SEVERAL = (int, float, np.ndarray, sp.csr_matrix, pd.Series), (Sequence, Iterable, Mapping, list, tuple)
TRIED = (*SINGLE, *SEVERAL, Interactions, Split)
SECONDS = 20  # that one call may take


class NotInPantry(AssertionError):
    """A parameter for which there is no valid argument yet."""


@dataclass(frozen=True)
class Target:
    """A public function or class."""

    thing: Any
    module: str

    def __str__(self) -> str:
        return f"{self.module}.{self.thing.__name__}"

    def parts(self) -> dict[str, inspect.Signature]:
        """{"" for the function or the constructor, and each public method: its signature, without self}."""
        found = {"": inspect.signature(self.thing)}
        if inspect.isclass(self.thing):
            for name, method in inspect.getmembers(self.thing, callable):
                if not name.startswith("_") and getattr(method, "__module__", "").startswith("course_lib"):
                    bare = inspect.ismethod(method) or isinstance(
                        inspect.getattr_static(self.thing, name), staticmethod
                    )
                    parameters = list(inspect.signature(method).parameters.values())
                    found[name] = inspect.Signature(parameters if bare else parameters[1:])
        return found

    def keys(self, part: str, parameter: str) -> list[str]:
        """Where a pantry may name the parameter, the narrowest first."""
        owners = [c.__name__ for c in self.thing.__mro__] if inspect.isclass(self.thing) else [self.thing.__name__]
        narrow = [f"{owner}.{part}.{parameter}" for owner in owners]
        return [f"{self}.{parameter}", *narrow, *(f"{owner}.{parameter}" for owner in owners), parameter]


def targets(package: ModuleType, made_here: Iterable[str] = ()) -> list[Target]:
    """All public functions and classes of ``package``; no protocols, errors, enumerations, or parts of networks.

    made_here: classes that hold results; the course makes them, and nobody else.
    """
    paths = getattr(package, "__path__", None)  # a module has none
    names = [info.name for info in pkgutil.iter_modules(paths, f"{package.__name__}.")] if paths else [package.__name__]
    found = []
    for module in map(importlib.import_module, names):
        for name, thing in vars(module).items():
            ours = getattr(thing, "__module__", "") == module.__name__ and not name.startswith("_")
            if ours and (inspect.isfunction(thing) or (inspect.isclass(thing) and not _inner(thing, made_here))):
                found.append(Target(thing, module.__name__.rpartition(".")[2]))
    return found


def _inner(cls: type, made_here: Iterable[str]) -> bool:
    inside = issubclass(cls, Exception | Enum | torch.nn.Module | torch.autograd.Function)
    return inside or getattr(cls, "_is_protocol", False) or cls.__name__ in made_here


# ── arguments ────────────────────────────────────────────────────────────────────────────────────────────────
def kinds(annotation: Any) -> set[Any]:
    """The types that an annotation allows: {int, NoneType} of int | None, {Mapping} of Mapping[str, int]."""
    origin = typing.get_origin(annotation)
    if origin is Literal:
        return {Literal}
    if origin is typing.Annotated:
        return kinds(typing.get_args(annotation)[0])
    if str(origin) in ("<class 'types.UnionType'>", "typing.Union"):
        return set().union(*(kinds(part) for part in typing.get_args(annotation)))
    return {origin or annotation}


def tried(parameter: inspect.Parameter) -> bool:
    """Whether something can be tried on ``parameter``, by its annotation."""
    return bool(kinds(parameter.annotation) & {*TRIED, Literal})


def kind_of(target: Target, part: str, parameter: inspect.Parameter, pantry: Pantry) -> Any:
    """What ``pantry`` has for the parameter, as a Kind; NOTHING where its default will do."""
    for key in target.keys(part, parameter.name):
        if key in pantry:
            found = pantry[key]()
            return found if isinstance(found, Kind) else Fixed(found)
    allowed, has_default = kinds(parameter.annotation), parameter.default is not inspect.Parameter.empty
    if Literal in allowed:
        return Choice(typing.get_args(parameter.annotation)[0])
    if allowed & {int, float} and isinstance(parameter.default, int | float):
        return Knob(parameter.default)
    if has_default and not tried(parameter):
        return NOTHING
    name = parameter.name
    raise NotInPantry(
        f"{target} has a parameter that the pantry knows nothing of: add {name!r}, or '{target.thing.__name__}.{name}',"
        f" to the pantry of its test (annotation {parameter.annotation})."
    )


def arguments(target: Target, part: str, pantry: Pantry, changes: Changes) -> dict[str, Any]:
    """Valid arguments of one part, but for ``changes``."""
    given = {}
    for name, parameter in target.parts()[part].parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if (part, name) in changes:
            given[name] = changes[part, name]
        elif (kind := kind_of(target, part, parameter, pantry)) is not NOTHING:
            given[name] = kind.fresh()
    return given


# ── calls ────────────────────────────────────────────────────────────────────────────────────────────────────
class Uses:
    """All that a target can be asked for, with one argument changed at a time."""

    def __init__(self, target: Target, pantry: Pantry) -> None:
        self.target, self.pantry, self.parts = target, pantry, target.parts()

    def call(self, part: str, owner: Any, changes: Changes) -> Any:
        """One part, called."""
        return owner(**arguments(self.target, part, self.pantry, changes))

    def made(self, changes: Changes) -> Any:
        """An instance, fitted if that can be, or made ready by what the pantry has under "Class.ready"."""
        model = self.call("", self.target.thing, changes)
        self.pantry.get(f"{self.target.thing.__name__}.ready", lambda: lambda model: None)()(model)
        if "fit" in self.parts:
            self.call("fit", model.fit, changes)
        return model

    def result(self, changes: Changes, model: Any = None) -> Any:
        """What the function gives, or {method: what it gives}, the changed method alone; of ``model`` where one is."""
        if not inspect.isclass(self.target.thing):
            found = self.call("", self.target.thing, changes)
            return list(found) if isinstance(found, Iterator) else found
        changed = {part for part, _ in changes} - {"", "fit"}
        methods = [part for part in self.parts if part not in ("", "fit") and (not changed or part in changed)]
        model = self.made(changes) if model is None else model
        return {name: self.call(name, getattr(model, name), changes) for name in methods}


def outcome(call: Callable[[], Any]) -> tuple[str, Any]:
    """("gave", result), ("refused", sentence), or ("ended", any other exception); in time."""

    def too_long(*_: object) -> None:
        raise TimeoutError(f"no answer after {SECONDS} s")

    signal.signal(signal.SIGALRM, too_long)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return "gave", call()
    except NotInPantry:
        raise
    except CourseError as error:
        return "refused", str(error)
    except Exception as error:
        return "ended", f"{type(error).__name__}: {' '.join(str(error).split())[:100]}"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


# ── results ──────────────────────────────────────────────────────────────────────────────────────────────────
def leaves(result: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every number, array and text of ``result``, with the way to it; times that were measured are left out."""
    if isinstance(result, pd.DataFrame):
        result = {str(column): result[column].to_numpy() for column in result if column != "seconds"}
    if isinstance(result, torch.Tensor):
        result = result.detach().to_dense()
    if sp.issparse(result):
        result = result.toarray()
    if is_dataclass(result) and not isinstance(result, type):
        result = {field.name: getattr(result, field.name) for field in fields(result)}
    if isinstance(result, Mapping):
        for key, value in result.items():
            yield from leaves(value, f"{path}.{key}")
    elif isinstance(result, list | tuple) and not all(isinstance(part, int | float | str) for part in result):
        for place, value in enumerate(result):
            yield from leaves(value, f"{path}[{place}]")
    elif isinstance(result, np.ndarray | pd.Series | list | tuple | int | float | str | np.generic | torch.Tensor):
        yield path, np.asarray(result)


def unsound(result: Any) -> str:
    """Where ``result`` holds NaN or an infinite number; "" if nowhere."""
    for path, leaf in leaves(result):
        if leaf.dtype.kind == "f" and not np.isfinite(leaf).all():
            return path or "the result"
    return ""


def differ(one: Any, other: Any) -> str:
    """Where two results differ; "" if nowhere."""
    a, b = list(leaves(one)), list(leaves(other))
    if [path for path, _ in a] != [path for path, _ in b]:
        return "parts"
    for (path, x), (_, y) in zip(a, b, strict=True):
        numbers = x.dtype.kind in "biuf" and y.dtype.kind in "biuf"
        if x.shape != y.shape or not (np.allclose(x, y, rtol=1e-4, equal_nan=True) if numbers else (x == y).all()):
            return path or "the result"
    return ""


# ── the walk ─────────────────────────────────────────────────────────────────────────────────────────────────
def judged(trial: Trial, uses: Uses, place: tuple[str, str], valid: Any, model: Any = None) -> str:
    """What is wrong with what the trial gave; "" if nothing is."""
    how, result = outcome(lambda: uses.result({place: trial.value}, model))
    if how == "ended":
        return f"ended with {result}"
    if trial.expect == "refused":
        return "was not refused" if how == "gave" else ""
    if how == "refused":
        return f"was refused: {result}" if trial.expect == "equal" else ""
    if where := unsound(result):
        return f"gave NaN or an infinite number ({where})"
    if trial.expect == "sound":
        return ""
    other = valid if trial.like is NOTHING else uses.result({place: trial.like})
    return f"gave something else ({where})" if (where := differ(result, other)) else ""


def check(target: Target, pantry: Pantry, varies: Iterable[str] = ()) -> None:
    """Try everything on every parameter of ``target``. varies: those whose results are times, never twice the same."""
    uses, wrong = Uses(target, pantry), []
    starred = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    parameters = [(part, p) for part, signature in uses.parts.items() for p in signature.parameters.values()]
    places = [(part, p) for part, p in parameters if tried(p) and p.kind not in starred]
    if not places:
        return
    how, valid = outcome(lambda: uses.result({}))
    assert how == "gave", f"{target} with valid arguments {how}: {valid}"
    assert not unsound(valid), f"{target} with valid arguments gave NaN or an infinite number: {unsound(valid)}"
    for part, parameter in places:
        if (kind := kind_of(target, part, parameter, pantry)) is NOTHING:
            continue
        place = part, parameter.name
        method = part not in ("", "fit")
        model = uses.made({}) if method and "fit" in uses.parts else None
        alone = uses.result({place: kind.fresh()}, model) if method else valid
        for trial in kind.trials(parameter):
            told = judged(trial, uses, place, alone, model) and judged(trial, uses, place, alone)
            if told and not (str(target) in varies and "something else" in told):
                wrong.append(f"{target}{part and '.' + part}: {parameter.name} = {trial.label} {told}")
    assert not wrong, "\n" + "\n".join(wrong)


def untold(target: Target, pantry: Pantry) -> list[str]:
    """The knobs whose range no docstring says: "lam > 0", "n, pool ≥ 1", "share from 0 to 1", "rel (≥ 0)"."""
    owners = [*getattr(target.thing, "__mro__", [target.thing]), inspect.getmodule(target.thing)]
    found = []
    for part, signature in target.parts().items():
        documented = [getattr(target.thing, part), *owners] if part else owners
        said = " ".join(" ".join(inspect.getdoc(where) or "" for where in documented).split())
        for parameter in signature.parameters.values():
            knob = tried(parameter) and kind_of(target, part, parameter, pantry)
            told = rf"\b{parameter.name}\b[^.;]{{0,60}}?(≥|>|above|from [\d-]+ to|finite)"
            if isinstance(knob, Knob) and not re.search(told, said):
                found.append(f"{target}{part and '.' + part}: {parameter.name}")
    return found
