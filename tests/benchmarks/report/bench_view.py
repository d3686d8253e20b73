"""How long a view takes to open and to filter, in a headless Chromium.

python -m tests.benchmarks.report.bench_view VIEW.html [--shots FOLDER]
"""

from __future__ import annotations

import argparse
import os
import statistics
from pathlib import Path

from tests.report.browser import Browser, chromium

_FILTER = """
const name = arguments[0], value = arguments[1], began = performance.now();
state[name] = value; filter(); document.body.offsetHeight;
return performance.now() - began;
"""
_OPEN = """
const began = performance.now();
open(arguments[0]); document.body.offsetHeight;
return performance.now() - began;
"""


def main() -> None:
    """Print the figures, take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("page", type=Path)
    parser.add_argument("--shots", type=Path)
    given = parser.parse_args()
    with chromium("--window-size=1400,900") as browser:
        opened = [browser.open(given.page) for _ in range(5)]
        kinds = browser.run("return Object.keys(data.overview.kinds)")
        tried = [
            ("q", "the"),
            ("q", "zebra"),
            ("q", "how many 12"),
            ("q", ""),
            ("split", "validation"),
        ]
        tried += [("split", ""), *(("kind", kind) for kind in kinds), ("kind", "")]
        filtered = {f"{n}={v}": browser.run(_FILTER, n, v) for n, v in tried}
        groups = [browser.run(_OPEN, number) for number in range(20)]
        if given.shots:
            _pictures(browser, given.page, given.shots)
    print(f"load {os.getloadavg()[0]:.1f}, {given.page.stat().st_size / 1e6:.1f} MB")
    print(f"open: median {statistics.median(opened):.2f} s, longest {max(opened):.2f} s")
    slowest = max(filtered, key=lambda name: filtered[name])
    print(f"filter: longest {filtered[slowest]:.0f} ms ({slowest})")
    print(f"group: median {statistics.median(groups):.0f} ms, longest {max(groups):.0f} ms")


def _pictures(browser: Browser, page: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    browser.open(page)
    browser.screenshot(folder / "overview-light.png")
    browser.run("document.querySelector('#theme').click()")
    browser.screenshot(folder / "overview-dark.png")
    browser.run("go(3)")
    browser.screenshot(folder / "group-dark.png")
    browser.run("document.querySelector('#theme').click()")
    browser.screenshot(folder / "group-light.png")
    browser.run("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    browser.run("document.querySelector('.flawed').scrollIntoView()")
    browser.screenshot(folder / "group-open.png")
    browser.run("document.querySelector('#rejected').click()")
    browser.screenshot(folder / "rejected.png")
    browser.size(400, 850)
    browser.open(page)
    browser.screenshot(folder / "narrow-list.png")
    browser.run("go(3)")
    browser.screenshot(folder / "narrow-group.png")
    browser.run("document.querySelector('#overview').click()")
    browser.screenshot(folder / "narrow-overview.png")


if __name__ == "__main__":
    main()
