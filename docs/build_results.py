"""docs/results.md out of docs/results/*.json: `python docs/build_results.py`.

Each file is a group: `title`, `about` and `results`. A result has these fields; `null` is printed as "not recorded".

| field | is |
| --- | --- |
| `id`, `title` | its anchor on the page and its heading |
| `command` | what measures it |
| `date` | the day of the measurement (YYYY-MM-DD) |
| `commit` | the version that was measured |
| `recorded_in` | the commit that brought the numbers into the documents |
| `hardware`, `machine` | processors; whether other work ran at the same time |
| `versions` | a version for each package |
| `seeds` | a list of integers |
| `columns`, `rows` | the table: a row's first cell says what it is, the others are numbers or null |
| `documents` | the documents that state these numbers |
| `note` | what else one must know, or null |
"""

import json
import os
import sys
from pathlib import Path
from typing import Any, Dict, List

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "results.md"
GROUPS = ("speech", "text_and_images", "multimodal", "ablation", "recognition", "speed")
FIELDS = {
    *("id", "title", "command", "date", "commit", "recorded_in", "hardware", "machine", "versions"),
    *("seeds", "columns", "rows", "documents", "note"),
}
START = """# Results

The numbers that were measured with this package, with the commands that measure them: all that the documents state, and
some that they do not. They compare two starts, two methods or two programs on small or synthetic data.
[LibriSpeech](../examples/librispeech), [ImageNet](../examples/imagenet) and [GLUE](../examples/glue) list the published
figures, which have not been reproduced with this package yet.

"Recorded in" is the commit that brought a number into the documents. "Not recorded" means that it was not written down
at the time. The page is built from `docs/results/*.json` by `python docs/build_results.py`, whose first lines
explain the fields. To add a result, edit the JSON and run the script.
"""


def read_groups() -> List[Dict[str, Any]]:
    """The groups in the order of the page; raises ValueError where a result's fields are not the documented ones."""
    groups = [json.loads((ROOT / "docs" / "results" / f"{name}.json").read_text("utf-8")) for name in GROUPS]
    for group in groups:
        for result in group["results"]:
            if set(result) != FIELDS:
                raise ValueError(f"`{result.get('id')}` lacks or has too many fields: {sorted(set(result) ^ FIELDS)}")
    return groups


def page() -> str:
    """The whole page."""
    parts = [START]
    for group in read_groups():
        parts.append(f"## {group['title']}\n\n{group['about']}\n")
        parts += [section(result) for result in group["results"]]
    return "\n".join(parts)


def section(result: Dict[str, Any]) -> str:
    """A heading, the table, and how it was measured."""
    rows = [result["columns"], ["---"] * len(result["columns"]), *result["rows"]]
    table = "\n".join("| " + " | ".join(cell(value) for value in row) + " |" for row in rows)
    versions = result["versions"] and ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    load = result["machine"] or "load not recorded"
    seeds = result["seeds"] and ", ".join(map(str, result["seeds"]))
    facts = [
        f"**Command:** `{result['command']}`" if result["command"] else "**Command:** not recorded",
        f"**Date:** {known(result['date'])} · **commit:** {known(result['commit'])} · **recorded in:** "
        f"{known(result['recorded_in'])} · **seeds:** {known(seeds)}",
        f"**Hardware:** {result['hardware']}, {load} · **versions:** {known(versions)}",
    ]
    if result["documents"]:
        facts.append("**Stated in:** " + ", ".join(link(name) for name in result["documents"]))
    note = f"{result['note']}\n\n" if result["note"] else ""
    return f"### {result['title']}\n\n{table}\n\n{note}" + "\n".join(f"- {fact}" for fact in facts) + "\n"


def link(document: str) -> str:
    """A link to a document from the page."""
    return f"[{document}]({os.path.relpath(ROOT / document, PAGE.parent)})"


def cell(value: Any) -> str:
    """A cell of a table; what was not measured is empty."""
    return "" if value is None else str(value)


def known(value: Any) -> str:
    """A field as text."""
    return str(value) if value else "not recorded"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")
    sys.exit(0)
