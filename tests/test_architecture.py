"""Who imports whom, and the size of things: CONTRIBUTING.md's rules, read from the source.

The house, from the roof down; a part imports parts of lower floors only, and of those what `ALLOWED` says:

    cli          a subcommand is arguments and one call
    export       alignment    demo
    recognition
    tasks        convert      corpora    clips
    models       features     glue       host       memes
    preflight
    checkpoints  data         criterions
    interop      decoding     scoring
    doctor
    modalities   runs
    core         files
"""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Dict, Iterator, List, Set

import pytest
from sources import nodes

pytestmark = pytest.mark.source

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "data2vec_plugin"
SOURCES = sorted(PACKAGE.rglob("*.py"))
PARTS = sorted(path.name for path in PACKAGE.iterdir() if path.is_dir() and (path / "__init__.py").exists())

FLOORS = (
    {"core", "files"},
    {"modalities", "multimodal", "runs"},
    {"doctor"},
    {"interop", "decoding", "scoring"},
    {"checkpoints", "data", "criterions"},
    {"preflight"},
    {"models", "features", "glue", "host", "memes"},
    {"tasks", "convert", "corpora", "clips"},
    {"recognition"},
    {"alignment", "demo", "export"},
    {"cli"},
)
METHOD = {"core", "modalities", "multimodal"}

# what each part may import of ours, besides itself
ALLOWED: Dict[str, Set[str]] = {
    "core": set(),
    "files": set(),
    "modalities": {"core"},
    "multimodal": set(),
    "runs": {"files"},
    "doctor": {"files", "runs"},
    "interop": METHOD,
    "decoding": {*METHOD, "doctor", "files"},
    "scoring": {*METHOD, "files"},
    "criterions": METHOD,
    "data": {*METHOD, "files"},
    "checkpoints": {"core", "files", "interop", "runs"},
    "preflight": {*METHOD, "data", "files"},
    "models": {*METHOD, "checkpoints", "data", "interop"},
    "features": {*METHOD, "checkpoints", "data", "files", "interop"},
    "glue": {"data", "files", "runs"},
    "memes": {*METHOD, "checkpoints", "criterions", "data", "files", "runs"},
    "clips": {*METHOD, "checkpoints", "criterions", "data", "features", "files"},
    "corpora": {"data", "files", "glue"},
    "host": {
        *METHOD,
        "checkpoints",
        "criterions",
        "data",
        "decoding",
        "files",
        "interop",
        "preflight",
        "runs",
    },
    "convert": {*METHOD, "checkpoints", "data", "features", "files", "interop"},
    "tasks": {
        *METHOD,
        "checkpoints",
        "criterions",
        "data",
        "decoding",
        "doctor",
        "features",
        "files",
        "host",
        "interop",
    },
    "recognition": {"checkpoints", "convert", "data", "decoding", "features", "files", "interop", "modalities", "runs"},
    "alignment": {"corpora", "decoding", "files", "recognition", "runs"},
    "demo": {"files", "recognition"},
    "export": {*METHOD, "checkpoints", "features", "files", "recognition"},
    "cli": set(PARTS) - {"cli", "models", "tasks"},
}
MOST_MODULES = 14
BY_MODALITY = {"audio", "image", "speech", "text"}
REGISTERED = {
    "audio_config",
    "text_config",
    "data2vec_asr",
    "data2vec_image_classification",
    "mae_image_classification",
    "identify",
    "options",
}
"""Base names that may occur twice: a folder has a module a modality; fairseq and users know the others; what a part can
be told is its options."""


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imported(path: Path) -> Iterator[str]:
    """Absolute names of the modules that a file imports, wherever in it."""
    package = list(path.relative_to(ROOT).with_suffix("").parts)[:-1]
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def parts_of_ours(path: Path) -> Set[str]:
    """Parts of the package that a file imports."""
    names = [module.split(".") for module in imported(path)]
    return {words[1] for words in names if words[0] == PACKAGE.name and len(words) > 1 and words[1] in PARTS}


@pytest.mark.parametrize("part", PARTS)
def test_arrows(part: str) -> None:
    wrong = []
    for path in sorted((PACKAGE / part).rglob("*.py")):
        others = parts_of_ours(path) - {part}
        wrong += [f"{name(path)} imports {other}" for other in sorted(others - ALLOWED[part])]
    assert not wrong


def test_no_arrow_leads_upward() -> None:
    floor = {part: number for number, floor in enumerate(FLOORS) for part in floor}
    assert set(floor) == set(ALLOWED) == set(PARTS), "a new part needs a floor, and a line of what it may import"
    assert not [(part, other) for part, others in ALLOWED.items() for other in others if floor[other] >= floor[part]]


def test_every_arrow_names_a_part() -> None:
    assert parts_of_ours(PACKAGE / "models" / "data2vec_audio.py") == {
        "core",
        "data",
        "interop",
        "modalities",
        "models",
    }


def test_only_the_commands_import_the_commands() -> None:
    outside = [*PACKAGE.glob("*.py"), *(ROOT / "data2vec_compat").rglob("*.py"), *(ROOT / "examples").rglob("*.py")]
    assert not [name(path) for path in outside if "cli" in parts_of_ours(path)]


