"""The commands of examples/mtag that are ours alone, and what its README claims of sizes."""

import re
import shlex

import pytest
from documented_commands import in_readme, swept
from speech import ROOT

from data2vec_plugin.cli.main import build_parser
from data2vec_plugin.models.mtag import MTAGModel, MTAGModelConfig

README = ROOT / "examples" / "mtag" / "README.md"
TEXT = README.read_text(encoding="utf-8")
OURS = re.findall(r"^data2vec (?:[^\n]*\\\n)*[^\n]*", TEXT, re.MULTILINE)


@pytest.mark.parametrize("command", OURS, ids=lambda command: " ".join(command.split()[1:3]))
def test_commands_have_the_options_that_are_shown(command: str) -> None:
    words = shlex.split(command.replace("\\\n", " "))[1:]
    args, rest = build_parser(words[0]).parse_known_args(words)
    assert not rest
    assert args.command == "multimodal"


def test_all_three_commands_are_shown() -> None:
    assert [command.split()[2] for command in OURS] == ["convert", "encode", "predict"]


def test_every_row_of_the_ablation_is_shown() -> None:
    rows = {path.stem for path in (ROOT / "configs" / "ablation" / "mtag").glob("*.yaml")}
    shown = {name for found in re.findall(r"\+ablation/mtag=([a-z_,]+)", TEXT) for name in found.split(",")}
    assert shown == rows
    assert max(len(swept(command.text)) for command in in_readme(README)) > 1


def test_sizes_are_as_stated() -> None:
    for width, said in (((20, 300, 5), "117,169"), ((768, 768, 768), "243,825")):
        vision, text, audio = width
        cfg = MTAGModelConfig(vision_dim=vision, text_dim=text, audio_dim=audio, outputs=1)
        assert f"{sum(weight.numel() for weight in MTAGModel(cfg).parameters()):,}" == said
        assert said in TEXT
