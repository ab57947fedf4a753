"""Check that every link within a built site leads to a page that is there, and to an anchor on it.

python docs/check_links.py docs/_build/html
"""

import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """The links of a page and the anchors that can be linked to."""

    def __init__(self, path):
        super().__init__()
        self.links, self.anchors = set(), set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.links |= {attributes[name] for name in ("href", "src") if attributes.get(name)}
        self.anchors |= {attributes[name] for name in ("id", "name") if attributes.get(name)}


read = cache(Page)


def broken(site, path):
    """The links of a page that lead nowhere within the site."""
    found = []
    for link in sorted(read(path).links):
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        is_page = target.suffix == ".html" and target.exists()
        if not target.exists() or (is_page and parts.fragment and unquote(parts.fragment) not in read(target).anchors):
            found.append(f"{path.relative_to(site)}: {link}")
    return found


def main():
    site = Path(sys.argv[1]).resolve()
    pages = [path for path in sorted(site.rglob("*.html")) if "_static" not in path.parts]
    found = [line for path in pages for line in broken(site, path)]
    n_links = sum(len(read(path).links) for path in pages)
    print("\n".join([*found, f"{len(pages)} pages, {n_links} links, {len(found)} broken"]))
    sys.exit(bool(found) or not pages)


if __name__ == "__main__":
    main()
