"""The commands that documents show, in blocks and between backticks, and whether the programs would accept them."""

from __future__ import annotations

import argparse
import re
import shlex
from functools import lru_cache
from pathlib import Path
from typing import Callable, Dict, Iterator, List, NamedTuple, Set

from fairseq import options

from data2vec_plugin.cli.main import COMMANDS, build_parser

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
ASSIGNED = re.compile(r"[A-Z_0-9]+=\S*$")
SHELL = {"git", "cd", "tar", "mkdir", "cp", "for", "do", "done"}
"""Programs that are nobody's here; for is that of the shell."""
PACKAGES = {"aeon", "hydra-submitit-launcher", "pytesseract", "data2vec-fairseq"}
"""What documents name beyond the packages in `setup.py`."""


class Command(NamedTuple):
    """A command as a document has it; between backticks (``inline``) it may leave words out."""

    document: Path
    line: int
    text: str
    inline: bool


def documents() -> List[Path]:
    found = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    return sorted([*found, *(ROOT / "examples").glob("*/README.md"), *(ROOT / "configs").rglob("*.yaml")])


def commands(path: Path) -> Iterator[Command]:
    """The lines of a document's blocks, and what begins with a program between backticks."""
    text = path.read_text("utf-8")
    if path.suffix == ".yaml":
        text = "\n".join(line[1:] if line.startswith("#") else "" for line in text.splitlines())
    for block in BLOCK.finditer(text):
        for line in _whole_lines(block[2]) if block[1] in ("", "bash", "sh") else ():
            for part in re.split(r"&&|;(?= )", re.sub(r"\s#\s.*", "", line)):
                if _words(part):
                    yield Command(path, text.count("\n", 0, block.start()) + 1, part.strip(), inline=False)
    prose = BLOCK.sub(lambda found: "\n" * found[0].count("\n"), text)
    for found in INLINE.finditer(prose):
        words = _words(" ".join(found[1].split()))
        if len(words) > 1 and words[0] in CHECKS:
            yield Command(path, prose.count("\n", 0, found.start()) + 1, " ".join(found[1].split()), inline=True)


def _whole_lines(block: str) -> List[str]:
    return [line for line in block.replace("\\\n", " ").splitlines() if line.strip()]


def _words(text: str) -> List[str]:
    """The words, without comment, brackets of a subshell and variables in front."""
    try:
        words = shlex.split(text.strip().strip("()"), comments=True)
    except ValueError:  # a quote is open: prose
        return []
    while words and ASSIGNED.match(words[0]):
        del words[0]
    return words


def check(command: Command) -> None:
    """Raises ValueError for a command that its program would not accept, or that nothing here can check."""
    words = _words(command.text)
    if words[0] in SHELL:
        return
    if words[0] not in CHECKS:
        raise ValueError(f"`{words[0]}` is no program that is checked; if the block shows no commands, write ```text")
    CHECKS[words[0]](words, command.inline or "…" in words)


def _data2vec(words: List[str], parts_only: bool) -> None:
    if words[1] not in COMMANDS and words[1] != "COMMAND":
        raise ValueError(f"data2vec has no command {words[1]}")
    if words[1] in COMMANDS:
        parser = build_parser(words[1])
        if parts_only:
            _known(words, _options(parser))
        else:
            _parse(parser, words[1:], COMMANDS[words[1]].takes_overrides)


def _parse(parser: argparse.ArgumentParser, words: List[str], overrides: bool = False) -> None:
    try:
        _, rest = parser.parse_known_args(words)
    except SystemExit as error:
        raise ValueError(f"{' '.join(words)} is not accepted") from error
    if [word for word in rest if not overrides or word.startswith("-")]:
        raise ValueError(f"{rest} of {' '.join(words)} is not accepted")


def _options(parser: argparse.ArgumentParser) -> Set[str]:
    """All options of a parser and of its subcommands."""
    found = {option for action in parser._actions for option in action.option_strings}
    for action in parser._actions:
        for sub in (action.choices or {}).values() if isinstance(action, argparse._SubParsersAction) else ():
            found |= _options(sub)
    return found


def _known(words: List[str], known: Set[str]) -> None:
    unknown = {word.partition("=")[0] for word in words if word.startswith("--")} - known
    if unknown:
        raise ValueError(f"{words[0]} has no option {', '.join(sorted(unknown))}")


