"""Links lead somewhere: those of texts beside the site, to files and headings.

Those of its pages are checked where it is built (``sphinx-build -W``: links, headings, names and
pictures), so that no page may hide one in HTML.
"""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("crane_pyg", "benchmarks", "examples", ".github")
BESIDE = [*ROOT.glob("*.md"), *(path for name in FOLDERS for path in (ROOT / name).rglob("*.md"))]
PAGES = [
    path
    for path in (ROOT / "docs").rglob("*.md")
    if not {"generated", "_build"} & {*path.relative_to(ROOT).parts}
]
CODE = re.compile(r"^(```+).*?^\1|`[^`\n]*`", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\((?!\w+:)([^)\s#]*)(?:#([^)\s]+))?\)")
IN_HTML = re.compile(r"<(?:a|img|iframe|video)\b[^>]*\b(?:href|src)=", re.IGNORECASE)


def prose(path):
    return CODE.sub("", path.read_text())


def anchors(text):
    """What GitHub makes of the headings, and what is named by hand."""
    yield from re.findall(r'<a id="([^"]+)">', text)
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        yield re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def broken(path):
    for target, anchor in LINK.findall(prose(path)):
        there = (path.parent / target) if target else path
        known = not anchor or (there.is_file() and anchor in anchors(there.read_text()))
        if not there.exists() or not known:
            yield f"{target}#{anchor}" if anchor else target


@pytest.mark.parametrize("path", BESIDE, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_beside_the_site_lead_to_files_and_headings(path):
    assert not list(broken(path))


def test_links_that_lead_nowhere_are_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# A heading, here\n[a](page.md#a-heading-here) [b](#no) [c](no.md) `[d](e)`\n")
    assert list(broken(page)) == ["#no", "no.md"]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_pages_keep_their_links_where_the_build_checks_them(path):
    assert not IN_HTML.search(prose(path))
