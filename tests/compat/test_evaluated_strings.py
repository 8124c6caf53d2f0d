"""What fairseq would run of a checkpoint's or a recipe's strings is read instead, in every module that does so."""

import ast
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Dict, Iterator, Set, Tuple

import pytest

from data2vec_compat.literals import MOST_CHARACTERS, parse_literal
from data2vec_compat.patches.evaluated_strings import EVALUATED, read_setting

fairseq = pytest.importorskip("fairseq")

DOCUMENTED = Path(__file__).resolve().parents[2] / "docs" / "untrusted-files.md"
RUNS = {"eval", "exec", "compile", "__import__"}
IMPORTS = {
    *("fairseq.optim.lr_scheduler", "fairseq.optim", "fairseq.optim.fused_adam", "fairseq.tasks", "fairseq.criterions"),
    *("fairseq.model_parallel.criterions", "fairseq.model_parallel.models", "fairseq.models.ema", "fairseq.models"),
    *("fairseq.models.huggingface", "fairseq.data.audio.feature_transforms", "fairseq.data.audio"),
    *("fairseq.data.encoders", "fairseq.scoring", "fairseq.utils", "fairseq.models.speech_to_text.hub_interface"),
}
"""Modules that import others by a name that is made up, or ask `torch.hub`, none of it from a file but `user_dir`."""


def sources() -> Iterator[Tuple[str, ast.Module]]:
    """fairseq's modules by name, but its examples, which are reached by `user_dir` alone."""
    for package in ("fairseq", "fairseq_cli"):
        spec = find_spec(package)
        root = Path(next(iter(getattr(spec, "submodule_search_locations", ()))))
        for path in root.rglob("*.py"):
            parts = path.relative_to(root).with_suffix("").parts
            if "examples" not in parts:
                name = ".".join([package, *(part for part in parts if part != "__init__")])
                yield name, ast.parse(path.read_text("utf-8"))


def called(tree: ast.Module) -> Set[str]:
    """What a module calls, by its last names."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            found.add(node.func.id)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            found.add(f"{getattr(node.func.value, 'id', getattr(node.func.value, 'attr', ''))}.{node.func.attr}")
    return found


@pytest.fixture(scope="module")
def calls() -> Dict[str, Set[str]]:
    return {name: called(tree) for name, tree in sources()}


def test_every_module_that_evaluates_is_known(calls: Dict[str, Set[str]]) -> None:
    evaluating = {name for name, found in calls.items() if found & RUNS}
    assert evaluating, "fairseq 0.12.2 and main both do"
    assert evaluating <= set(EVALUATED)
    assert {name for name in EVALUATED if name in calls} <= evaluating, "one that no longer does"


def test_every_module_that_imports_by_name_is_known(calls: Dict[str, Set[str]]) -> None:
    kinds = {"importlib.import_module", "import_module", "hub.load"}
    assert {name for name, found in calls.items() if found & kinds} <= IMPORTS


def test_the_page_tells_of_each() -> None:
    page = DOCUMENTED.read_text("utf-8")
    assert not [name for name in (*EVALUATED, *IMPORTS) if f"`{name.partition('.')[2]}`" not in page]


@pytest.mark.parametrize("name", sorted(EVALUATED))
def test_nothing_is_run_in_any_of_them(name: str, tmp_path: Path) -> None:
    try:
        module: Any = import_module(name)
    except ImportError:  # of the main branch, or in want of a package
        pytest.skip(f"{name} cannot be imported here")
    mark = tmp_path / "ran"
    with pytest.raises(ValueError, match="is not evaluated"):
        module.eval(f"open({str(mark)!r}, 'w') or [(32, 10, 5)]")
    assert not mark.exists()
    assert module.eval("[(512, 10, 5)] + [(512, 3, 2)] * 2") == [(512, 10, 5), (512, 3, 2), (512, 3, 2)]


PUBLISHED = (
    "[(512, 10, 5)] + [(512, 3, 2)] * 4 + [(512,2,2)] + [(512,2,2)]",
    "[(512, 10, 5), (512, 8, 4), (512, 4, 2), (512, 4, 2), (512, 4, 2), (512, 1, 1), (512, 1, 1)]",
    "[(512, 2, 1), (512, 3, 1), (512, 4, 1), (512, 5, 1)]",
    "('/lm.bin', '/lexicon.txt', 2.0, -1)",
    "(0.9, 0.98)",
    "(1e-30, 1e-3)",
    "[(1, 64), (2, 128), (3, 192), (4, 256), (5, 256), (6, 256), (7, 256)]",
    "[(512, 3)] * 20",
    "[(850, 6)] * 3 + [(850, 1)] * 1 + [(850, 5)] * 4 + [(850, 1)] * 1 + [(850, 4)] * 3 + [(2048, 4)]",
    *("True", "False", "None", "[True, False]", "'True'", "{'beam': 5, 'data': None}", "{}"),
    *("10000,50000", "[1,2,3]", "1", "0.5*4", "-1e-3", "1/3", " 7 ", "(3,)", "{1, 2}", "7//2-1"),
)
"""What fairseq's defaults, its architectures and its documented recipes have."""


@pytest.mark.parametrize("text", PUBLISHED)
def test_published_values_are_what_they_were(text: str) -> None:
    assert parse_literal(text) == eval(text.strip())


@pytest.mark.parametrize(
    "text",
    [
        *("__import__('os').system('true')", "open('x')", "[x for x in (1,)]", "lambda: 1", "f'{1}'", "a", "[].append"),
        *(
            "1 if 1 else 2",
            "(1).real",
            "{**{}}",
            "[*[1]]",
            "2**9",
            "1 << 9",
            "'a' * 3",
            "'a' + 'b'",
            "1 and 2",
            "...",
            "1j",
        ),
        *("", "(", "x := 1", "not 1", "-'a'", "[1] * 2.0", "[1] + (1,)", "1 / 0", "9" * 5000, "\0"),
        *("[1] * 10000000", "(" * 5000, "-" * 5000 + "1", "+".join(["1"] * 5000), "[[]] * 99999 * 99999"),
        " " * (MOST_CHARACTERS + 1),
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_literal(text)


def test_an_error_names_key_and_value() -> None:
    with pytest.raises(ValueError, match=r"`wer_args` is .exit\(\)., which is not a literal .* and is not evaluated"):
        read_setting("exit()", ("wer_args",))
    with pytest.raises(TypeError, match="must be a string, not bool"):  # by which `eval_bool` tells what is a bool
        read_setting(True, ("wer_args",))


def test_fairseqs_own_readers_still_read() -> None:
    from fairseq import utils

    assert utils.eval_str_list("0.1, 0.2") == [0.1, 0.2]
    assert utils.eval_str_dict("{'a': 'b'}") == {"a": "b"}
    assert utils.eval_bool("True") is True
    assert utils.eval_bool(None, True) is True
    assert utils.eval_bool(True, default=False) is False, "stock fairseq's, too"
