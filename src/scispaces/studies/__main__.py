"""Run one block of a study: ``python -m scispaces.studies zlpr --block scene-linear …``.

What is finished is kept beside the output, so a second call after a stop runs only the rest.
"""

import argparse
import json
import os
from pathlib import Path

from scispaces.studies import zlpr

STUDIES = {"zlpr": zlpr}


def main(arguments: list[str] | None = None) -> None:
    """Run a block and write its rows, one JSON object per line."""
    parser = argparse.ArgumentParser(prog="python -m scispaces.studies", description=__doc__)
    parser.add_argument("study", choices=STUDIES)
    parser.add_argument("--profile", choices=["quick", "full"], default="quick")
    parser.add_argument("--block", required=True, help="a data set and a model: scene-linear")
    parser.add_argument("--output", type=Path, required=True, help="the file of rows to write")
    parser.add_argument("--device", default="cpu", help="where to compute: cpu or cuda")
    chosen = parser.parse_args(arguments)
    study = STUDIES[chosen.study]
    if chosen.block not in study.blocks(chosen.profile):
        parser.error(f"no such block; there are {', '.join(study.blocks(chosen.profile))}")
    store = chosen.output.with_name(chosen.output.name + ".finished")
    rows = study.run_block(
        chosen.block, chosen.profile, device=chosen.device, store=store, progress=True
    )
    whole = chosen.output.with_name(chosen.output.name + ".new")
    whole.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    os.replace(whole, chosen.output)


if __name__ == "__main__":
    main()
