"""What every page must keep to, and a browser to look at it with."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Checker(HTMLParser):
    """Notes tags that are open, pictures without words, and addresses that lead out of the page."""

    EMPTY = ("meta", "img", "br", "link", "input", "hr", "wbr")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wordless: list[str] = []
        self.outside: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag == "img" and not named.get("alt"):
            self.wordless.append(tag)
        if tag == "svg" and not named.get("aria-label"):
            self.wordless.append(tag)
        if named.get("id"):
            self.ids.append(str(named["id"]))
        for name in ("src", "href", "xlink:href"):
            address = named.get(name)
            if address and tag == "a" and ":" not in address.partition("/")[0]:
                continue  # to a video beside the page, which it does not need
            if address and not address.startswith(("#", "data:")):
                self.outside.append(address)
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.EMPTY:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="session")
def check_page() -> Callable[[str], None]:
    """A page that needs nothing but itself, whose pictures have words, and that follows the reader's colours."""

    def check(page: str) -> None:
        checker = Checker()
        checker.feed(page)
        assert checker.open == []
        assert checker.outside == []
        assert checker.wordless == []
        assert len(checker.ids) == len(set(checker.ids))
        assert "url(http" not in page
        assert "prefers-color-scheme: dark" in page
        assert "prefers-reduced-motion" in page
        assert 'name="viewport"' in page
        assert "#010203" not in page

    return check


@pytest.fixture
def browser(tmp_path: Path) -> Callable[..., str]:
    """Chromium without a window; what it prints."""
    if CHROMIUM is None:
        pytest.skip("needs a Chromium browser")

    def run(*words: str) -> str:
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"]
        profile = f"--user-data-dir={tmp_path / 'profile'}"
        done = subprocess.run(
            [str(CHROMIUM), *options, profile, *words], capture_output=True, text=True, timeout=120, check=True
        )
        return done.stdout

    return run


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache of what checks find that is not the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield
