"""The training commands of the READMEs and of the recipes' headers, and what hydra and fairseq make of them."""

from __future__ import annotations

import re
import shlex
import warnings
from pathlib import Path
from typing import Any, Dict, List, NamedTuple

from fairseq.dataclass.initialize import add_defaults, hydra_init
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf
from speech import ROOT
from upstream_recipes import folder_of

PROGRAM = "fairseq-hydra-train"
PAGES = [path for path in (ROOT / "docs").glob("*.md") if path.stem != "extend"]  # whose test runs its command
PAGES = sorted([*PAGES, *(ROOT / "examples").glob("*/README.md")])
DOCUMENTS = [ROOT / "README.md", *PAGES]
RECIPES = sorted((ROOT / "configs").glob("*.yaml"))


class Written(NamedTuple):
    """A command as a document has it."""

    document: Path
    line: int
    text: str


def in_readme(path: Path) -> List[Written]:
    """The training commands of code blocks and of `code` that name a recipe; a preflight's words are a training's."""
    text = path.read_text(encoding="utf-8").replace("data2vec preflight --config", f"{PROGRAM} --config")
    block = re.compile(rf"^(?!.*`)[^\n#]*?({PROGRAM}(?:[^\n]*\\\n)*[^\n]*)", re.MULTILINE)
    found = [*block.finditer(text), *re.finditer(rf"`({PROGRAM} [^`]*)`", text)]
    commands = [Written(path, text.count("\n", 0, match.start()) + 1, match.group(1)) for match in found]
    return [command for command in commands if "--config-name" in command.text]


def in_header(path: Path) -> List[Written]:
    """The commands in the comments of a recipe."""
    lines = [line[1:] if line.startswith("#") else "" for line in path.read_text(encoding="utf-8").splitlines()]
    text = "\n".join(lines)
    found = re.finditer(rf"{PROGRAM} (?:[^\n]*\\\n)*[^\n]*", text)
    return [Written(path, text.count("\n", 0, match.start()) + 1, match.group()) for match in found]


def swept(command: str) -> List[str]:
    """The commands of a ``--multirun`` over files of a folder of configurations; a command that sweeps over none."""
    found = re.search(r"(\+[a-z_]+/[a-z_/]+=)([a-z_0-9]+(?:,[a-z_0-9]+)+)", command)
    if found is None or "--multirun" not in command:
        return [command]
    return [command.replace(found.group(), found.group(1) + choice) for choice in found.group(2).split(",")]


def composed(command: str, *more: str) -> Any:
    """What fairseq would be given: hydra's composition, with the defaults of whatever has a name.

    Raises what the command would end with: hydra's errors, and those of a batch that cannot be shared out.
    """
    from data2vec_plugin.host.launching.recipe_batch import settle
    from data2vec_plugin.host.launching.upstream import drop_mains_keys

    folder, name, overrides = _parts(command)
    hydra_init(name)
    cfg = _compose(folder, name, [*overrides, *more])
    drop_mains_keys(cfg)
    settle(cfg)
    add_defaults(cfg)
    return cfg


def _parts(command: str) -> tuple[Path, str, List[str]]:
    words = shlex.split(command.replace("\\\n", " "), comments=True)[1:]
    options: Dict[str, str] = {"--config-dir": "configs"}
    overrides = []
    rest = iter(words)
    for word in rest:
        if word in ("--config-dir", "--config-name"):
            options[word] = next(rest)
        elif word != "--multirun":
            overrides.append(word)
    folder = options["--config-dir"]
    if folder.startswith("$EXAMPLES/"):
        found = folder_of(folder[len("$EXAMPLES/") :])
        if found is None:
            raise FileNotFoundError(folder)
        return found, options["--config-name"], overrides
    return ROOT / folder, options["--config-name"], overrides


def _compose(folder: Path, name: str, overrides: List[str]) -> Any:
    try:
        from hydra import compose, initialize_config_dir
    except ImportError:  # hydra 1.0
        from hydra.experimental import compose, initialize_config_dir
    GlobalHydra.instance().clear()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fairseq's schemas are older than hydra 1.1
        with initialize_config_dir(config_dir=str(folder)):
            cfg = compose(name, overrides=overrides)
    OmegaConf.set_struct(cfg, True)
    return cfg
