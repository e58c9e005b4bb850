"""Links of the documents lead somewhere.

python3 tests/documents/links.py                 those within the repository, with their anchors as the forge makes them
python3 tests/documents/links.py --site FOLDER   those of the built site
python3 tests/documents/links.py --outside       those that lead out; needs the network, and so is looked at on a schedule
"""

from __future__ import annotations

import concurrent.futures
import html.parser
import re
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"\]\(<?([^()\s>]+(?:\([^()\s]*\)[^()\s]*)*)>?(?: \"[^\"]*\")?\)")
CODE = re.compile(r"^ *```.*?^ *```|`[^`\n]*`", re.MULTILINE | re.DOTALL)


def pages() -> list[Path]:
    """Every document that people read."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [
        ROOT / name for name in listed if not name.startswith(("scan/tests/", "scan/find/tests/", "tests/corpus/", ".ci/site/")) and (ROOT / name).is_file()
    ]


def links(page: Path) -> list[str]:
    """What a page links to, outside of code."""
    return LINK.findall(CODE.sub("", page.read_text()))


def anchors(page: Path) -> set[str]:
    """The anchors that the forge gives the headings of a page."""
    found: dict[str, int] = {}
    names = set()
    for heading in re.findall(
        r"^#{1,6} +(.+?) *#*$", re.sub(r"^ *```.*?^ *```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL), re.MULTILINE
    ):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        seen = found.get(slug, 0)
        found[slug] = seen + 1
        names.add(f"{slug}-{seen}" if seen else slug)
    return names


def inside() -> list[str]:
    """Links within the repository that lead nowhere."""
    wrong = []
    for page in pages():
        for link in links(page):
            target, _, anchor = link.partition("#")
            if re.match(r"[a-z][a-z0-9+.-]*:", target):
                continue
            path = page.parent.joinpath(urllib.parse.unquote(target)).resolve() if target else page
            if not path.exists():
                wrong.append(f"{page.relative_to(ROOT)}: {link}: there is no such file")
            elif anchor and path.suffix == ".md" and anchor not in anchors(path):
                wrong.append(f"{page.relative_to(ROOT)}: {link}: there is no such heading")
    return wrong


class Page(html.parser.HTMLParser):
    """The ids of a page of the site, and what it refers to."""

    def __init__(self, path: Path):
        super().__init__()
        self.ids: set[str] = set()
        self.refers: list[str] = []
        self.feed(path.read_text())

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.ids |= {value for name, value in attributes if name in {"id", "name"} and value}
        if tag != "base":
            self.refers += [given[name] for name in ("href", "src") if given.get(name)]


def site(folder: Path) -> list[str]:
    """Links of the built site that lead nowhere."""
    read = {path.resolve(): Page(path) for path in sorted(folder.rglob("*.html")) if path.name not in {"404.html", "toc.html"}}
    wrong = []
    for path, page in read.items():
        for link in page.refers:
            target, _, anchor = link.partition("#")
            if re.match(r"[a-z][a-z0-9+.-]*:|//", target):
                continue
            other = path.parent.joinpath(urllib.parse.unquote(target)).resolve() if target else path
            if not other.is_file():
                wrong.append(f"{path.relative_to(folder.resolve())}: {link}: there is no such page")
            elif anchor and other in read and urllib.parse.unquote(anchor) not in read[other].ids:
                wrong.append(f"{path.relative_to(folder.resolve())}: {link}: there is no such place")
    print(f"site: {len(read)} pages, {sum(len(page.refers) for page in read.values())} links")
    return wrong


def answer(url: str) -> str | None:
    """Why an address does not answer, or nothing if it does."""
    request = urllib.request.Request(url, headers={"user-agent": "Mozilla/5.0 (pullsafe link check)"})
    try:
        urllib.request.urlopen(request, timeout=30)
    except urllib.error.HTTPError as error:
        # A server that refuses programs is still there.
        return None if error.code in {401, 403, 405, 429} else f"{error.code}"
    except OSError as error:
        return str(error)
    return None


def outside() -> list[str]:
    """Addresses in the documents that are gone. The project's own are looked at once it has a place."""
    found: dict[str, str] = {}
    for page in pages():
        for link in links(page):
            if link.startswith(("https://", "http://")) and "/OWNER/" not in link:
                found.setdefault(link.partition("#")[0], str(page.relative_to(ROOT)))
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(answer, found))
    print(f"outside: {len(found)} addresses")
    return [f"{page}: {url}: {why}" for (url, page), why in zip(found.items(), answers, strict=True) if why]


def main() -> int:
    if sys.argv[1:2] == ["--site"]:
        wrong = site(Path(sys.argv[2]))
    else:
        wrong = outside() if sys.argv[1:] == ["--outside"] else inside()
    if wrong:
        print(*wrong, sep="\n", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
