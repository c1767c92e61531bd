"""Builds docs/en and docs/ja as a site: python tools/docs_site.py [FOLDER]

Each language is a site of its own, made by zensical in strict mode: a link that leads nowhere fails the build. What a page
links outside of the docs (sources, schemas) is named without a link. No page asks another host: what a page or a sheet names
is checked, and each page has a policy by which a browser refuses what a script would fetch (zensical's scripts know the hosts
of Mermaid, of a light box and of GitHub's counts). FOLDER is new, empty, or a site that this program made.
`make site` installs zensical; where it cannot be installed that is said, and nothing is built: a failure where CI or GYAKUSAN_CI
is set.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
USUAL = ROOT / "build" / "site"
MARK = ".gyakusan-site"
"""A file in every folder that this program made: no other is emptied."""
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'"
)
"""What a browser lets a page fetch: this host alone. zensical's pages have scripts and styles in them."""
HEAD = re.compile(r"<head\b[^>]*>|<!doctype html>(?!\s*<(?:html|head)\b)", re.IGNORECASE)
"""Where a page's head begins; a page may leave out the tag."""
LANGUAGES = {"en": "English", "ja": "日本語"}
SHARED = ("decisions", "pictures", "examples")
"""Folders of docs/ that pages of every language link."""
APART = ("CONTRIBUTING.md", "CHANGELOG.md")
"""Pages of the project's folder that pages link."""
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
ASKED = re.compile(
    r"<(?:script|img|iframe|link)\b[^>]*?\s(?:src|href)=[\"']?((?:https?:)?//[^\"'>\s]+)"
    r"|url\([\"']?((?:https?:)?//[^\"')]+)|@import\s+[\"']((?:https?:)?//[^\"']+)"
)
"""What a browser fetches by itself from another host."""
CANONICAL = re.compile(r"<link[^>]*rel=[\"']?(?:canonical|alternate|prev|next)[^>]*>")
"""Links that name a page and fetch nothing."""


def main(arguments: list[str]) -> int:
    """Build both languages into FOLDER (default: build/site)."""
    if find_spec("zensical") is None:
        print("no zensical, so the site is not built: pip install zensical")
        return 1 if os.environ.get("CI") or os.environ.get("GYAKUSAN_CI") else 0
    folder = Path(arguments[0] if arguments else USUAL).resolve()
    if not emptied(folder):
        print(f"{folder} is no site that this program made: name a new folder")
        return 2
    for language in LANGUAGES:
        config = stage(language, folder / ".pages" / language)
        command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean", "--config-file", str(config)]
        done = subprocess.run(command, check=False)
        if done.returncode:
            return done.returncode
        shutil.move(config.parent / "built" / language, folder / language)
    shutil.rmtree(folder / ".pages")
    (folder / "index.html").write_text(_door(), "utf-8")
    for page in folder.rglob("*.html"):
        page.write_text(guarded(page.read_text("utf-8")), "utf-8")
    found = sorted(asked(folder))
    print("\n".join(f"{page} asks {address}" for page, address in found) or f"wrote {folder}")
    return 1 if found else 0


def emptied(folder: Path) -> bool:
    """Make a folder, or empty one that this program made; False for any other, which stays as it is."""
    ours = folder == USUAL or (folder / MARK).is_file() or not folder.exists()
    if not ours and not (folder.is_dir() and not any(folder.iterdir())):
        return False
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / MARK).write_text("made by tools/docs_site.py, which empties it\n", "utf-8")
    return True


def guarded(text: str) -> str:
    """The page with the policy as the first thing in its head. Raises ValueError for a page without a beginning."""
    meta = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    found, count = HEAD.subn(lambda match: match[0] + meta, text, count=1)
    if not count:
        raise ValueError("a page without a head")
    return found


