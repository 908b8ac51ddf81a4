"What has to hold of the site: no dead link, and nothing loaded from elsewhere"
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

LOADED = {"img": ["src", "srcset"], "script": ["src"], "iframe": ["src"], "source": ["src", "srcset"], "video": ["src", "poster"], "audio": ["src"], "embed": ["src"],
          "object": ["data"], "input": ["src"], "image": ["href", "xlink:href"], "use": ["href", "xlink:href"]}
LOADING = {"stylesheet", "icon", "preload", "prefetch", "modulepreload", "manifest", "dns-prefetch", "preconnect", "apple-touch-icon"}
ELSEWHERE = re.compile(r"^\s*(?:https?:)?//")
IN_STYLE = re.compile(r"""(?:url\(\s*["']?|@import\s+["'])((?:https?:)?//[^"')\s]+)""")
IN_SCRIPT = re.compile(r"""(?:import\s*\(?|from|importScripts\(|fetch\()\s*["'`]((?:https?:)?//[^"'`]+)""")

class Page(HTMLParser):
    "The links, anchors, and loaded addresses of a page"
    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.loads, self.inside = set(), [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        a = {k: v or "" for k, v in attrs}
        if a.get("id"): self.ids.add(a["id"])
        if tag == "a" and "name" in a: self.ids.add(a["name"])
        if tag == "a" and "href" in a: self.links.append(a["href"])
        self.loads += [a[k] for k in LOADED.get(tag, []) if k in a and not a[k].startswith(("data:", "#"))]
        if tag == "link" and LOADING & {*a.get("rel", "").lower().split()}: self.loads.append(a.get("href", ""))
        if "style" in a: self.loads += IN_STYLE.findall(a["style"])
        self.inside = tag if tag in ("script", "style") else None

    def handle_data(self, data):
        if self.inside == "style": self.loads += IN_STYLE.findall(data)
        if self.inside == "script": self.loads += IN_SCRIPT.findall(data)

    def handle_endtag(self, tag): self.inside = None

def problems(out):
    "A line for each dead link and for each address elsewhere that a page of the site would load"
    out, found = Path(out).resolve(), []
    pages = {p: Page(p.read_text(encoding="utf-8")) for p in sorted(out.rglob("*.html"))}
    if not pages: return [f"no pages in {out}"]
    def told(path, what): found.append(f"{path.relative_to(out)}: {what}")
    for path, page in pages.items():
        for link in page.links + page.loads:
            if ELSEWHERE.match(link):
                if link in page.loads: told(path, f"loads {link}")
                continue
            if re.match(r"^[a-z]+:", link) or link in ("", "#"): continue
            target, _, anchor = link.partition("#")
            target = unquote(target.partition("?")[0])
            there = (path.parent / target).resolve() if target else path
            if there.is_dir(): there = there / "index.html"
            if not there.exists(): told(path, f"{link} leads nowhere")
            elif anchor and there in pages and unquote(anchor) not in pages[there].ids: told(path, f"{link} leads nowhere on the page")
    for path in sorted(out.rglob("*.css")):
        for link in IN_STYLE.findall(path.read_text(encoding="utf-8")): told(path, f"loads {link}")
    return list(dict.fromkeys(found))

def look(out, folder, names=None, widths=(1280, 400), browser="/usr/bin/chromium"):
    "Pictures of some pages as a browser shows them; a line for each request elsewhere, error of a script, and page that is wider than its window"
    from playwright.sync_api import sync_playwright
    out, folder, found = Path(out).resolve(), Path(folder), []
    folder.mkdir(parents=True, exist_ok=True)
    names = names or ["index.html", *(str(p.relative_to(out)) for s in ("tutorials", "howto", "explanations", "reference") for p in sorted((out / s).glob("*.html")))]
    options = dict(executable_path=browser) if Path(browser).exists() else {}
    with sync_playwright() as p:
        chromium = p.chromium.launch(args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"], **options)
        for scheme in "light", "dark":
            for width in widths:
                page = chromium.new_page(viewport=dict(width=width, height=900), color_scheme=scheme)
                page.on("request", lambda r: r.url.startswith(("file:", "data:", "blob:")) or found.append(f"asked for {r.url}"))
                page.on("pageerror", lambda e: found.append(f"{page.url}: {e}"))
                for name in names:
                    page.goto((out / name).as_uri())
                    if (wide := page.evaluate("document.documentElement.scrollWidth")) > width: found.append(f"{name} is {wide} pixels wide in a window of {width}")
                    page.screenshot(path=folder / f"{name.removesuffix('.html').replace('/', '-')}-{width}-{scheme}.png")
                page.close()
        chromium.close()
    return found
