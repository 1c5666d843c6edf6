"""The Studio's page in a real browser, watched for what must never happen in it."""

import contextlib
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from tests.live_server import LiveServer

ROOT = Path(__file__).parents[1]
INDEX = ROOT / "src" / "worldreel" / "app" / "studio" / "index.html"
AXE = ROOT / "studio" / "node_modules" / "axe-core" / "axe.min.js"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE_MS = 90_000
QUICK = {"ratio": "1:1", "size": "96x96", "seconds": 1, "steps": 2}
"""A wish that is made in a moment."""
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]


def chromium() -> str | None:
    """Where the browser is."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


needs_page = [
    pytest.mark.skipif(chromium() is None, reason="no Chromium: scripts/browser.sh"),
    pytest.mark.skipif(not INDEX.is_file(), reason="the page is not built: make studio"),
]


@contextlib.contextmanager
def open_browser() -> Iterator[Browser]:
    """Chromium, for the length of the block."""
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(OPTIONS))
        try:
            yield browser
        finally:
            browser.close()


class Studio:
    """A window with the page of a server in it.

    Args:
        stored: what the page remembers from before: ``theme``, ``language``, ``wish``.
        allowed: patterns of complaints that a test brings about on purpose.
    """

    def __init__(
        self,
        browser: Browser,
        server: LiveServer,
        *,
        width: int = 1280,
        height: int = 800,
        stored: dict[str, Any] | None = None,
        signed_in: bool = True,
        allowed: str = r"(?!)",
    ) -> None:
        self.server = server
        self.complaints: list[str] = []
        self._allowed = re.compile(allowed)
        self.context = browser.new_context(
            viewport={"width": width, "height": height}, accept_downloads=True
        )
        self.context.set_default_timeout(PATIENCE_MS)
        kept = {"wish": QUICK, "language": "en", **(stored or {})}
        script = "".join(
            f"localStorage.getItem({json.dumps('worldreel.' + name)}) ?? "
            f"localStorage.setItem({json.dumps('worldreel.' + name)}, {json.dumps(json.dumps(v))});"
            for name, v in kept.items()
        )
        self.context.add_init_script(script)
        if signed_in:
            headers = {"authorization": f"Bearer {server.key}"}
            answer = self.context.request.post(f"{server.url}/v1/session", headers=headers)
            assert answer.ok, answer.text()
        self.page = self.context.new_page()
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self._complain(f"page: {error}"))
        self.page.on("request", self._look)
        self.page.on("response", self._read)

    def go(self, route: str = "#/") -> Page:
        """The page at a route."""
        self.page.goto(f"{self.server.url}/{route}")
        return self.page

    def close(self) -> None:
        """Ends it; fails on errors in the page, on what the policy refused, on strangers asked."""
        self.context.close()
        assert not self.complaints, self.complaints

    def axe(self) -> list[str]:
        """What axe-core finds against WCAG 2.1 AA."""
        if not self.page.evaluate("() => 'axe' in window"):
            self.page.evaluate(AXE.read_text("utf-8"))
        asked = {"runOnly": {"type": "tag", "values": WCAG}}
        found = self.page.evaluate("asked => axe.run(document, asked)", asked)["violations"]
        return [
            f"{rule['id']}: {node['target']} {node['failureSummary']}"
            for rule in found
            for node in rule["nodes"]
        ]

    def overflow(self) -> list[str]:
        """Elements that stick out of the window sideways, scrolled boxes aside."""
        return self.page.evaluate(
            """() => [...document.querySelectorAll('body *')].filter(element => {
              const box = element.getBoundingClientRect();
              if (box.width === 0 || box.height === 0) return false;
              if (box.right <= innerWidth + 1 && box.left >= -1) return false;
              for (let up = element; up; up = up.parentElement) {
                const style = getComputedStyle(up);
                if (style.position === 'absolute' && style.clip !== 'auto') return false;
                if (style.clipPath !== 'none') return false;
                if (up.tagName === 'BODY') return true;
                if (/auto|scroll|hidden/.test(style.overflowX)) return false;
              }
              return true;
            }).map(element => element.outerHTML.slice(0, 160))"""
        )

    def _hear(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self._complain(f"console: {message.text}")

    def _look(self, request: Any) -> None:
        if not request.url.startswith((self.server.url, "data:", "blob:")):
            self._complain(f"asked a stranger: {request.url}")

    def _read(self, answer: Any) -> None:
        # the console says that something failed; this says what
        if answer.status >= 400:
            self._complain(f"{answer.status} to {answer.request.method} {answer.url}")

    def _complain(self, complaint: str) -> None:
        if not self._allowed.search(complaint):
            self.complaints.append(complaint)


def run_prompt(page: Page, prompt: str, takes: int = 1) -> None:
    """Types a prompt, chooses the number of takes, presses Run."""
    page.get_by_label("What should be seen?").fill(prompt)
    if takes > 1:
        page.get_by_role("button", name=re.compile("^Takes")).click()
        page.get_by_role("radio", name=str(takes), exact=True).click()
        page.keyboard.press("Escape")
    page.get_by_role("button", name="Run", exact=True).click()


def finished(page: Page, prompt: str) -> Any:
    """The cards of finished videos with a prompt."""
    return page.get_by_role("link", name=re.compile(rf"^{re.escape(prompt)} .*take \d+$", re.I))


def make(server: LiveServer, prompt: str, **fields: Any) -> list[str]:
    """Ids of finished videos that were made without the page."""
    body = {"verb": "create", "prompt": prompt, "size": "96x96", "seconds": 1}
    body |= {"num_inference_steps": 2, **fields}
    with server.http() as client:
        answer = client.post("/v1/canvases", json=body)
        assert answer.status_code == 200, answer.text
        ids = [video["id"] for video in answer.json()["data"]]
        from tests.live_server import wait_for

        for video in ids:
            assert wait_for(client, video)["status"] == "completed"
    return ids
