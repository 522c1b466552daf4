"""The command ``course``. Heavy imports wait inside the commands, so that --help answers at once."""

import errno
import io
import signal
import sys
from pathlib import Path
from typing import Any

import click

from course_lib.errors import CourseError
from course_lib.paths import ROOT, build_dir


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="llm-recommenders-course")
def cli() -> None:
    """A course in notebooks on recommenders helped by language models."""
    if not (ROOT / "datasets" / "sources.toml").exists():
        raise CourseError(
            f"The course runs from a clone of its repository, and {ROOT} holds an installed copy of the library alone: "
            "clone the repository, and in its folder run make course, or pip install --no-deps --editable ."
        )


@cli.command()
def doctor() -> None:
    """Say what this machine has and what the course still needs."""
    from course_lib.classroom.doctor import examine

    findings = []
    for finding in examine():
        click.echo(finding)
        findings.append(finding)
    failed = sum(finding.level == "FAIL" for finding in findings)
    if failed:
        raise CourseError(f"{failed} of {len(findings)} checks failed: each [FAIL] line above says what to do.")


@cli.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
def fetch(names: tuple[str, ...]) -> None:
    """Download data and weights, all or those named, into the cache, and check every byte."""
    from course_lib.data.fetch import fetch, missing, source, sources

    for name in [source(name).name for name in names] or sources():
        absent = missing(name)
        if absent:
            click.echo(f"Fetching {name}, {source(name).megabytes} MB ...")
            fetch(name)
        click.echo(f"{name}: {'fetched and whole' if absent else 'there and whole'}")


@cli.command()
@click.argument("lessons", nargs=-1, metavar="[LESSON]...")
@click.option("--profile", help="quick, standard or full.  [default: what stands in the notebook: standard]")
@click.option("--seed", type=int, help="Another seed than the notebook's.")
@click.option("--device", help="auto, cuda, mps or cpu.")
@click.option("-p", "extra", nargs=2, multiple=True, metavar="NAME VALUE", help="Set a parameter of the lessons.")
@click.option("--jobs", type=click.IntRange(1), help="Lessons side by side.  [default: 2 if quick and there is room]")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the results.  [default: build/course]")
@click.option("--notebooks", type=click.Path(path_type=Path), default=ROOT / "notebooks", hidden=True)
@click.option("--update", is_flag=True, help="For maintainers: store the executed lessons and their figures.")
@click.pass_context
def run(
    context: click.Context,
    lessons: tuple[str, ...],
    profile: str | None,
    seed: int | None,
    device: str | None,
    extra: tuple[tuple[str, str], ...],
    jobs: int | None,
    out: Path | None,
    notebooks: Path,
    update: bool,
) -> None:
    """Run lessons, all or those named by number ("3") or name, and leave them executed in build/course."""
    from course_lib.classroom.run import check_parameters, find_lessons, jobs_for, parameter, run_lessons
    from course_lib.classroom.watch import watcher

    parameters: dict[str, Any] = {name: parameter(value) for name, value in extra}
    given = {"PROFILE": profile, "SEED": seed, "DEVICE": device}
    parameters |= {name: value for name, value in given.items() if value is not None}
    if update and parameters.get("PROFILE") == "standard":
        del parameters["PROFILE"]
    if update and (parameters or (jobs or 1) > 1):
        raise CourseError(
            "What --update stores is a run as the notebooks stand, one by one: give it no other profile or parameter."
        )
    paths, out = find_lessons(notebooks.resolve(), lessons), out or build_dir()
    for path in paths:
        check_parameters(path, parameters)
    context.invoke(fetch)
    jobs = jobs or (jobs_for(parameters.get("PROFILE", "")) if len(paths) > 1 else 1)
    if jobs > 1:
        click.echo(f"{jobs} lessons at a time ...")
    runs = run_lessons(paths, out, parameters, watcher(), jobs)
    click.echo(f"Everything is in {out}; open {out / 'index.html'}.")
    failed = [run.lesson for run in runs if run.status != "ok"]
    if failed:
        raise CourseError(f"{len(failed)} of {len(runs)} lessons failed (see above): {', '.join(failed)}.")
    if update:
        from course_lib.classroom.update import store

        for line in store(runs, out, notebooks, ROOT):
            click.echo(line)


@cli.command()
@click.argument("lessons", nargs=-1, metavar="[LESSON]...")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the edition.  [default: build/release]")
@click.option("--notebooks", type=click.Path(path_type=Path), default=ROOT / "notebooks", hidden=True)
def release(lessons: tuple[str, ...], out: Path | None, notebooks: Path) -> None:
    """Make the edition for students: without solutions and outputs, ready for nbgrader too."""
    from course_lib.classroom.release import release
    from course_lib.classroom.run import find_lessons

    out = out or build_dir().parent / "release"
    written = release(find_lessons(notebooks.resolve(), lessons), out)
    click.echo(f"{len(written)} lesson{'s' * (len(written) > 1)} without solutions in {out}.")


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=ROOT / "work")
@click.option("--notebooks", type=click.Path(path_type=Path), default=ROOT / "notebooks", hidden=True)
def handout(folder: Path, notebooks: Path) -> None:
    """Copy the lessons without solutions to FOLDER, work/ if none is named; what you have changed there stays yours."""
    from course_lib.classroom.release import hand_out
    from course_lib.classroom.run import find_lessons

    for line in hand_out(find_lessons(notebooks.resolve(), ()), folder):
        click.echo(line)
    click.echo(f"The lessons to work on are in {folder}.")


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=ROOT / "work")
@click.option("--notebooks", type=click.Path(path_type=Path), default=ROOT / "notebooks", hidden=True)
def progress(folder: Path, notebooks: Path) -> None:
    """Show how far the lessons in FOLDER are, work/ if none is named, and write that to its progress.html."""
    from course_lib.classroom.progress import read_progress, table, write_progress
    from course_lib.classroom.run import find_lessons

    states = read_progress(folder, find_lessons(notebooks.resolve(), ()))
    for line in table(states):
        click.echo(line)
    click.echo(f"The same with colours, and what comes next, is in {write_progress(states, folder)}.")


