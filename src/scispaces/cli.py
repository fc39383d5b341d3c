"""The command line: `scispaces --help`."""

from __future__ import annotations

import os
import sys
from dataclasses import astuple
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from scispaces.evidence import find_root, load_claims, load_results

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Scientific Spaces, Verified: run its chapters, check its numbers, cite its equations.",
    epilog="Run it inside the checkout. SCISPACES_DATA=DIR names a folder that holds data files.",
)
data_app = typer.Typer(no_args_is_help=True, help="The registered data files.")
app.add_typer(data_app, name="data")
# A log has no edge at which identifiers would have to be cut.
console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
_PAGE = 40  # lines of trouble that a person will read
_FEW = 10  # names that can all be suggested

Chapter = Annotated[str, typer.Argument(help="a chapter's slug, see `scispaces list`")]


class Profile(StrEnum):
    quick = "quick"
    full = "full"


class Style(StrEnum):
    bibtex = "bibtex"
    apa = "apa"
    text = "text"


@app.command("list")
def list_chapters() -> None:
    """List the chapters, with their claims and equations and whether they are built."""
    from scispaces.book.equations_source import find_equations
    from scispaces.book.graph import header
    from scispaces.evidence.project import chapters

    root = _root()
    claims, results = load_claims(root), load_results(root)
    table = Table("chapter", "title", "claims", "equations", "built", box=None)
    for slug in chapters(root):
        path = root / "notebooks" / f"{slug}.md"
        table.add_row(
            slug,
            header(path)["title"],
            str(sum(key.startswith(f"{slug}/") for key in claims)),
            str(len(find_equations(path.read_text(encoding="utf-8")))),
            results[slug]["profile"] if slug in results else "no",
        )
    console.print(table)


@app.command()
def run(
    chapter: Chapter,
    profile: Annotated[
        Profile, typer.Option(help="how much of the studies to run")
    ] = Profile.quick,
) -> None:
    """Execute a chapter's notebook and write its results, whether or not anything changed."""
    root = _root()
    _require_chapter(chapter, root)
    from scispaces.book.execute import execute

    execute(chapter, profile, root)


@app.command("verify")
def verify_claims(
    chapter: Annotated[str | None, typer.Argument(help="only this chapter (default: all)")] = None,
) -> None:
    """Compare every recorded number with its claim; print what differs, and fail on any."""
    from scispaces.evidence.project import chapters
    from scispaces.evidence.verify import verify

    root = _root()
    if chapter is not None:
        _require_chapter(chapter, root)
    slugs = [chapter] if chapter else chapters(root)
    claims, results = load_claims(root), load_results(root)
    if unbuilt := [slug for slug in slugs if slug not in results]:
        console.print(
            f"Not executed yet: {', '.join(unbuilt)}. Run `make book` first.", style="red"
        )
        raise typer.Exit(1)
    troubles = verify(claims, results, slugs)
    if not troubles:
        promised = sum(key.partition("/")[0] in slugs for key in claims)
        console.print(f"{promised} claims in {len(slugs)} chapters: all hold.")
        return
    columns = ("claim", "problem", "expected", "got", "tolerance", "published")
    table = Table(*columns, title=f"{len(troubles)} broken claims", title_justify="left")
    for trouble in troubles[:_PAGE]:
        table.add_row(*astuple(trouble))
    console.print(table)
    if len(troubles) > _PAGE:
        console.print(f"... and {len(troubles) - _PAGE} more.")
    raise typer.Exit(1)


@app.command()
def cite(
    label: Annotated[str, typer.Argument(help="an equation's label, for example zlpr-loss")],
    style: Annotated[Style, typer.Option("--format", help="how to print it")] = Style.bibtex,
) -> None:
    """Print a citation of one equation of the book."""
    from scispaces.book.equations_source import cite as citation
    from scispaces.book.equations_source import find_equations
    from scispaces.book.graph import header
    from scispaces.evidence.project import chapters

    known = []
    root = _root()
    for slug in chapters(root):
        path = root / "notebooks" / f"{slug}.md"
        known += [equation.label for equation in find_equations(path.read_text(encoding="utf-8"))]
        if label in known:
            print(citation(label, header(path)["title"], _address(slug, label), style))
            return
    _refuse(f"`LABEL` must be an equation of the book. Got {label!r}.", label, known)


@app.command("lint")
def lint_chapters() -> None:
    """Check the chapters' text: no typed result, every equation labelled and checked."""
    from scispaces.book.lint import lint

    findings = lint(_root())
    for finding in findings:
        console.print(str(finding), markup=False, soft_wrap=True)
    if findings:
        raise typer.Exit(1)
    console.print("The chapters keep their rules.")