def _hydra_train(words: List[str], parts_only: bool) -> None:
    """`test_commands.py` composes each that names a recipe; the rest must at least name files that are there."""
    if "--config-name" in words and "--config-dir" not in words:
        recipe = words[words.index("--config-name") + 1]
        if not (ROOT / "configs" / f"{recipe}.yaml").exists():
            raise ValueError(f"there is no recipe {recipe}")
    elif "--config-name" not in words and not parts_only:
        raise ValueError("a training without --config-name is composed by no test")


@lru_cache(maxsize=1)
def _generation_options() -> Set[str]:
    parser = options.get_generation_parser()
    options.parse_args_and_arch(parser, ["data", "--path", "model.pt", "--task", "data2vec_asr"])
    found = _options(parser)
    from fairseq.tasks import TASK_REGISTRY

    TASK_REGISTRY["data2vec_asr"].add_args(parser := argparse.ArgumentParser())
    return found | _options(parser)


def _generate(words: List[str], parts_only: bool) -> None:
    if parts_only:
        _known(words, _generation_options())
    else:
        _evaluated(options.get_generation_parser(), words)


def _validate(words: List[str], parts_only: bool) -> None:
    if not parts_only:
        _evaluated(options.get_validation_parser(), words)


def _evaluated(parser: argparse.ArgumentParser, words: List[str]) -> None:
    try:
        options.parse_args_and_arch(parser, words[1:])
    except SystemExit as error:
        raise ValueError(f"{' '.join(words)} is not accepted") from error


def _make(words: List[str], parts_only: bool) -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    targets |= {f"quickstart-{path.parent.name}" for path in (ROOT / "examples").glob("*/run.py")}
    for word in words[1:]:
        name, is_variable, _ = word.partition("=")
        if is_variable and not re.search(rf"\$\((?:or \$\()?{name}\b|^{name} \?=", makefile, re.MULTILINE):
            raise ValueError(f"the Makefile reads no variable {name}")
        if not is_variable and name not in targets:
            raise ValueError(f"the Makefile has no target {name}")


def _python(words: List[str], parts_only: bool) -> None:
    if words[1] == "-m" and words[2] == "benchmarks":
        missing = [name for name in words[3:] if not (ROOT / "benchmarks" / f"{name}.py").exists()]
        if missing:
            raise ValueError(f"there is no benchmark {missing[0]}")
    elif words[1] == "-m" and words[2].startswith("benchmarks."):  # one of them, with arguments of its own
        if not (ROOT / f"{words[2].replace('.', '/')}.py").exists():
            raise ValueError(f"there is no {words[2]}")
    elif words[1].endswith(".py"):
        script = ROOT / words[1]
        if not script.exists():
            raise ValueError(f"there is no {words[1]}")
        sources = [script, *(ROOT / "data2vec_plugin" / "runs").rglob("*.py")]
        text = "".join(path.read_text("utf-8") for path in sources)
        _known(words, {word for word in words if f'"{word}"' in text})
    elif words[1] != "-c":
        raise ValueError(f"python {words[1]} is not checked")


def _pip(words: List[str], parts_only: bool) -> None:
    setup = (ROOT / "setup.py").read_text("utf-8")
    for word in words[2:]:
        name, extras = re.match(r"([\w.-]+)(?:\[([\w,]+)\])?", word).groups()  # type: ignore[union-attr]
        if not (name.startswith(("-", ".")) or name in PACKAGES or re.search(rf"""['"]{re.escape(name)}\W""", setup)):
            raise ValueError(f"pip: {name} is not among the packages that documents name")
        for extra in (extras or "").split(","):
            if extra and f'"{extra}"' not in setup:
                raise ValueError(f"setup.py has no extra {extra}")


def _pytest(words: List[str], parts_only: bool) -> None:
    missing = [word for word in words[1:] if word.startswith("tests") and not (ROOT / word).exists()]
    if missing:
        raise ValueError(f"there is no {missing[0]}")


def _torchrun(words: List[str], parts_only: bool) -> None:
    _hydra_train(words[words.index("fairseq-hydra-train") :], parts_only)


CHECKS: Dict[str, Callable[[List[str], bool], None]] = {
    "data2vec": _data2vec,
    "fairseq-hydra-train": _hydra_train,
    "fairseq-generate": _generate,
    "fairseq-validate": _validate,
    "make": _make,
    "python": _python,
    "pip": _pip,
    "pytest": _pytest,
    "torchrun": _torchrun,
}
