"""Terms of the glossary are links where a page for learners first uses them.

    python tests/terms.py      # makes the links that are missing
"""
import json, os, re
from pathlib import Path

from claims import pages, text

GLOSSARY = Path(__file__).parents[1] / "nbs" / "explanations" / "glossary.ipynb"
SPARED = {"glossary", "coverage", "cheat_sheet"}      # the glossary itself, and pages that are tables
TERMS = {     # heading in the glossary: how the word is met in a sentence
    "vertex": r"vert(?:ex|ices)", "wire": r"wires?", "bundle": r"bundles?", "tie": r"tie[sd]?", "residual stream": r"residual streams?", "importance": r"importances?", "plan": r"plans?",
    "index list": r"index lists?", "budget": r"budgets?", "MACs": r"MACs", "integer program": r"integer programs?", "candidate": r"candidates?", "population": r"populations?", "fitness": r"fitness",
    "mutation": r"mutations?", "crossover": r"crossovers?", "front": r"(?<!in )(?<!in its )fronts?(?! of| page)", "search space": r"search spaces?", "repair": r"repair(?:s|ed|ing)?(?! each)", "draft": r"drafts?",
    "capture": r"captur(?:e|es|ed|ing)", "wish": r"(?<!no )(?<!you )(?<!they )wish(?:es)?", "finetuning": r"finetun(?:e|es|ed|ing)"}
# what is no sentence: fences, headings, quotations, tables, code that is set apart; code, links, formulas and tags in a line
APART = re.compile(r"^```.*?^```|^(?:#|>|\||    ).*?$|`[^`\n]*`|!?\[[^\]]*\]\([^)]*\)|\$[^$\n]+\$|<[^>\n]+>", re.M | re.S)

def slug(term): return term.replace(" ", "-")       # as Jupyter makes anchors of headings

def blank(markdown): return APART.sub(lambda m: re.sub(r"[^\n]", "\0", m[0]), markdown)

def linked_to(markdown):
    "`{term: where it is first linked}`"
    return {m[1]: m.start() for m in reversed([*re.finditer(r"\]\([^)]*glossary\.ipynb#([^)]+)\)", markdown)])}

def first_uses(markdown):
    "`{term: where it stands first in a sentence}`"
    bare = blank(markdown)
    return {term: m for term, word in TERMS.items() if (m := re.search(rf"(?<![\w\0.-])(?:{word})(?![\w\0-])", bare, re.I))}

def missing(cells):
    "`[(number of the cell, term, match), ...]`: first uses that no link comes before"
    found, seen = [], set()
    for i, markdown in enumerate(cells):
        links, uses = linked_to(markdown), first_uses(markdown)
        found += [(i, term, m) for term, m in uses.items() if term not in seen and not links.get(slug(term), len(markdown)) <= m.start()]
        seen |= {*uses} | {t for t in TERMS if slug(t) in links}
    return found

def prose(page): return [text(c) if c["cell_type"] == "markdown" else "" for c in json.loads(page.read_text(encoding="utf-8"))["cells"]]

def learners(): return [p for p in pages() if p.stem not in SPARED]

def link(page):
    "Make the links that are missing; how many"
    nb, found = json.loads(page.read_text(encoding="utf-8")), missing(prose(page))
    home = os.path.relpath(GLOSSARY, page.parent)
    for i, term, m in sorted(found, key=lambda f: -f[2].start()):      # from the end of a cell to its beginning
        source = text(nb["cells"][i])
        nb["cells"][i]["source"] = (source[:m.start()] + f"[{m[0]}]({home}#{slug(term)})" + source[m.end():]).splitlines(keepends=True)
    if found: page.write_text(json.dumps(nb, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return len(found)

if __name__ == "__main__":
    for page in learners():
        if n := link(page): print(f"{page.name}: {n} links")
