"""Each recipe that ships, for two updates and one validation, through the real fairseq-hydra-train.

Not part of ``make test``; ``make smoke`` and CI run it.
"""

from pathlib import Path
from typing import Dict, List, Tuple

import pytest
from english import write_english, write_labelled
from glue_files import write_glue
from multimodal_files import write_pickle
from speech import ROOT, run, synthesise

CONFIGS = ROOT / "configs"
RECIPES = sorted(path.stem for path in CONFIGS.glob("*.yaml"))
PRETRAINING = [name for name in RECIPES if name.startswith(("audio_", "audio2_"))]
RECOGNITION = [name for name in RECIPES if name.startswith(("asr_", "asr2_"))]
TEXT = [name for name in RECIPES if name.startswith(("text_base", "text2_"))]
GLUE = [name for name in RECIPES if name.startswith(("glue_", "glue2_"))]
CLASSIFICATION = ["text_classification", *GLUE]
IMAGES = [name for name in RECIPES if name.startswith(("image_", "image2_"))]
MULTIMODAL = [name for name in RECIPES if name.startswith("mtag_")]
MEMES = [name for name in RECIPES if name.startswith("meme_")]
IMAGENET = [name for name in RECIPES if name.startswith(("imagenet_", "imagenet2_"))]


def of(recipe: str) -> str:
    """Behind the name of a kind: which data2vec a recipe is of."""
    return "2" if recipe.split("_")[0].endswith("2") else ""


def smoke(recipe: str, data: Path, folder: Path, *overrides: str) -> str:
    """The recipe's own command with `+run=smoke`."""
    command: List[str] = ["fairseq-hydra-train", "--config-dir", str(CONFIGS), "--config-name", recipe, "+run=smoke"]
    paths = (f"task.data={data}", f"checkpoint.save_dir={folder}", "common.log_format=json")
    return run([*command, *paths, *overrides], cwd=folder)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthesise(tmp_path_factory.mktemp("speech"))