@cli.command()
@click.argument("submissions", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder for grades and pages.  [default: build/grades/CLASS]"
)
@click.option("--hand", type=click.Path(path_type=Path), help="Your marks.  [default: hand_marks.csv by SUBMISSIONS]")
@click.option("--secret", type=click.Path(path_type=Path), help="Of the class.  [default: class_secret.txt there too]")
@click.option("--jobs", type=click.IntRange(1), help="Lessons side by side.  [default: one a core]")
@click.option("--dask", default="", metavar="ADDRESS", help="Grade on the Dask cluster with this scheduler.")
@click.option("--seconds", type=click.FloatRange(0.1), default=10, show_default=True, help="For one answer.")
@click.option("--memory", type=click.IntRange(50), default=1000, show_default=True, help="MB, for one answer.")
@click.option("--zip-names", default="", metavar="ENCODING", help="Of names in zips that are not UTF-8, such as gbk.")
@click.option("--trust-the-students", "trust", is_flag=True, help="Run their code as yours, without a sandbox.")
@click.option("--as-root", is_flag=True, help="Grade although you are root, who can break what a wall lets through.")
@click.option("--notebooks", type=click.Path(path_type=Path), default=ROOT / "notebooks", hidden=True)
@click.pass_context
def grade(
    context: click.Context,
    submissions: Path,
    out: Path | None,
    hand: Path | None,
    secret: Path | None,
    jobs: int | None,
    dask: str,
    seconds: float,
    memory: int,
    zip_names: str,
    trust: bool,
    as_root: bool,
    notebooks: Path,
) -> None:
    """Grade the notebooks in SUBMISSIONS, a folder or a zip: points, feedback pages and a report on the class."""
    from course_lib.classroom.grading.class_folder import class_folder
    from course_lib.classroom.grading.grade import Settings, grade_class
    from course_lib.classroom.grading.intake import known_encoding
    from course_lib.classroom.grading.walls import Limits
    from course_lib.classroom.run import find_lessons
    from course_lib.machine import cores

    place = expanded(submissions)
    if not place.exists():
        raise CourseError(f"There is nothing at {place}: give the folder or the zip in which the submissions are.")
    settings = Settings(
        out=expanded(out) if out else class_folder(build_dir().parent.resolve() / "grades", place),
        hand=expanded(hand) if hand else place.parent / "hand_marks.csv",
        secret=expanded(secret) if secret else place.parent / "class_secret.txt",
        workers=jobs or cores(),
        scheduler=dask,
        limits=Limits(seconds=seconds, memory_mb=memory),
        trust=trust,
        zip_names=known_encoding(zip_names),
        as_root=as_root,
    )
    context.invoke(fetch)
    grade_class(place, find_lessons(notebooks.resolve(), ()), settings, click.echo)
    click.echo(f"Grades, feedback and report are in {settings.out}; open {settings.out / 'report.html'}.")


@cli.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--benches", type=click.Path(path_type=Path), default=ROOT / "tests" / "benchmarks", hidden=True)
@click.pass_context
def bench(context: click.Context, names: tuple[str, ...], benches: Path) -> None:
    """Measure the course against its peers, in all benches or those named, and leave build/bench/results.json."""
    from course_lib.classroom.bench import bench_dir, environment, find_benches, run_benches, table

    chosen, out = find_benches(benches, names), bench_dir()
    context.invoke(fetch)
    python = environment(out / "venv", benches / "peers.txt", click.echo)
    rows, failed = run_benches(chosen, out, python, click.echo)
    for line in table(rows):
        click.echo(line)
    click.echo(f"Everything is in {out / 'results.json'}.")
    if failed:
        raise CourseError(f"{len(failed)} of {len(chosen)} files of benches failed (see above): {', '.join(failed)}.")


def expanded(path: Path) -> Path:
    """``path`` from the root on, with a "~" at its beginning as the shell reads it."""
    try:
        return path.expanduser().resolve()
    except (RuntimeError, OSError) as error:
        raise CourseError(f"{path} leads nowhere ({error}): name the whole path.") from error


def main() -> None:
    """Entry point: every failure is one sentence on the error stream and an exit code."""
    for stream in (sys.stdout, sys.stderr):  # a console in another encoding shows \\u2714 where it has no such letter
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a session that closes ends it as Ctrl-C does: all of it
    try:
        cli(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("Stopped; nothing is half done: the same command goes on from here.", err=True)
        sys.exit(130)
    except CourseError as error:
        click.echo(str(error), err=True)
        sys.exit(getattr(error, "exit_code", 1))
    except OSError as error:  # of a file that nobody foresaw; a full disk while a library writes
        where = f" at {error.filename}" if error.filename else ""
        help = "make room there" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "mend that"
        click.echo(f"{error.strerror or error}{where}: {help}, and run the same command again.", err=True)
        sys.exit(1)
