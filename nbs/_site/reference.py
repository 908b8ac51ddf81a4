"The reference: public names with signature, docstring, and where they are explained and written"
import ast, importlib, inspect, re, textwrap
from pathlib import Path

SECTIONS = "Parameters", "Returns", "Yields", "Raises", "Attributes", "Examples", "See Also", "Notes", "References"

def homes(repo):
    "`{module, such as nets.layers: its notebook}`"
    found = {}
    for path in sorted((repo / "nbs" / "api").rglob("*.ipynb")):
        name = re.search(r"#\|\s*default_exp\s+([\w.]+)", path.read_text(encoding="utf-8"))
        if name: found[name[1]] = path
    return found

# ------------------------------------------------------------------------------------------------------------- docstrings

def parts(doc):
    "`{section: text}` of a numpy-style docstring; what stands before the first is under \"\""
    found, name, lines = {"": []}, "", (doc or "").splitlines()
    for i, line in enumerate(lines):
        if line in SECTIONS and i + 1 < len(lines) and set(lines[i + 1]) == {"-"}: found[name := line] = []
        elif not (line and set(line) == {"-"} and lines[i - 1] in SECTIONS): found[name].append(line)
    return {k: "\n".join(v).strip("\n") for k, v in found.items()}

def _fields(text):
    "A list of `name : type` with what is said of each, as Markdown"
    out = []
    for line in text.splitlines():
        if line and not line[0].isspace():
            name, _, kind = line.partition(" : ")
            out.append(f"- **`{name}`**" + (f" (*{kind}*)" if kind else "") + ": " if kind or re.fullmatch(r"[\w*,. \[\]|]+", name) else f"- {line} ")
        elif out and line.strip(): out[-1] += " " + line.strip()
    return "\n".join(re.sub(r": +", ": ", o, count=1).rstrip(": ") for o in out)

def _prose(text):
    "Text with its indented examples in fences"
    blocks = re.split(r"(^(?:    .*\n?|\n(?=    ))+)", text, flags=re.M)
    return "".join(f"\n```python\n{textwrap.dedent(b).strip(chr(10))}\n```\n" if b.startswith("    ") else b for b in blocks)

def _examples(text):
    "Examples in fences; what stands between them as text"
    out, code = [], []
    def flush():
        if any(code): out.append("```pycon\n" + "\n".join(code).strip("\n") + "\n```")
        code.clear()
    for block in re.split(r"\n\s*\n", text):
        if block.lstrip().startswith(">>>"): code += [*textwrap.dedent(block).splitlines()]
        elif block.strip(): flush(); out.append(block)
    flush()
    return "\n\n".join(re.sub(r" +# doctest:.*", "", o) for o in out)

def markdown(doc):
    "A docstring as Markdown"
    found = parts(doc)
    out = [_prose(found.pop(""))]
    for name, text in found.items():
        out += [f"**{name}**", _examples(text) if name == "Examples" else _prose(text) if name in ("Notes", "References") else _fields(text)]
    return "\n\n".join(filter(None, out))

def summary(obj):
    "The first sentence of a docstring"
    text = parts(inspect.getdoc(obj) or "")[""].split("\n\n")[0].replace("\n", " ")
    return text.replace("|", "\\|")

# -------------------------------------------------------------------------------------------------------------- signatures

def _node(obj):
    "The definition of a function or class"
    return ast.parse(textwrap.dedent(inspect.getsource(obj))).body[0]

