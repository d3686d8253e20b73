from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.report.browser import CHROMIUM, DRIVER, Browser, chromium
from tracelift_groups.cli import main
from tracelift_groups.formats import write_tracelift
from tracelift_groups.groupfiles import groups_of
from tracelift_groups.records import Group
from tracelift_groups.report.page import render_page

HOSTILE = (
    "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
)


@pytest.fixture(scope="module")
def groups(sample_run: Path) -> list[Group]:
    return list(groups_of(sample_run))


def data_in(page: str) -> dict[str, Any]:
    found = re.search(r'<script id="data" type="application/gzip">(.*?)</script>', page, re.DOTALL)
    assert found
    data: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(found[1])))
    return data


def scores_of(groups: list[Group]) -> list[list[float]]:
    """Right on all groups but the first."""
    return [
        [float(trace.sound) if number else 0.5 - 0.1 * trace.sound for trace in group.traces]
        for number, group in enumerate(groups)
    ]


def test_equal_input_equal_bytes(groups: list[Group]) -> None:
    page = render_page(groups, title="x", scores=scores_of(groups))
    assert page == render_page(groups, title="x", scores=scores_of(groups))


def test_every_trace_is_in_it(groups: list[Group]) -> None:
    rows = data_in(render_page(groups, title="x"))["groups"]
    assert [row["group_id"] for row in rows] == [group.group_id for group in groups]
    for row, group in zip(rows, groups, strict=True):
        assert [t["text"] for t in row["traces"]] == [t.text for t in group.traces]


def test_the_figures_of_a_reward_model(groups: list[Group]) -> None:
    data = data_in(render_page(groups, title="x", scores=scores_of(groups)))
    assert data["rm"]["top"] == pytest.approx(1 - 1 / len(groups), abs=1e-3)
    assert [row["rm"] > 0 for row in data["groups"]] == [False] + [True] * (len(groups) - 1)


def test_texts_are_no_markup_and_nothing_is_fetched(groups: list[Group]) -> None:
    first = groups[0].model_copy(update={"problem": HOSTILE, "group_id": HOSTILE})
    page = render_page([first, *groups[1:]], title="x")
    assert "owned" not in page
    assert "default-src 'none'" in page
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", page)


def test_the_command(sample_run: Path, groups: list[Group], tmp_path: Path, capsys: Any) -> None:
    file = tmp_path / "groups.jsonl"
    write_tracelift(file, groups[:5])
    for arguments, target, count in (
        (["view", str(sample_run), "-o", str(tmp_path / "run.html")], "run.html", len(groups)),
        (["view", str(file), "--limit", "3"], "groups.html", 3),
    ):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 0
        assert len(data_in((tmp_path / target).read_text())["groups"]) == count
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(["view", str(tmp_path / "none")])
    assert ended.value.code == 2
    assert "no such file or run folder" in capsys.readouterr().err


in_a_browser = pytest.mark.skipif(
    not (DRIVER and CHROMIUM), reason="chromium and chromedriver are not here"
)


@pytest.fixture(scope="module")
def page(groups: list[Group], tmp_path_factory: pytest.TempPathFactory) -> Path:
    first = groups[0].model_copy(update={"problem": HOSTILE})
    file = tmp_path_factory.mktemp("view") / "view.html"
    shown = [first, *groups[1:]]
    file.write_text(render_page(shown, title="Groups", scores=scores_of(groups)))
    return file


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium("--window-size=1300,900") as one:
        yield one


def shown(browser: Browser) -> int:
    return int(browser.run("return document.querySelector('#count').textContent").split(" ")[0])


@in_a_browser
class TestInChromium:
    def test_it_opens_without_a_complaint(self, browser: Browser, page: Path) -> None:
        browser.open(page)
        assert browser.run("return document.title") == "Groups"
        assert browser.log() == []

    def test_hostile_text_stays_text(
        self, browser: Browser, page: Path, groups: list[Group]
    ) -> None:
        browser.open(page, f"g={groups[0].group_id}")
        assert browser.run("return document.title") == "Groups"
        assert HOSTILE in browser.run("return document.querySelector('.problem').textContent")
        assert browser.run("return document.querySelectorAll('main img').length") == 0

    def test_filters(self, browser: Browser, page: Path, groups: list[Group]) -> None:
        kind = "unit_mismatch"
        with_kind = sum(any(t.kind == kind for t in group.traces) for group in groups)
        browser.open(page, f"kind={kind}")
        assert shown(browser) == with_kind
        validation = sum(group.split == "validation" for group in groups)
        browser.open(page, "split=validation")
        assert shown(browser) == validation
        browser.open(page, "rm=wrong")
        assert shown(browser) == 1
        word = groups[3].traces[-1].text.split()[0].lower()
        found = sum(
            word in "\n".join([g.group_id, g.problem, *(t.text for t in g.traces)]).lower()
            for g in groups[1:]
        )
        browser.open(page, f"q={word}")
        assert shown(browser) - found in (0, 1)  # the first problem is another text here

    def test_a_diff_gives_both_texts_and_marks_the_span(
        self, browser: Browser, page: Path, groups: list[Group]
    ) -> None:
        for group in groups[1:6]:
            browser.open(page, f"g={group.group_id}")
            cards = browser.run(
                "return [...document.querySelectorAll('.card')].map((card) => {"
                " const text = card.querySelector('.text');"
                " const without = (tag) => { const copy = text.cloneNode(true);"
                " copy.querySelectorAll(tag).forEach((n) => n.remove());"
                " return copy.textContent; };"
                " return [without('del'), without('ins'),"
                "  [...text.querySelectorAll('.span')].map((n) => n.textContent).join('')]; })"
            )
            by_id = {trace.trace_id: trace for trace in group.traces}
            ordered = sorted(group.traces, key=lambda trace: not trace.sound)
            for (after, before, span), trace in zip(cards, ordered, strict=True):
                assert after == trace.text
                if trace.role != "reference":
                    parent = by_id[trace.parent_id or group.reference.trace_id]
                    assert before == parent.text
                if trace.certificate:
                    assert span == trace.certificate.after

    def test_the_keyboard(self, browser: Browser, page: Path) -> None:
        browser.open(page)
        for key, expected in (("j", 0), ("j", 1), ("\ue014", 2), ("k", 1), ("\ue00c", -1)):
            browser.press(key)
            assert browser.run("return at") == expected
        browser.press("/")
        assert browser.run("return document.activeElement.id") == "q"

    def test_both_themes_and_a_narrow_screen(self, browser: Browser, page: Path) -> None:
        browser.open(page)
        before = browser.run("return getComputedStyle(document.body).backgroundColor")
        browser.press("t")
        assert browser.run("return getComputedStyle(document.body).backgroundColor") != before
        browser.size(380, 800)
        browser.open(page)
        hidden = "return getComputedStyle(document.querySelector('main')).display"
        assert browser.run(hidden) == "none"
        browser.run("go(1)")
        assert browser.run(hidden) != "none"
        wide = "return document.documentElement.scrollWidth - innerWidth"
        assert browser.run(wide) <= 0
        browser.size(1300, 900)
