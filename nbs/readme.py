"""Writes README.md from nbs/index.ipynb: text as it is, code with its saved text output.

    python nbs/readme.py            # write it
    python nbs/readme.py --check    # exit 1 if README.md is not what would be written
"""
import json, os, re, sys
from pathlib import Path

here = Path(__file__).resolve().parent

LINK = re.compile(r'(\]\(|src=")(?!https?:|#)([^)#"]+)')   # to a file, from where the index lies

WIDGET = "application/vnd.jupyter.widget-view+json"
DIRECTIVE = re.compile(r"^#\| *([\w-]+):? *(.*)\n", re.M)

def output(cell):
    "The saved text of a code cell's outputs"
    shown = [o for o in cell["outputs"] if WIDGET not in o.get("data", {})]     # a bar of progress, for one
    texts = [o.get("text") or o.get("data", {}).get("text/plain", "") for o in shown]
    return "\n".join("".join(t).rstrip() for t in texts if t)

def block(cell):
    "A cell as Markdown"
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown": return LINK.sub(lambda m: m[1] + os.path.normpath(f"nbs/{m[2]}"), source)
    said = dict(DIRECTIVE.findall(source))
    if "hide" in said: return ""
    shown, code = output(cell), f"```python\n{DIRECTIVE.sub('', source)}\n```"
    if said.get("code-fold") == "true": code = f"<details><summary>{said.get('code-summary', 'Code')}</summary>\n\n{code}\n\n</details>"
    return code + (f"\n\n```text\n{shown}\n```" if shown else "")

def readme():
    cells = json.loads((here / "index.ipynb").read_text(encoding="utf-8"))["cells"]
    return "\n\n".join(filter(None, map(block, cells))) + "\n"

if __name__ == "__main__":
    path = here.parent / "README.md"
    if "--check" not in sys.argv: path.write_text(readme(), encoding="utf-8")
    elif not path.exists() or path.read_text(encoding="utf-8") != readme(): sys.exit("README.md differs from nbs/index.ipynb: run python nbs/readme.py")
