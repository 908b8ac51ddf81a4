"A Sphinx extension: formulas as MathML, which browsers draw by themselves; no script, nothing to load"
import re
from docutils import nodes
from latex2mathml.converter import convert

def _mathml(latex, display):
    latex = re.sub(r"\\(begin|end)\{(?:equation|align)\*?\}", lambda m: rf"\{m[1]}{{aligned}}", latex)
    return convert(latex.strip(), display=display)

def inline(self, node):
    self.body.append(_mathml(node.astext(), "inline"))
    raise nodes.SkipNode

def block(self, node):
    self.body.append(f'<div class="math">{_mathml(node.astext(), "block")}</div>')
    raise nodes.SkipNode

def setup(app):
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return dict(parallel_read_safe=True, parallel_write_safe=True)
