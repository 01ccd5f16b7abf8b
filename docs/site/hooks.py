"""What the site needs beyond the pages in docs/: those at the top, and links that fit.

The pages are written to be read in the checkout. README and others are outside docs/, so each is
added under its own path, and links between them are changed to fit. A link to code or to another
file that is no page becomes its name.
"""

import re
from pathlib import Path, PurePosixPath

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
# Pages from outside docs/, and where they are in the site. A README there would be its index.
OUTSIDE = {
    "README.md": "about.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "SECURITY.md": "SECURITY.md",
    "loadtest/README.md": "load-tests.md",
}
LINK = re.compile(r"\[([^\]]*)\]\(([^)#\s:]+)(#[^)\s]*)?\)")
CODE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)


def on_files(files, config):
    """Add the pages from outside docs/, and to the navigation the commands and the decisions."""
    for path, in_site in OUTSIDE.items():
        files.append(File.generated(config, in_site, abs_src_path=str(ROOT / path)))
    add(config.nav, "Reference", "Commands", sorted((DOCS / "reference" / "commands").glob("*.md")))
    decisions = sorted((DOCS / "decisions").glob("[0-9]*.md"))
    add(config.nav, "Development", "Decisions", [*decisions, DOCS / "decisions" / "template.md"])
    return files


def add(nav, part, title, pages):
    """Add a section to a part of the navigation."""
    within = next(entry[part] for entry in nav if part in entry)
    within.append({title: [page.relative_to(DOCS).as_posix() for page in pages]})


def on_page_markdown(markdown, page, config, files):
    """Let each link lead to a page of the site."""
    path = page.file.src_uri
    outside = {in_site: PurePosixPath(source) for source, in_site in OUTSIDE.items()}
    here = outside.get(path, PurePosixPath("docs", path)).parent
    parts = CODE.split(markdown)
    return "".join(
        part if index % 2 else LINK.sub(lambda link: changed(link, here, path), part)
        for index, part in enumerate(parts)
    )


def changed(link, here, path):
    """A link of a page, whose folder in the checkout is `here`, as the site has it."""
    words, target, anchor = link[1], link[2], link[3] or ""
    found = (ROOT / here / target).resolve()
    if not found.exists() or not found.is_relative_to(ROOT):
        return words if "NNNN" in target else link[0]
    named = found.relative_to(ROOT).as_posix()
    in_site = named.removeprefix("docs/") if named.startswith("docs/") else OUTSIDE.get(named)
    if in_site is None or found.is_dir():
        return words
    return f"[{words}]({relative(in_site, PurePosixPath(path).parent)}{anchor})"


def relative(path, start):
    """`path` as seen from the folder `start`, both in the site."""
    ups = len(start.parts)
    return "../" * ups + path