@app.command()
def study(
    chapter: Chapter,
    block: Annotated[str, typer.Argument(help="one block of the chapter's study")],
    output: Annotated[Path, typer.Option(help="the JSON lines file to write")],
) -> None:
    """Run one block of a chapter's full study (a job of `make record`); resumes a killed one."""
    _require_chapter(chapter, _root())
    from scispaces.evidence.store import process_provenance, unfinished_trials, write_block

    module = import_module(f"scispaces.studies.{chapter.replace('-', '_')}")
    blocks = module.blocks("full")
    if block not in blocks:
        _refuse(f"`BLOCK` must be a block of {chapter!r}. Got {block!r}.", block, blocks)
    unfinished = unfinished_trials(output)
    rows = module.run_block(block, "full", store=unfinished, progress=True)
    write_block(output, rows, process_provenance(_root()))
    unfinished.unlink(missing_ok=True)


@app.command()
def record(
    chapter: Chapter,
    study: Annotated[
        bool, typer.Option("--study", help="store the study's trials, not the numbers")
    ] = False,
) -> None:
    """Store what has been run under data/recorded, for builds that cannot run it."""
    from scispaces.evidence.store import store_numbers, store_study

    root = _root()
    if study:
        stored = store_study(root, chapter)
    else:
        stored = store_numbers(root, chapter, load_claims(root))
    console.print(f"stored {stored.relative_to(root)}")


@data_app.command()
def status() -> None:
    """Say which registered files are here, by folder."""
    from scispaces import datasets

    table = Table("folder", "here", "registered", "size", "licence", box=None)
    folders: dict[str, list[str]] = {}
    for name in datasets.registry():
        folders.setdefault("/".join(name.split("/")[:2]) if "/" in name else name, []).append(name)
    for folder, names in folders.items():
        entries = [datasets.registry()[name] for name in names]
        table.add_row(
            folder,
            str(sum(datasets.available(name) for name in names)),
            str(len(names)),
            f"{sum(entry.bytes for entry in entries) / 1e6:.1f} MB",
            entries[0].licence,
        )
    console.print(table)
    console.print(f"SCISPACES_DATA={os.environ.get('SCISPACES_DATA', '(not set)')}", soft_wrap=True)


@data_app.command()
def fetch(
    prefix: Annotated[str, typer.Argument(help="a file or folder of the registry")],
) -> None:
    """Download the registered files below PREFIX, each checked against its hash."""
    from scispaces import datasets

    names = [name for name in datasets.registry() if name.startswith(prefix)]
    if not names:
        _refuse(f"`PREFIX` must match a registered file. Got {prefix!r}.", prefix, _folders())
    for name in names:
        try:
            console.print(str(datasets.path(name)), soft_wrap=True)
        except datasets.DataUnavailableError as error:
            console.print(str(error), style="red", soft_wrap=True)
            raise typer.Exit(1) from None


def _folders() -> list[str]:
    """Return the folders of the registry, for suggestions."""
    from scispaces import datasets

    return sorted({name.rpartition("/")[0] for name in datasets.registry()})


def _root() -> Path:
    """Return the checkout's folder, or stop with a sentence."""
    try:
        return find_root()
    except FileNotFoundError as error:
        console.print(str(error), style="red", markup=False, soft_wrap=True)
        raise typer.Exit(2) from None


def _require_chapter(chapter: str, root: Path) -> None:
    from scispaces.evidence.project import chapters

    if chapter not in chapters(root):
        _refuse(f"`CHAPTER` must be a chapter's slug. Got {chapter!r}.", chapter, chapters(root))


def _refuse(sentence: str, got: str, known: list[str]) -> None:
    """Say what must hold, suggest the nearest names, and stop."""
    from difflib import get_close_matches

    near = get_close_matches(got, known, n=3, cutoff=0.6) or (known if len(known) < _FEW else [])
    hint = f" Did you mean {', '.join(near)}?" if near else ""
    console.print(sentence + hint, style="red", markup=False, soft_wrap=True)
    raise typer.Exit(2)


def _address(slug: str, label: str) -> str:
    """Return an equation's permalink, if `SCISPACES_URL` says where the book is served."""
    base = os.environ.get("SCISPACES_URL", "").rstrip("/")
    return f"{base}/notebooks/{slug}.html#equation-{label}" if base else ""


if __name__ == "__main__":
    app()
