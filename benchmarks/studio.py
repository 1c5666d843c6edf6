"""The Studio's page in Chromium: what its first view weighs and how soon it takes keys, and how
2,000 results scroll. Needs the built page (make studio) and Chromium.

    python benchmarks/studio.py --out benchmarks/results/studio-DATE.json
"""

import argparse
import gzip
import json
import os
import platform
import sqlite3
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from tests.live_server import LiveServer, live_server  # noqa: E402
from tests.studio_page import Studio, make, open_browser  # noqa: E402

RESULTS = 2000
SIZES = ("128x128", "192x112", "96x160", "160x112")
LOADS = 5
STEP_SHARE = 0.2
"""Of a window's height, per frame of the scroll: some 11,000 pixels a second at 60 frames."""

OBSERVE = """
window.long = [];
new PerformanceObserver(list => {
  for (const entry of list.getEntries()) window.long.push(entry.duration);
}).observe({ type: 'longtask', buffered: true });
"""
SCROLL = """
([share, screens]) => new Promise(done => {
  const frame = document.querySelector('search').parentElement;
  const gaps = [];
  let before = performance.now(), left = screens / share;
  const step = now => {
    gaps.push(now - before);
    before = now;
    frame.scrollTop += share * frame.clientHeight;
    const end = frame.scrollTop + frame.clientHeight >= frame.scrollHeight - 1;
    if (--left > 0 && !(end && document.querySelector("[data-item='1999']"))) {
      requestAnimationFrame(step);
    } else done(gaps);
  };
  requestAnimationFrame(step);
})
"""


def fill(server: LiveServer) -> None:
    """Two thousand finished videos in the database: one that was made, its files linked."""
    [made] = make(server, "a red ball falls on grass")
    [folder] = (server.data / "videos").glob(f"{made}.*")
    with sqlite3.connect(server.data / "worldreel.sqlite") as base:
        base.row_factory = sqlite3.Row
        row = dict(base.execute("SELECT * FROM videos WHERE id = ?", (made,)).fetchone())
        row.pop("seq")
        names = ", ".join(row)
        blanks = ", ".join("?" * len(row))
        for number in range(RESULTS - 1):
            one = row | {"id": f"video_{number:032x}", "size": SIZES[number % len(SIZES)]}
            one |= {"prompt": f"{row['prompt']} {number}", "created_at": row["created_at"] - number}
            base.execute(f"INSERT INTO videos ({names}) VALUES ({blanks})", list(one.values()))
            link = folder.with_name(folder.name.replace(made, one["id"]))
            link.symlink_to(folder.name)


def first_view(browser: Browser, server: LiveServer) -> dict[str, Any]:
    """Bytes as they are sent, and milliseconds until the prompt bar is there, of a first visit."""
    times, sizes, requests = [], [], []
    for _ in range(LOADS):
        studio = Studio(browser, server)
        answers: list[Any] = []
        studio.page.on("response", lambda answer, answers=answers: answers.append(answer))
        studio.page.goto(server.url)
        studio.page.get_by_label("What should be seen?").wait_for()
        times.append(studio.page.evaluate("() => performance.now()"))
        studio.page.wait_for_load_state("networkidle")
        parts = [one for one in answers if "/v1/" not in one.url and not one.url.endswith(".svg")]
        sizes.append(sum(len(gzip.compress(one.body(), 9)) for one in parts))
        requests.append(len(parts))
        studio.close()
    return {
        "gzip_bytes": max(sizes),
        "requests": max(requests),
        "interactive_ms": [round(time) for time in times],
        "interactive_median_ms": round(statistics.median(times)),
    }


def gallery(browser: Browser, server: LiveServer) -> dict[str, Any]:
    """Long tasks while the whole gallery goes by."""
    studio = Studio(browser, server, width=1440, height=900)
    studio.context.add_init_script(OBSERVE)
    studio.go()
    studio.page.locator("article img").first.wait_for()
    studio.page.wait_for_load_state("networkidle")
    studio.page.evaluate("() => { window.long.length = 0 }")
    gaps = studio.page.evaluate(SCROLL, [STEP_SHARE, 400])
    long = studio.page.evaluate("() => window.long")
    end = studio.page.locator("[data-item='1999']").count() == 1
    cards = studio.page.locator("article").count()
    studio.close()
    return {
        "results": RESULTS,
        "reached_the_last": end,
        "long_tasks": len(long),
        "long_tasks_ms": sorted((round(one) for one in long), reverse=True)[:20],
        "frames": len(gaps),
        "frame_median_ms": round(statistics.median(gaps), 1),
        "frame_p99_ms": round(statistics.quantiles(gaps, n=100)[98], 1),
        "cards_in_the_page": cards,
    }


def main() -> None:
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path)
    out = parser.parse_args().out
    found: dict[str, Any] = {"machine": platform.machine(), "cpus": os.cpu_count()}
    found["load_average"] = Path("/proc/loadavg").read_text("utf-8").split()[0]
    with (
        tempfile.TemporaryDirectory() as folder,
        open_browser() as browser,
        live_server(Path(folder) / "data") as server,
    ):
        server.wait_until_ready()
        found["first_view"] = first_view(browser, server)
        fill(server)
        found["gallery"] = gallery(browser, server)
    text = json.dumps(found, indent=1)
    print(text)
    if out:
        out.write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