def signature(name, obj):
    "How something is called, as it is written in its source"
    try:
        if inspect.isclass(obj):
            init = next((vars(c)["__init__"] for c in obj.__mro__ if "__init__" in vars(c) and c.__module__.startswith("naivenas")), None)
            node = _node(init) if init is not None and inspect.isfunction(init) and init.__qualname__.endswith("__init__") else None
            if node is None: return name + re.sub(r"<factory>|'", "", str(inspect.signature(obj))).removesuffix(" -> None")
            returns = ""
        else:
            obj = inspect.unwrap(obj)
            node = _node(obj)
            returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
        args = node.args
        for some in args.posonlyargs, args.args:
            if some and some[0].arg in ("self", "cls") and (inspect.isclass(obj) or "." in obj.__qualname__): del some[0]; break
        each = [re.sub(r"^(\*{0,2}\w+: [^=]+)=(?!=)", r"\1 = ", a) for a in _apart(ast.unparse(args))]
    except (OSError, TypeError, ValueError, SyntaxError, IndentationError, AttributeError): return name
    flat = f"{name}({', '.join(each)}){returns}"
    return flat if len(flat) <= 88 else f"{name}(\n    " + ",\n    ".join(each) + f",\n){returns}"

def _apart(text):
    "The arguments of a call, one by one"
    out, depth, quote = [""], 0, ""
    for c in text:
        if quote: quote = "" if c == quote else quote
        elif c in "'\"": quote = c
        else: depth += (c in "([{") - (c in ")]}")
        if c == "," and not depth and not quote: out.append("")
        else: out[-1] += c
    return [o.strip() for o in out]

# ------------------------------------------------------------------------------------------------------------------- pages

MANY = 4     # methods of its own with which a class gets a page of its own

class Reference:
    "Pages of the reference, as Markdown"
    def __init__(self, repo, blob, titles): self.repo, self.blob, self.titles, self.homes, self.labels = repo, blob, titles, homes(repo), {}

    def where(self, obj):
        "A line that leads to the page that explains something, and to its source"
        obj = inspect.unwrap(obj.fget if isinstance(obj, property) else obj)
        module = getattr(obj, "__module__", "") or ""
        page = self.homes.get(module.removeprefix("naivenas."))
        try: line = inspect.getsourcelines(obj)[1]
        except (OSError, TypeError): line = 1
        path = module.replace(".", "/")
        source = f"[source]({self.blob}/{path}.py#L{line})" if (self.repo / f"{path}.py").exists() else ""
        told = f"explained in [{self.titles[page]}](/{page.relative_to(self.repo / 'nbs')})" if page else ""
        return "{.where}\n" + " · ".join(filter(None, (told, source)))

    def entry(self, label, name, obj, level=2):
        "A public name with all that is known of it"
        kind = "" if callable(obj) or isinstance(obj, property) or inspect.ismodule(obj) else type(obj).__name__
        doc = inspect.getdoc(obj) if not kind else f"A {kind} of this package's."
        call = signature(name, obj) if callable(obj) else name
        return "\n\n".join([f"({label})=\n{'#' * level} {name.rpartition('.')[2]}", f"```python\n{call}\n```", markdown(doc), *([] if kind else [self.where(obj)])])

    def methods(self, cls, without=()):
        "`{name: function or property}` that a class of this package gives to its users, but for those of other classes"
        found = {}
        for c in reversed(cls.__mro__):
            if not c.__module__.startswith("naivenas") or c in without: continue
            for name, obj in vars(c).items():
                plain = obj.__func__ if isinstance(obj, (classmethod, staticmethod)) else obj
                if not name.startswith("_") and (inspect.isfunction(plain) or isinstance(plain, property)) and inspect.getdoc(plain): found[name] = plain
        return dict(sorted(found.items()))

    def own(self, cls): return self.methods(cls, [c for c in cls.__mro__[1:] if c in self.labels])

    def of_class(self, label, name, cls, level=1):
        "A class, with a table of its methods and then each of them; those of another public class only where a class adds many"
        own = self.own(cls)
        methods = self.methods(cls) if len(own) > MANY else own
        def row(m, obj): return f"| [`{m}`](#{label}-{m}) | {summary(obj)} |"
        table = "\n".join(["| method | what it does |", "| --- | --- |", *(row(*each) for each in methods.items())]) if methods else ""
        each = [self.entry(f"{label}-{m}", f"{name}.{m}", obj, level + 1) for m, obj in methods.items()]
        others = [c for c in cls.__mro__[1:] if c in self.labels] if len(own) <= MANY else []
        more = "And all that there is of " + ", ".join(f"[`{c.__name__}`](#{self.labels[c]})" for c in others[:1]) + "." if others else ""
        return "\n\n".join([self.entry(label, name, cls, level), table, more, *each])

    def table(self, rows):
        "`[(label, name, object), ...]` with a line each"
        return "\n".join(["| name | what it is |", "| --- | --- |", *(f"| [`{name}`](#{label}) | {summary(obj) if callable(obj) else ''} |" for label, name, obj in rows)])