@pytest.mark.parametrize("path", sorted((ROOT / "examples").rglob("*.py")), ids=name)
def test_an_example_imports_the_package_and_what_is_its_own(path: Path) -> None:
    others = {each.stem for each in (ROOT / "examples").rglob("*.py")} - {
        each.stem for each in path.parent.glob("*.py")
    }
    assert not others & {module.split(".")[0] for module in imported(path)}
    assert "sys.path" not in path.read_text("utf-8")


def test_no_folder_is_a_heap() -> None:
    modules = [path for path in SOURCES if path.name != "__init__.py"]
    crowded = Counter(path.parent for path in modules)
    assert not {name(folder): count for folder, count in crowded.items() if count > MOST_MODULES}


def test_a_name_says_which() -> None:
    named = Counter(path.stem for path in SOURCES if path.name != "__init__.py" and path.parent.name != "cli")
    assert not {stem for stem, count in named.items() if count > 1} - BY_MODALITY - REGISTERED


@pytest.mark.parametrize("part", ["core", "modalities", "multimodal", "interop", "files", "runs", "doctor"])
def test_method_and_ground_floor_know_nothing_of_fairseq(part: str) -> None:
    hosts = ("fairseq", "fairseq_cli", "hydra", "omegaconf")
    users = [name(p) for p in (PACKAGE / part).rglob("*.py") for m in imported(p) if m.split(".")[0] in hosts]
    assert not users


def test_core_needs_torch_and_numpy_only() -> None:
    needed = {module.split(".")[0] for path in (PACKAGE / "core").rglob("*.py") for module in imported(path)}
    assert needed - set(getattr(sys, "stdlib_module_names", needed)) <= {"torch", "numpy", PACKAGE.name}


COMPAT, LAUNCHING = ROOT / "data2vec_compat", PACKAGE / "host" / "launching"
needs_standard_names = pytest.mark.skipif(
    not hasattr(sys, "stdlib_module_names"), reason="Python 3.9 has no list of them"
)


def imported_at_once(path: Path) -> Set[str]:
    """Absolute names of the modules that importing a file imports: not those in functions, nor those for types."""
    lazy = [node for node in nodes(path) if isinstance(node, (ast.FunctionDef, ast.If))]
    inside = {id(node) for outer in lazy for node in ast.walk(outer)}
    names = set()
    for node in nodes(path):
        if id(node) not in inside and isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif id(node) not in inside and isinstance(node, ast.ImportFrom):
            package = list(path.relative_to(ROOT).parts)[: -node.level] if node.level else []
            names.add(".".join([*package, *filter(None, [node.module])]))
    return names


@needs_standard_names
@pytest.mark.parametrize("folder", [COMPAT, LAUNCHING], ids=name)
def test_what_is_there_before_fairseq_imports_the_standard_library_only(folder: Path) -> None:
    own = ".".join(folder.relative_to(ROOT).parts)
    known = {*sys.stdlib_module_names, "__future__"}
    wrong = [
        f"{name(path)} imports {module}"
        for path in folder.rglob("*.py")
        for module in imported_at_once(path)
        if not (module.split(".")[0] in known or module == own or module.startswith(f"{own}."))
    ]
    assert not wrong


def test_launching_asks_its_modules_for_names() -> None:
    """`from . import x` imports the packages above, before fairseq has imported the plugin."""
    own = ".".join(LAUNCHING.relative_to(ROOT).parts)
    assert not [name(path) for path in LAUNCHING.rglob("*.py") if own in imported_at_once(path)]
    assert own + ".recipe_batch" in imported_at_once(LAUNCHING / "machine.py")


def test_compat_knows_nothing_of_our_recipes() -> None:
    ours = re.compile(r"\bgpus_here|keep_batch|_hydra_main|sweep|data2vec_(audio|text|vision|asr)")
    users = [name(path) for path in COMPAT.rglob("*.py") if ours.search(path.read_text("utf-8"))]
    plugin = [name(path) for path in COMPAT.rglob("*.py") if any(PACKAGE.name in module for module in imported(path))]
    assert not users + plugin


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in nodes(path):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


def lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return int(node.end_lineno or 0) - node.lineno + 1


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_nothing_from_a_configuration_is_run(path: Path) -> None:  # B23
    calls = [node.func.id for node in nodes(path) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    assert not {"eval", "exec"} & set(calls)
    asserts = [node.lineno for node in nodes(path) if isinstance(node, ast.Assert)]
    assert not asserts, "input is refused with a ValueError that says what to do; python -O drops an assert"


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_files_and_functions_stay_small(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= 300
    assert not [f"{node.name}: {lines(node)} lines" for node in functions(path) if lines(node) > 60]


def test_most_functions_are_shorter_still() -> None:
    sizes: List[int] = sorted(lines(node) for path in SOURCES for node in functions(path))
    assert sizes[int(len(sizes) * 0.9)] <= 30


def test_forward_of_the_method_fits_one_look() -> None:
    forward = next(node for node in functions(PACKAGE / "core" / "model.py") if node.name == "forward")
    assert lines(forward) <= 25
