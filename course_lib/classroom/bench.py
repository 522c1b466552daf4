"""`course bench`: the course measured against its peers, ours and theirs in one run (tests/benchmarks).

The peers live in an environment of their own under build/bench, which borrows everything else from the course's: so
neither the course's packages nor its lock know of them. Each file of benches is a process. What is left: results.json,
a list of {"bench", "system", "ours", "value", "unit", "higher_is_better"}, with "published": true for a number that was
not run here; and for each file a log of all that it said.
"""

import ast
import json
import os
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from course_lib.errors import CourseError
from course_lib.paths import ROOT, make_dir, write_atomic

BENCHES = ROOT / "tests" / "benchmarks"
KEYS = {"bench", "system", "ours", "value", "unit", "higher_is_better"}
Row = dict[str, Any]


def bench_dir() -> Path:
    """Folder of results and of the peers' environment; COURSE_BUILD moves it."""
    return Path(os.environ.get("COURSE_BUILD") or ROOT / "build").expanduser() / "bench"


def find_benches(folder: Path, wanted: Sequence[str] = ()) -> dict[Path, list[str]]:
    """{file: names of its benches}, all or those ``wanted``, which are names of files ("encoding") or of benches."""
    known = {path: names for path in sorted(folder.glob("*.py")) if (names := declared(path))}
    if not known:
        raise CourseError(f"There are no benches in {folder}: they come with a checkout of the repository.")
    for word in wanted:
        if not any(word in (path.stem, *names) for path, names in known.items()):
            listed = "; ".join(f"{path.stem}: {', '.join(names)}" for path, names in known.items())
            raise CourseError(f"There is no bench {word!r}; known are {listed}.")
    chosen = {p: [n for n in names if not wanted or p.stem in wanted or n in wanted] for p, names in known.items()}
    return {path: names for path, names in chosen.items() if names}


def declared(path: Path) -> list[str]:
    """Names of the benches in a file, the keys of its BENCHES; read, not run. Empty where there is no BENCHES."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if (
            isinstance(node, ast.Assign)
            and ast.unparse(node.targets[0]) == "BENCHES"
            and isinstance(node.value, ast.Dict)
        ):
            return [key.value for key in node.value.keys if isinstance(key, ast.Constant)]  # type: ignore[misc]
    return []


def environment(folder: Path, peers: Path, say: Callable[[str], None]) -> Path:
    """Its Python, in ``folder``; made where it is missing, or made for another ``peers`` file or another Python."""
    at = {name: Path(sysconfig.get_path(name, "venv", {"base": str(folder)})) for name in ("scripts", "purelib")}
    python, stamp = at["scripts"] / Path(sys.executable).name, folder / "made_for.txt"
    made_for = f"{sys.version}\n{sys.executable}\n{peers.read_text(encoding='utf-8')}"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == made_for:
        return python
    say("Installing the peers, this once.")
    _call([sys.executable, "-m", "venv", "--without-pip", "--clear", str(folder)], "No environment could be made")
    lent = "".join(f"site.addsitedir({path!r}); " for path in {sysconfig.get_path(n) for n in ("purelib", "platlib")})
    (at["purelib"] / "course.pth").write_text(f"import site; {lent}\n", encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--quiet", "-r", str(peers)]
    _call(pip, "The peers could not be installed")
    stamp.write_text(made_for, encoding="utf-8")
    return python


def _call(command: list[str], otherwise: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr + done.stdout).strip().splitlines() or ["no reason given"]
        why = next((line for line in said if line.startswith("ERROR")), said[-1]).rstrip(".")
        raise CourseError(f"{otherwise} ({why}): connect to the network, or make room on the disk, and run it again.")


def run_benches(
    chosen: dict[Path, list[str]], out: Path, python: Path, say: Callable[[str], None]
) -> tuple[list[Row], list[str]]:
    """Run files of benches one after the other; returns the rows of this run, and the names of the files that failed.

    After each file results.json is whole: this run's rows in the place of earlier ones, none for a bench that failed.
    """
    rows: list[Row] = []
    failed: list[str] = []
    for path, names in chosen.items():
        say(f"{path.stem} ({', '.join(names)}) ...")
        started = time.perf_counter()
        new, error = run_file(path, names, out, python)
        say(f"{path.stem}: FAILED, {error}" if error else f"{path.stem}: {time.perf_counter() - started:.0f} s")
        rows += new
        failed += [path.stem] if error else []
        keep(new, names, out / "results.json")
    return rows, failed


def run_file(path: Path, names: list[str], out: Path, python: Path) -> tuple[list[Row], str]:
    """Rows of the benches ``names`` of one file, and one line that says why there are none."""
    found, log = make_dir(out) / f"{path.stem}.rows.json", out / f"{path.stem}.log"
    found.unlink(missing_ok=True)
    settings = os.environ | {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "PYTHONUNBUFFERED": "1"}
    with log.open("w", encoding="utf-8") as said:
        command = [str(python), str(path), str(found), *names]
        code = subprocess.run(command, stdout=said, stderr=subprocess.STDOUT, env=settings, check=False).returncode
    if code or not found.exists():
        last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
        why = f"ended by signal {-code}, most often because the memory was full" if code < 0 else last[0].strip()[:300]
        return [], f"{why} (all it said is in {log})"
    rows = json.loads(found.read_text(encoding="utf-8"))
    found.unlink()
    if not rows or any(not isinstance(row, dict) or row.keys() - {"published"} != KEYS for row in rows):
        return [], f"a row has other keys than {', '.join(sorted(KEYS))}"
    return rows, ""


def keep(rows: list[Row], names: list[str], results: Path) -> None:
    """Put ``rows`` into ``results`` in the place of all earlier rows of the benches ``names``."""
    earlier = json.loads(results.read_text(encoding="utf-8")) if results.exists() else []
    write_atomic(results, json.dumps([row for row in earlier if row["bench"] not in names] + rows, indent=1) + "\n")


def table(rows: Sequence[Row]) -> Iterator[str]:
    """Lines for reading: each bench with its systems; a peer is compared with the row of ours that stands before it."""
    wide = max((len(row["system"]) for row in rows), default=0)
    for bench in dict.fromkeys(row["bench"] for row in rows):
        of = [row for row in rows if row["bench"] == bench]
        ours, up = None, of[0]["higher_is_better"]
        yield f"{bench}, {of[0]['unit']}, {'higher' if up else 'lower'} is better"
        for row in of:
            ours = row["value"] if row["ours"] else ours
            line = f"  {'*' if row['ours'] else ' '} {row['system']:<{wide}} {row['value']:>10.4g}"
            if not row["ours"] and ours and row["value"]:
                line += f"   ours {ours / row['value'] if up else row['value'] / ours:.2f} times as good"
            yield line + (", published" if row.get("published") else "")
