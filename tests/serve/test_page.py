"""The page in a real browser: it says what the predictor says, at any width, by keyboard, and what is wrong."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from vidcls.predict import Predictor
from vidcls.predict.output import table_line
from vidcls.video import write_video

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from playwright.sync_api import Page as Tab

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
FAKE_CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
LONG_MS = 60_000
TOKEN = "a-token-of-some-length"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    if CHROMIUM is None:
        pytest.skip("needs Chromium")
    with playwright.sync_playwright() as started:
        found = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *FAKE_CAMERA])
        yield found
        found.close()


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds that a browser can play."""
    path = tmp_path_factory.mktemp("page") / "moving.mp4"
    frames = torch.randint(0, 255, (1, 3, 64, 80), generator=torch.Generator().manual_seed(3), dtype=torch.uint8)
    write_video(path, torch.cat([frames.roll(2 * t, dims=-1) for t in range(40)]), fps=10)
    return path


@pytest.fixture(scope="module")
def page_url(serve, checkpoint: Path, video: Path, clip_folder: Path) -> str:
    """A server with examples and the page of a run."""
    pytest.importorskip("fastapi", reason="needs the extra serve")
    from vidcls.serve.page import Example, Page

    report = checkpoint.with_name("report.html")
    report.write_text("<h1>the run</h1>")
    examples = [Example(video, "left"), Example(next(clip_folder.glob("test/still/*.avi")), "still")]
    return serve(page=Page("two_stream/one", checkpoint=checkpoint, device="cpu", examples=examples, report=report)).url


@pytest.fixture
def tab(browser: Browser, page_url: str) -> Iterator[Tab]:
    """The page, opened; nothing on it may fail unseen."""
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    found = context.new_page()
    found.set_default_timeout(LONG_MS)
    faults: list[str] = []
    found.on("pageerror", lambda error: faults.append(str(error)))
    found.on(
        "console", lambda said: faults.append(said.text) if said.type == "error" and "422" not in said.text else None
    )
    found.goto(page_url)
    found.wait_for_selector("#examples:not([hidden])")
    yield found
    context.close()
    assert faults == []


def test_an_upload_shows_the_label_and_the_score_of_the_predictor(tab: Tab, predictor: Predictor, video: Path) -> None:
    tab.set_input_files("#file", video)
    tab.wait_for_selector("#time-details:not([hidden])", state="attached")
    prediction = predictor(video)
    label, score = prediction.top(1)[0]
    assert (tab.text_content("#label"), tab.text_content("#score")) == (label, f"{score:.3f}")
    assert f"{label:<5} {score:.3f}" in table_line(prediction, top_k=1, path_width=1, with_time=False)
    assert tab.locator("#bars li").count() == 3
    assert [tab.locator("#streams h3").nth(k).text_content() for k in range(2)] == ["spatial", "temporal"]
    windows = predictor.timeline(video, 0.5)
    assert tab.locator("#time button").count() == len(windows)
    assert tab.locator("#time-rows tr").first.locator("td").nth(2).text_content() == windows[0].label
    assert tab.evaluate("document.getElementById('preview').error") is None
    tab.locator("#time button").nth(4).click()
    assert tab.evaluate("document.getElementById('preview').currentTime") == pytest.approx(2.0)


def test_heat_is_a_video_with_both_streams_and_the_flow(tab: Tab, video: Path) -> None:
    tab.set_input_files("#file", video)
    tab.wait_for_selector("#result:not([hidden])")
    tab.select_option("#heat-class", "right")
    tab.click("#heat-button")
    tab.wait_for_selector("#heat:not([hidden])")
    tab.wait_for_function("document.getElementById('heat').readyState > 0")
    width = tab.evaluate("document.getElementById('heat').videoWidth")
    assert width >= 4 * 160  # the video, spatial, temporal on the frame and on the flow, of 80x64 px twice as large


def test_a_broken_file_is_said_in_one_line_and_the_next_works(tab: Tab, video: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video at all" * 100)
    tab.set_input_files("#file", broken)
    tab.wait_for_selector("#error:not([hidden])")
    said = tab.text_content("#error") or ""
    assert said == "broken.mp4: Invalid data found when processing input; it is text, not a video"
    assert tab.is_hidden("#result")
    tab.set_input_files("#file", video)
    tab.wait_for_selector("#result:not([hidden])")
    assert tab.is_hidden("#error")


@pytest.mark.parametrize(("width", "scheme"), [(412, "dark"), (1200, "light")])
def test_nothing_is_wider_than_the_screen_and_dark_is_dark(browser, page_url, video, width: int, scheme: str) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    tab = context.new_page()
    tab.goto(page_url)
    tab.set_input_files("#file", video)
    tab.wait_for_selector("#time-details:not([hidden])", state="attached", timeout=LONG_MS)
    tab.click("#time-details summary")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    back = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (back == "rgb(255, 255, 255)") == (scheme == "light")
    context.close()


def test_by_keyboard_alone(tab: Tab) -> None:
    for _ in range(12):
        tab.keyboard.press("Tab")
        if "still" in tab.evaluate("document.activeElement.textContent"):
            break
    tab.keyboard.press("Enter")  # an example, of a kind that browsers do not play
    tab.wait_for_selector("#result:not([hidden])")
    tab.wait_for_selector("#no-preview:not([hidden])")
    with tab.expect_file_chooser() as chooser:
        tab.focus("#file")
        tab.keyboard.press("Enter")
    assert chooser.value is not None
    assert "3px" in tab.evaluate("getComputedStyle(document.getElementById('drop')).outlineWidth")


@pytest.mark.slow
def test_the_webcam_is_recorded_and_labelled(tab: Tab) -> None:
    tab.click("#record")
    tab.wait_for_selector("#result:not([hidden])")
    assert (tab.text_content("#name") or "").startswith("webcam.")


@pytest.mark.slow
def test_a_dropped_file_is_labelled(tab: Tab, video: Path) -> None:
    drop = """(bytes) => { const data = new DataTransfer(); data.items.add(new File([new Uint8Array(bytes)], "d.mp4"));
    document.getElementById("drop").dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true })); }"""
    tab.evaluate(drop, list(video.read_bytes()))
    tab.wait_for_selector("#result:not([hidden])")
    assert (tab.text_content("#name") or "").startswith("d.mp4")


@pytest.mark.slow
def test_with_a_token_the_page_asks_for_it_and_opens_the_report(serve, browser, checkpoint: Path, video: Path) -> None:
    from vidcls.serve.app import Access
    from vidcls.serve.page import Page

    page = Page("a model", report=checkpoint.with_name("report.html"))
    url = serve(access=Access(token=TOKEN), page=page).url
    context = browser.new_context()
    tab = context.new_page()
    tab.set_default_timeout(LONG_MS)
    tab.goto(url)
    tab.fill("#token", TOKEN)
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#report:not([hidden])")
    assert "need the checkpoint" in (tab.text_content("#heat-none") or "")
    with context.expect_page() as opened:
        tab.click("#report")
    opened.value.wait_for_selector("text=the run")
    tab.set_input_files("#file", video)
    tab.wait_for_selector("#result:not([hidden])")
    context.close()
