"""The documents as a site: `make docs`, then open outputs/site/index.html.

Pages keep their paths, so that links between them work on the site and in the repository. A link to a folder leads to
its README; a link to code becomes the name of the file.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/**/*.md", "examples/*/README.md")
COPIED = ("docs/**/*.png", "examples/**/*.png", "docs/site.css")
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")


def page(path: Path) -> str:
    """A page's text with links that work on the site; raises ValueError for one that leads nowhere."""
    return LINK.sub(lambda found: link(path, *found.groups()), path.read_text("utf-8"))


def link(path: Path, picture: str, text: str, target: str) -> str:
    """A link of the page at ``path`` as the site has it."""
    whole = f"{picture}[{text}]({target})"
    if "://" in target or target.startswith("#"):
        return whole
    file, _, anchor = target.partition("#")
    found = (path.parent / file).resolve()
    if not found.exists():
        raise ValueError(f"{path.relative_to(ROOT)} links to {target}, which is not there")
    if found.is_dir():
        if not (found / "README.md").exists():
            return text
        file = f"{file.rstrip('/')}/README.md"
    elif found.suffix not in (".md", ".png"):
        return text if "`" in text else f"`{found.relative_to(ROOT)}`"
    return f"{picture}[{text}]({file}{'#' * bool(anchor)}{anchor})"


def write_sources(folder: Path) -> int:
    """Copy pages and pictures into an empty folder, and return how many pages there are."""
    shutil.rmtree(folder, ignore_errors=True)
    pages = [path for pattern in PAGES for path in sorted(ROOT.glob(pattern))]
    for path in pages:
        copy = folder / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(page(path), "utf-8")
    for path in (path for pattern in COPIED for path in ROOT.glob(pattern)):
        copy = folder / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    return len(pages)


def main() -> int:
    """Build; broken links and anchors are errors."""
    count = write_sources(ROOT / "outputs" / "site-source")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--config-file", "docs/mkdocs.yml"]
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    code = subprocess.run(command, cwd=ROOT, env=quiet, check=False).returncode
    if code == 0:
        print(f"{count} pages: outputs/site/index.html")
    return code


if __name__ == "__main__":
    sys.exit(main())