def stage(language: str, pages: Path) -> Path:
    """Copy the pages of a language with links that hold there, and return the configuration beside them."""
    docs = ROOT / "docs"
    shutil.copytree(docs / language, pages, ignore=shutil.ignore_patterns("*.json"))
    for name in SHARED:
        shutil.copytree(docs / name, pages / name)
    for name in APART:
        shutil.copy(ROOT / name, pages / name)
    for page in sorted(pages.rglob("*.md")):
        page.write_text(linked(page.read_text("utf-8"), page, pages, _place(page, pages, language)), "utf-8")
    config = pages.parent / f"{language}.toml"
    config.write_text(settings(language, pages), "utf-8")
    return config


def _place(page: Path, pages: Path, language: str) -> Path:
    """Where a staged page stands in the project."""
    path = page.relative_to(pages)
    if path.parts[0] in SHARED:
        return ROOT / "docs" / path
    return ROOT / path if str(path) in APART else ROOT / "docs" / language / path


def linked(text: str, page: Path, pages: Path, place: Path) -> str:
    """The page with its links led to the staged copies; a link to what is not staged becomes its words."""
    docs, language = ROOT / "docs", pages.name

    def moved(match: re.Match[str]) -> str:
        mark, words, target = match.groups()
        path, _, anchor = target.partition("#")
        if "://" in target or target.startswith("mailto:") or not path:
            return match[0]
        there = (place.parent / path).resolve()
        for root, staged in ((docs / language, pages), (docs, pages), (ROOT, pages)):
            copy = staged / there.relative_to(root) if there.is_relative_to(root) else None
            if copy is not None and copy.is_file():
                up = [".."] * len(page.parent.relative_to(pages).parts)
                led = "/".join([*up, *copy.relative_to(pages).parts])
                return f"{mark}[{words}]({led}{'#' + anchor if anchor else ''})"
        return words

    last, out = 0, []
    for block in [*FENCE.finditer(text), None]:
        out.append(LINK.sub(moved, text[last : block.start() if block else len(text)]))
        if block:
            out.append(block[0])
            last = block.end()
    return "".join(out)


def settings(language: str, pages: Path) -> str:
    """zensical's configuration: no fonts of others, both languages in the menu, the pages in the order of the index."""
    other = [f'{{name = "{name}", link = "../{code}/", lang = "{code}"}}' for code, name in LANGUAGES.items()]
    return f"""[project]
site_name = "gyakusan"
docs_dir = "{language}"
site_dir = "built/{language}"
nav = {json.dumps(list(_order(pages)), ensure_ascii=False)}
[project.theme]
language = "{language}"
font = false
[project.markdown_extensions.tables]
[project.markdown_extensions.md_in_html]
[project.markdown_extensions.toc]
permalink = true
slugify = {{object = "pymdownx.slugs.slugify", kwds = {{case = "lower"}}}}
[project.markdown_extensions.pymdownx.highlight]
[project.markdown_extensions.pymdownx.superfences]
[project.extra]
alternate = [{", ".join(other)}]
"""


def _order(pages: Path) -> Iterator[str]:
    """The index, then the pages that it links."""
    yield "index.md"
    index = (pages / "index.md").read_text("utf-8")
    yield from dict.fromkeys(
        t for _, _, t in LINK.findall(index) if t.endswith(".md") and t not in ("index.md", *APART)
    )


def _door() -> str:
    """The page in front of both."""
    links = " · ".join(f'<a href="{code}/" lang="{code}">{name}</a>' for code, name in LANGUAGES.items())
    return f'<!doctype html><meta charset="utf-8"><title>gyakusan</title><p>gyakusan: {links}</p>\n'


def asked(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield (page, address) of everything that a built page fetches from another host."""
    for path in [*folder.rglob("*.html"), *folder.rglob("*.css")]:
        text = CANONICAL.sub("", path.read_text("utf-8"))
        for match in ASKED.finditer(text):
            yield str(path.relative_to(folder)), next(filter(None, match.groups()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
