"""Links from pages of docs/ to lines of code follow the code: `python docs/link_lines.py` after it has moved.

A link to a line is written [`Name`](../path/file.py#L12) and leads to where the class or function is defined.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LINK = re.compile(r"\[`(\w+)`\]\(\.\./([\w/.]+)#L\d+\)")


def defined_at(name: str, path: str) -> int:
    """The line of a class or function; raises ValueError unless the file defines it once."""
    lines = (ROOT / path).read_text("utf-8").splitlines()
    found = [number for number, line in enumerate(lines, 1) if re.match(rf"(class|def) {name}\b", line)]
    if len(found) != 1:
        raise ValueError(f"{path} defines {name} {len(found)} times, expected once")
    return found[0]


def updated(text: str) -> str:
    """A page whose links to lines are right."""
    return LINK.sub(lambda link: f"[`{link[1]}`](../{link[2]}#L{defined_at(link[1], link[2])})", text)


def main() -> int:
    """Rewrite the pages that are not up to date."""
    for path in sorted((ROOT / "docs").glob("*.md")):
        text = path.read_text("utf-8")
        if updated(text) != text:
            path.write_text(updated(text), "utf-8")
            print(f"wrote {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
