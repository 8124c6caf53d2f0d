"""The page: what it shows of a recording, by itself and in a browser."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any, Iterator

import pytest
from recognition.recognisers import first_method
from speech import write_clip

from data2vec_plugin.cli.main import main
from data2vec_plugin.decoding.options import build_decoder
from data2vec_plugin.demo.app import LONGEST, Demo
from data2vec_plugin.recognition.recogniser import open_recogniser
from data2vec_plugin.recognition.transcription.transcribing import Transcriber


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    folder = tmp_path_factory.mktemp("demo")
    first_method(folder / "first.pt")
    recogniser = open_recogniser(folder / "first.pt", "cpu")
    transcriber = Transcriber(recogniser, build_decoder(None, recogniser.symbols, recogniser.blank))
    return Demo(transcriber, "What first.pt hears", folder / "files")


def test_a_recording_has_its_words_and_files(demo: Demo, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a clip.wav", 16_000, rate=8_000)
    shown = demo.show(str(clip))
    assert "data2vec-strip" in shown.strip
    assert shown.srt
    assert shown.json
    found = json.loads(Path(shown.json).read_text("utf-8"))
    assert found["duration"] == pytest.approx(2.0, abs=0.02)
    assert (found["text"] or "(no words)") == shown.text
    assert shown.strip.count("data2vec-word") == len(found["words"])
    assert Path(shown.srt).name == "a_clip.srt"


def test_what_is_wrong_with_a_file_is_shown(demo: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "page.wav").write_text("<script>")
    shown = demo.show(str(tmp_path / "page.wav"))
    assert "data2vec-error" in shown.strip
    assert "page.wav" in shown.strip
    assert str(tmp_path) not in shown.strip
    assert (shown.text, shown.srt, shown.json) == ("", None, None)
    assert demo.show(None).strip == ""
    monkeypatch.setattr("data2vec_plugin.demo.app.LONGEST", 1.0)
    long = write_clip(tmp_path / "long.wav", 32_000)
    assert "use `data2vec transcribe`" in demo.show(str(long)).strip
    assert LONGEST > 60


def test_without_gradio_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setitem(sys.modules, "gradio", None)
    assert main(["demo", "model.pt"]) == 1
    assert capsys.readouterr().err == (
        'data2vec demo: the demo requires gradio: pip install "data2vec-fairseq[demo]", or pip install gradio\n'
    )


@pytest.fixture
def address(demo: Demo) -> Iterator[str]:
    pytest.importorskip("gradio")
    page = demo.build()
    _, url, _ = page.launch(
        server_name="127.0.0.1", prevent_thread_lock=True, quiet=True, share=False, allowed_paths=[str(demo.folder)]
    )
    yield url
    page.close()


def chromium() -> str:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("no Chromium")
    return str(found)


def test_a_dropped_file_is_transcribed_in_a_browser(address: str, tmp_path: Path) -> None:
    """``DATA2VEC_SCREENSHOTS=FOLDER`` keeps pictures of the page."""
    playwright = pytest.importorskip("playwright.sync_api")
    clip = write_clip(tmp_path / "clip.wav", 16_000)
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 420, "height": 900})
        page.goto(address)
        page.set_input_files("input[type=file]", str(clip))
        page.wait_for_selector(".data2vec-strip", state="attached", timeout=60_000)
        assert page.locator(".data2vec-strip svg path").count() == 1
        assert page.evaluate("document.documentElement.scrollWidth") <= 420
        with page.expect_download() as offered:
            page.get_by_text("Download SRT").click()
        assert offered.value.suggested_filename.endswith(".srt")
        browser.close()
