"The words that readers meet: plain, and the field's own"
import ast, json, re
from pathlib import Path

import pytest

REPO = Path(__file__).parents[1]
LEARNERS = [REPO / "README.md", *sorted(p for folder in ("tutorials", "howto", "explanations") for p in (REPO / "nbs" / folder).glob("*.ipynb"))]
ALL = [*LEARNERS, REPO / "CONTRIBUTING.md"]

# what is not English, or not plain: what to write in its place
BANNED = {
    r"shall": "should, must, will", r"to make it worth (the|its) while": "say what it gains", r"best in one": "say it in full", r"shall follow is named": "say it in full",
    r"for whoever": "for those who", r"who(so)?ever (cannot|can't|asks|wants|has)": "those who, you", r"an edge more or less": "one edge more or fewer",
    r"without hands": "without clicking", r"needs? no excuse": "leave it out", r"what has to follow what": "which layers must change together", r"hence": "so",
    r"four times smaller": "a quarter of the size; say the number", r"informations": "information", r"allows to": "allows one to, lets you", r"so-called": "leave it out",
    r"and away with": "now remove", r"in small": "on a small scale", r"thru": "through", r"utili[sz]e[sd]?": "use",
    r"has to be given": "needs", r"it goes without saying": "leave it out", r"very own": "own", r"worth the while": "say what it gains", r"simply put": "leave it out",
    r"grow along": "grow, too", r"nobody is": "none is"}
# importance is the field's word
TERMS = {r"utilit(y|ies)": "importance", r"rooms?(?! for| to| left)": "package"}

def prose(path):
    "What people read on a page: text of Markdown without code, links' addresses and fences"
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb": text = "\n\n".join("".join(c["source"]) for c in json.loads(text)["cells"] if c["cell_type"] == "markdown")
    text = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    return re.sub(r"\]\([^)]*\)", "]", re.sub(r"`[^`\n]*`", "", text))

def found(text, words=BANNED):
    "`[(what is written, what to write), ...]`"
    return [(m[0], better) for word, better in words.items() for m in re.finditer(rf"\b(?:{word})\b", text, re.I)]

def test_banned_words_are_found():
    for text in "You shall go", "This is for whoever cannot see", "Hence it is", "It makes\nan edge more or less": assert found(re.sub(r"\s+", " ", text)), text
    assert not found("Marshall should say whoever came") and found("the utility of it", TERMS) and not found("room for more", TERMS)

@pytest.mark.parametrize("path", ALL, ids=lambda p: p.name)
def test_pages_are_in_plain_english(path): assert found(re.sub(r"\s+", " ", prose(path))) == []

@pytest.mark.parametrize("path", [p for p in LEARNERS if p.name not in ("coverage.ipynb", "glossary.ipynb")], ids=lambda p: p.name)
def test_pages_use_the_words_of_the_field(path): assert found(re.sub(r"\s+", " ", prose(path)), TERMS) == []

def test_messages_are_in_plain_english():
    "What the package says: texts in its source, docstrings among them"
    said = []
    for path in sorted((REPO / "naivenas").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value): continue
            said += [(str(path.relative_to(REPO)), node.lineno, *f) for f in found(re.sub(r"\s+", " ", node.value))]
    assert said == []
