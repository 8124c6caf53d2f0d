"""The code blocks of a page of docs/, as they stand there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Dict, List, Optional

DOCS = Path(__file__).resolve().parents[1] / "docs"


def blocks(page: str, language: str = "python") -> List[str]:
    """The blocks of a language, in order."""
    text = (DOCS / page).read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def block(page: str, first_line: str, language: str = "python") -> str:
    """The one block that begins with ``first_line``."""
    (found,) = [code for code in blocks(page, language) if code.startswith(first_line)]
    return found


def run_block(page: str, first_line: Optional[str] = None) -> Dict[str, Any]:
    """What a block defines, run here; the page's only one if no first line is given."""
    code = blocks(page)[0] if first_line is None else block(page, first_line)
    if first_line is None:
        assert len(blocks(page)) == 1
    scope: Dict[str, Any] = {}
    exec(compile(code, f"{page}: {first_line or 'its code'}", "exec"), scope)
    return scope


def write_files(page: str, folder: Path) -> List[Path]:
    """Write the blocks whose first line is a comment with a file's name, below ``folder``."""
    written = []
    for code in [*blocks(page), *blocks(page, "yaml")]:
        found = re.match(r"# ([\w/]+\.(?:py|yaml))\n", code)
        if found:
            path = folder / found[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(code, "utf-8")
            written.append(path)
    return written
