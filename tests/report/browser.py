"""A headless Chromium, driven through chromedriver's WebDriver protocol."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

DRIVER = shutil.which("chromedriver")
CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)


class Browser:
    """One window."""

    def __init__(self, base: str, session: str) -> None:
        self._url = f"{base}/session/{session}"

    def open(self, page: Path, hash_part: str = "") -> float:
        """Open a page from disk anew and wait until it is ready; return the seconds it took."""
        _call(f"{self._url}/url", {"url": "about:blank"})
        began = time.perf_counter()
        _call(f"{self._url}/url", {"url": f"{page.resolve().as_uri()}#{hash_part}"})
        while not self.run("return document.body.dataset.ready === '1'"):
            assert time.perf_counter() - began < 60, self.run("return document.body.innerText")
            time.sleep(0.02)
        return time.perf_counter() - began

    def run(self, script: str, *arguments: object) -> Any:
        """Run a script in the page; return its value."""
        body = {"script": script, "args": list(arguments)}
        return _call(f"{self._url}/execute/sync", body)["value"]

    def press(self, key: str) -> None:
        """Press a key."""
        actions = [{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]
        body = {"actions": [{"type": "key", "id": "keys", "actions": actions}]}
        _call(f"{self._url}/actions", body)

    def size(self, width: int, height: int) -> None:
        """Set the window's size."""
        _call(f"{self._url}/window/rect", {"width": width, "height": height})

    def screenshot(self, file: Path) -> None:
        """Write what is seen."""
        with urllib.request.urlopen(f"{self._url}/screenshot") as reply:
            file.write_bytes(base64.b64decode(json.loads(reply.read())["value"]))

    def log(self) -> list[str]:
        """What the browser complained about."""
        found = _call(f"{self._url}/se/log", {"type": "browser"})["value"]
        return [str(entry["message"]) for entry in found]


@contextmanager
def chromium(*options: str) -> Iterator[Browser]:
    """Start a browser and end it."""
    assert DRIVER and CHROMIUM
    driver = subprocess.Popen(
        [DRIVER, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert driver.stdout is not None
        port = next(
            line.rstrip().rstrip(".").rpartition(" ")[2]
            for line in driver.stdout
            if "successfully on port" in line
        )
        base = f"http://127.0.0.1:{port}"
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", *options]
        wanted = {
            "goog:chromeOptions": {"binary": CHROMIUM, "args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        }
        made = _call(f"{base}/session", {"capabilities": {"alwaysMatch": wanted}})
        yield Browser(base, made["value"]["sessionId"])
    finally:
        driver.terminate()
        driver.wait()


def _call(url: str, body: object) -> Any:
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=120) as reply:
        return json.loads(reply.read())