@pytest.fixture(scope="module")
def checkpoints(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Dict[str, Path]:
    return {kind: pretrained(f"audio{kind}_base", data, tmp_path_factory, *small(kind)) for kind in ("", "2")}


def pretrained(recipe: str, data: Path, factory: pytest.TempPathFactory, *overrides: str) -> Path:
    """The checkpoint of a recipe's two updates."""
    folder = factory.mktemp(recipe)
    smoke(recipe, data, folder, *overrides, "checkpoint.no_save=false")
    return folder / "checkpoint_last.pt"


def small(kind: str) -> Tuple[str, ...]:
    """Two updates on a few seconds of speech."""
    return f"+size/audio{kind}=tiny", "dataset.train_subset=train-unlabelled", "task.min_sample_size=8000"


def test_every_recipe_belongs_to_a_kind_that_is_run_here() -> None:
    assert set(RECIPES) == {*PRETRAINING, *RECOGNITION, *TEXT, *CLASSIFICATION, *IMAGES, *IMAGENET, *MULTIMODAL, *MEMES}


@pytest.mark.parametrize("recipe", PRETRAINING)
def test_pretraining(recipe: str, data: Path, tmp_path: Path) -> None:
    log = smoke(recipe, data, tmp_path, *small(of(recipe)))
    assert '"num_updates": "2"' in log
    assert "valid_loss" in log


@pytest.mark.parametrize("recipe", RECOGNITION)
def test_recognition(recipe: str, data: Path, checkpoints: Dict[str, Path], tmp_path: Path) -> None:
    splits = ("dataset.train_subset=train-labelled", "dataset.valid_subset=valid")
    log = smoke(recipe, data, tmp_path, *splits, f"model.w2v_path={checkpoints[of(recipe)]}")
    assert '"num_updates": "2"' in log
    assert "valid_wer" in log


@pytest.fixture(scope="module")
def english(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_english(tmp_path_factory.mktemp("english"))


@pytest.mark.parametrize("recipe", TEXT)
def test_text(recipe: str, english: Path, tmp_path: Path) -> None:
    log = smoke(recipe, english, tmp_path, f"+size/text{of(recipe)}=tiny", "task.bpe=sentencepiece")
    assert '"num_updates": "2"' in log
    assert "valid_loss" in log


@pytest.fixture(scope="module")
def encoders(english: Path, tmp_path_factory: pytest.TempPathFactory) -> Dict[str, Path]:
    return {
        kind: pretrained(
            f"text{kind}_base", english, tmp_path_factory, f"+size/text{kind}=tiny", "task.bpe=sentencepiece"
        )
        for kind in ("", "2")
    }


@pytest.fixture(scope="module")
def binaries(english: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our own sentences, and the eight tasks in the official format, as fairseq's binaries."""
    folder = tmp_path_factory.mktemp("binaries")
    subwords = ["--sentencepiece", str(english / "spm.model"), "--dict", str(english / "dict.txt")]
    own = write_labelled(folder / "own")
    run(["data2vec", "sentences", str(own), "--out", str(folder / "text_classification"), *subwords])
    run(["data2vec", "glue", "prepare", str(write_glue(folder / "GLUE")), "--out", str(folder), *subwords])
    return folder


@pytest.mark.parametrize("recipe", CLASSIFICATION)
def test_classification(recipe: str, binaries: Path, encoders: Dict[str, Path], tmp_path: Path) -> None:
    task = recipe.split("_", 1)[1] if recipe in GLUE else recipe
    classes = () if recipe in GLUE else ("task.num_classes=2",)
    log = smoke(recipe, binaries / task, tmp_path, f"model.model_path={encoders[of(recipe)]}", *classes)
    assert '"num_updates": "2"' in log
    metrics = {"cola": "mcc", "mrpc": "acc_and_f1", "qqp": "acc_and_f1", "sts_b": "pearson_and_spearman"}
    assert f'"valid_{metrics.get(task, "accuracy")}"' in log
    assert task != "mnli" or '"valid1_accuracy"' in log


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("torchvision")
    from images import write_tree

    folder = tmp_path_factory.mktemp("pictures")
    for split in ("train", "val"):
        write_tree(folder / split, {"cat": 3, "dog": 3})
    return folder


def tiny_images(kind: str) -> Tuple[str, str]:
    return f"+size/image{kind}=tiny", "task.input_size=64"


@pytest.mark.parametrize("recipe", IMAGES)
def test_images(recipe: str, pictures: Path, tmp_path: Path) -> None:
    assert '"num_updates": "2"' in smoke(recipe, pictures, tmp_path, *tiny_images(of(recipe)))


@pytest.fixture(scope="module")
def image_encoders(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Dict[str, Path]:
    return {kind: pretrained(f"image{kind}_base", pictures, tmp_path_factory, *tiny_images(kind)) for kind in ("", "2")}


@pytest.mark.parametrize("recipe", IMAGENET)
def test_imagenet(recipe: str, pictures: Path, image_encoders: Dict[str, Path], tmp_path: Path) -> None:
    sizes = ("task.input_size=64", "model.num_classes=2")
    log = smoke(recipe, pictures, tmp_path, *sizes, f"model.model_path={image_encoders[of(recipe)]}")
    assert '"num_updates": "2"' in log
    assert '"val_accuracy_top5"' in log


@pytest.mark.parametrize("recipe", MULTIMODAL)
def test_multimodal(recipe: str, tmp_path: Path) -> None:
    pickled = write_pickle(tmp_path / "data.pkl", emotions=recipe.endswith("iemocap"))
    run(["data2vec", "multimodal", "convert", str(pickled), "--out", str(tmp_path / "data")])
    log = smoke(recipe, tmp_path / "data", tmp_path)
    assert '"num_updates": "2"' in log
    assert ('"test_f1_happy"' if recipe.endswith("iemocap") else '"test_mae"') in log


@pytest.fixture(scope="module")
def memes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from meme_files import write_memes

    return write_memes(tmp_path_factory.mktemp("memes") / "data")


def test_memes_on_data2vec(
    memes: Path, image_encoders: Dict[str, Path], encoders: Dict[str, Path], english: Path, tmp_path: Path
) -> None:
    paths = (f"model.image_path={image_encoders['']}", f"model.text_path={encoders['']}")
    subwords = (f"+task.dictionary={english / 'dict.txt'}", f"+task.sentencepiece={english / 'spm.model'}")
    log = smoke("meme_data2vec", memes, tmp_path, "task.input_size=64", *paths, *subwords)
    assert '"num_updates": "2"' in log
    assert '"valid_average_precision"' in log
    assert '"valid_smoothing": "0.6"' in log


def test_memes_as_published(memes: Path, tmp_path: Path) -> None:
    """VGG-16 has half a gigabyte of weights, so that captions alone are read here; by a BERT of our own making."""
    transformers = pytest.importorskip("transformers")
    bert = tmp_path / "bert"
    bert.mkdir()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"w{number}" for number in range(20))]
    (bert / "vocab.txt").write_text("\n".join(words) + "\n")
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    transformers.BertModel(transformers.BertConfig(vocab_size=len(words), **sizes)).save_pretrained(bert)
    log = smoke("meme_classic", memes, tmp_path, f"model.text_path={bert}", "model.modalities=text")
    assert '"num_updates": "2"' in log
    assert '"valid_accuracy_smoothed"' in log
