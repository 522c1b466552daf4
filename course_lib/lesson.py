"""The frame of a lesson: its profile, its four opening lines, and the figures that it leaves behind."""

import importlib.metadata
import json
import os
import platform
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from tqdm.auto import tqdm

from course_lib import PROFILES, plots
from course_lib import device as devices
from course_lib.data.fetch import missing, sources
from course_lib.errors import CourseError
from course_lib.evaluation.claims import Evidence, Verdict, as_json, verdict
from course_lib.inputs import NOT_NEGATIVE, SEED_32, number
from course_lib.paths import build_dir, write_atomic

T = TypeVar("T")


@dataclass
class Lesson:
    """One run of one lesson. Made by `Lesson.start`."""

    name: str
    profile: str
    seed: int
    device: torch.device
    figures: dict[str, float] = field(default_factory=dict)
    tolerance: dict[str, float] = field(default_factory=dict)
    claims: dict[str, dict[str, Any]] = field(default_factory=dict)
    started: float = field(default_factory=time.perf_counter)

    @classmethod
    def start(cls, name: str, profile: str, seed: int, device: str = "auto") -> "Lesson":
        """Choose the device, fix threads and seeds, set the look of figures, and say so in four lines.

        seed: a whole number ≥ 0, below 2³².
        """
        if profile not in PROFILES:
            raise CourseError(f"Unknown profile {profile!r}: PROFILE is one of {', '.join(PROFILES)}.")
        seed = SEED_32("SEED", seed)
        choice, threads = devices.choose(device), devices.set_threads()
        devices.seed_everything(seed)
        plots.use_style()
        absent = [source for source in sources() if missing(source)]
        versions = ", ".join(f"{p} {importlib.metadata.version(p)}" for p in ("torch", "transformers", "pandas"))
        print(f"Lesson    {name}, profile {profile}, seed {seed}")
        print(f"Device    {choice.device}: {choice.why}; {threads} thread{'s' if threads > 1 else ''}")
        print(f"Versions  Python {platform.python_version()}, {versions}")
        print(
            f"Data      {'all there and whole' if not absent else 'to be fetched on first use: ' + ', '.join(absent)}"
        )
        return cls(name, profile, seed, choice.device)

    def pick(self, *, quick: T, standard: T, full: T) -> T:
        """The value for this run's profile."""
        return {"quick": quick, "standard": standard, "full": full}[self.profile]

    def progress(self, items: Iterable[T], label: str) -> Iterable[T]:
        """``items`` behind a progress bar; without one where CI is set, since nobody watches there."""
        return tqdm(items, desc=label, disable=bool(os.environ.get("CI")), leave=False)

    def record(self, figures: Mapping[str, float], rel: float = 0.02) -> None:
        """Keep ``figures`` {name: value} of this run, which another machine reproduces within ``rel`` ≥ 0 of each.

        Values are finite, of Python, numpy or torch; True counts as 1. Recorded again, as when a student changes a cell
        and runs it once more, the last value stays. All of them are kept or, where one is no number, none.
        """
        rel = NOT_NEGATIVE("rel", rel)
        self.figures |= {name: _figure(name, value) for name, value in figures.items()}
        self.tolerance |= dict.fromkeys(figures, rel)

    def claim(self, words: str, evidence: Evidence | Sequence[Evidence], name: str = "") -> None:
        """Say whether the sentence ``words`` holds, does not, or cannot be told by all of ``evidence``, and keep that.

        name: under which the text of the lesson points to it; unless given, the words with hyphens. Raises CourseError
        for evidence of the wrong kind (`claims.verdict`). A quick run shows the numbers and says too little data.
        """
        rests_on = [evidence] if isinstance(evidence, Evidence) else list(evidence)
        said, more = verdict(words, rests_on), ""
        if self.profile == "quick":
            said = Verdict.TOO_LITTLE
        if said is Verdict.CANNOT_TELL:
            unseen = max(one.smallest for one in rests_on)
            more = f"\n       a difference of {unseen:.2g} would have been found four times in five"
        self.claims[name or slug(words)] = as_json(words, said, rests_on)
        print(f"Claim: {words}\n       {said}: {'; '.join(map(str, rests_on))}{more}")

    def finish(self) -> None:
        """Write the figures to build/course/figures/NAME.json."""
        document = {
            "lesson": self.name,
            "profile": self.profile,
            "seed": self.seed,
            "device": self.device.type,
            "figures": self.figures,
            "tolerance": self.tolerance,
            "claims": self.claims,
        }
        write_atomic(build_dir() / "figures" / f"{self.name}.json", json.dumps(document, indent=1) + "\n")
        seconds = time.perf_counter() - self.started
        print(
            f"Done in {seconds:.0f} s; {len(self.figures)} figures kept; {devices.tree_memory_mb():.0f} MB in use now."
        )


def slug(words: str) -> str:
    """``words`` as a name: small letters, digits and hyphens."""
    return "-".join(re.findall("[a-z0-9]+", words.lower()))


def _figure(name: str, value: Any) -> float:
    try:
        plain = value.item() if hasattr(value, "item") else value  # of numpy or of torch
        return number(name, int(plain) if isinstance(plain, bool) else plain)
    except (CourseError, ValueError, RuntimeError) as error:  # the last two: an array of several
        told = f"The figure {name!r} is {value}, not a number: look at the cell that computes it."
        raise CourseError(told) from error