PACKAGES = {   # of the reference: its title
    "files": "Nets and files", "look": "Graphs, plans and pictures", "graph": "Vertices", "sizes": "Sizes and solvers", "nets": "Layers, importance, training",
    "capture": "Modules of others", "apps": "Panels", "search": "Search", "extend": "Extending"}
HOW = {"search": "`from naivenas.search import ...`; `fit`, `Fitted`, `load_fitted` and the estimators from `naivenas`, too.",
       "extend": "`from naivenas.extend import ...`: what can be taught from outside."}

def label(package, name, obj):
    "The anchor of a name; Sphinx doesn't tell capitals from small letters"
    return f"ref-{package}-{name}" + "-class" * inspect.isclass(obj)

def public():
    "`{package: {name: object}}` of all public names; those of the search from both places"
    import naivenas
    def names(module, listed): return {n: getattr(module, n) for n in sorted(listed, key=str.lower)}
    found = {p: {} for p in PACKAGES}
    for name, obj in names(naivenas, naivenas._ROOMS).items(): found[naivenas._ROOMS[name][0].lstrip(".").split(".")[0]][name] = obj
    search, extend = importlib.import_module("naivenas.search"), importlib.import_module("naivenas.extend")
    found["search"] |= names(search, search._ROOMS if hasattr(search, "_ROOMS") else search.__all__)
    found["extend"] = names(extend, extend.__all__)
    return found

def reference(repo, blob, titles, out):
    "Writes the pages into a folder; the labels of all that is told there"
    ref, out, known, pages, index = Reference(repo, blob, titles), Path(out), public(), [], []
    out.mkdir(parents=True, exist_ok=True)
    for package, names in known.items():
        for name, obj in names.items():
            if inspect.isclass(obj): ref.labels.setdefault(obj, label(package, name, obj))
    def write(page, text):
        (out / f"{page}.md").write_text(text + "\n", encoding="utf-8")
        pages.append(page)
    for package, names in known.items():
        rows = [(label(package, name, obj), name, obj) for name, obj in names.items()]
        big = [r for r in rows if inspect.isclass(r[2]) and len(ref.own(r[2])) > MANY]
        small = [r for r in rows if r not in big]
        index.append(f"## {PACKAGES[package]}\n\n{HOW.get(package, '`from naivenas import ...`')}\n\n{ref.table(rows)}")
        for each in big: write(f"{package}.{each[1]}", ref.of_class(*each))
        entries = [(ref.of_class if inspect.isclass(o) else ref.entry)(at, name, o, 2) for at, name, o in small]
        if small: write(package, f"# {PACKAGES[package]}\n\n{ref.table(small)}\n\n" + "\n\n".join(entries))
    intro = "All public names, each with its signature, what it takes and gives, an example that is run, and the page that explains it."
    toc = "```{toctree}\n:hidden:\n\n" + "\n".join(pages) + "\n```"
    (out / "index.md").write_text(f"# Reference\n\n{intro}\n\n" + "\n\n".join(index) + f"\n\n{toc}\n", encoding="utf-8")
    return [label(package, name, obj) for package, names in known.items() for name, obj in names.items()]
