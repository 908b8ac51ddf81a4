"How Sphinx builds the site; `nbs/site.py` calls it"
import sys
from configparser import ConfigParser
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
settings = ConfigParser(delimiters=["="], interpolation=None)
settings.read(Path(__file__).parents[2] / "settings.ini", encoding="utf-8")
cfg = settings["DEFAULT"]

project, author, copyright, release = cfg["title"], cfg["author"], cfg["copyright"], cfg["version"]
extensions = ["myst_nb", "sphinx_design", "mathml"]
nb_execution_mode = "off"
nb_merge_streams = True
myst_enable_extensions = ["dollarmath", "colon_fence", "attrs_block", "attrs_inline", "deflist"]
myst_heading_anchors = 4
html_math_renderer = "mathml"
html_theme = "pydata_sphinx_theme"
html_title = project
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = html_show_sourcelink = html_show_sphinx = False
html_sidebars = {"index": []}
html_theme_options = dict(
    navbar_align="left", header_links_before_dropdown=6, show_toc_level=2, show_nav_level=1, navigation_depth=3, collapse_navigation=True,
    navbar_end=["theme-switcher", "navbar-icon-links"], search_bar_text="Search", footer_start=["copyright"], footer_end=[],
    secondary_sidebar_items=["page-toc"], pygments_light_style="a11y-high-contrast-light", pygments_dark_style="a11y-high-contrast-dark",
    icon_links=[dict(name="Source", url=cfg["git_url"], icon="fa-brands fa-github")], logo=dict(text=project))

def name_the_arrows(app, error):
    "The theme's arrows that open a part of the sidebar have no name for those who don't see them"
    for page in Path(app.outdir).rglob("*.html") if error is None else ():
        html = page.read_text(encoding="utf-8")
        named = html.replace('<summary><span class="toctree-toggle"', '<summary aria-label="the pages of this part"><span class="toctree-toggle"')
        if named != html: page.write_text(named, encoding="utf-8")

def setup(app): app.connect("build-finished", name_the_arrows)
