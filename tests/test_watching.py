"The candidates of a search as a table, as lines, and by name"
import html, re
from dataclasses import dataclass
from types import SimpleNamespace
import numpy as np, pytest, torch
from naivenas import Net, inputvertex, linear, relu, watch
from naivenas.apps.candidates import named, paths, places, rows_of, table_html

@dataclass
class How:
    lr: float = .01
    optimizer: str = "adam"

def population(n, seed=0, parents=(), start=0):
    rng, made = np.random.default_rng(seed), []
    for i in range(n):
        x, width = inputvertex("x", 4), int(rng.integers(2, 60))
        net = Net(x, "y" >> linear(relu("hidden" >> linear(x, width)), 2))
        made.append(SimpleNamespace(id=f"{start + i:010x}", fitness=float(rng.normal()), graph=net, settings=How(10 ** -rng.uniform(1, 4), str(rng.choice(["adam", "sgd"]))),
                                    parents=[str(rng.choice(parents))] if parents else [], seconds=float(rng.uniform(0, 3)), log=["founder"]))
    return made

def watched(n=8):
    first = population(n)
    second = population(n, 1, [c.id for c in first], n)
    w = watch([first, second])
    w.fed((torch.zeros(1, 4),))
    for _ in w: pass
    return w, [*first, *second]

def table_of(page):
    "The table as a list of dictionaries, by regular expressions"
    columns = [html.unescape(c) for c in re.findall(r"<th scope[^>]*><button[^>]*>([^<]*)", page)]
    return [dict(zip(columns, [html.unescape(re.sub("<[^>]*>", "", c)) for c in re.findall(r"<td[^>]*>.*?</td>", row)])) for row in re.findall(r"<tr data-k.*?</tr>", page)]

def test_the_table_has_each_candidate_with_its_numbers_and_no_hashes():
    w, everybody = watched()
    names = {c.id: f"{i // 8}.{i % 8 + 1}" for i, c in enumerate(everybody)}
    rows = {r["candidate"]: r for r in table_of(table_html(w))}
    assert rows.keys() == set(names.values()) and not any(c.id in "".join(w.plots()) + table_html(w) for c in everybody)
    for c in everybody:
        row, width = rows[names[c.id]], c.graph.sizes["hidden"]
        assert row["parameters"] == f"{4 * width + width + 2 * width + 2:,}" and row["MACs"] == f"{6 * width:,}" and row["optimizer"] == c.settings.optimizer
        assert abs(float(row["lr"]) / c.settings.lr - 1) < .01 and row["parents"] == ", ".join(names[p] for p in c.parents)
        assert row["generation"] == names[c.id][0] and abs(float(row["fitness"]) / c.fitness - 1) < .01
    values = [float(x) for x in re.findall(r'<tr data-k="[^"]*"(?: data-now)?><td>[^<]*</td><td data-x="([^"]*)"', table_html(w))]
    assert values == sorted(values, reverse=True) and table_html(w).count(" data-now") == 8

def test_lines_are_where_the_numbers_are():
    w, everybody = watched()
    svg = paths(rows_of(w))
    lines = {k: [float(p.split(",")[1]) for p in points.split()] for k, points in re.findall(r'<polyline data-k="([^"]*)"[^>]* points="([^"]*)"', svg)}
    by_fitness = sorted(lines, key=lambda k: lines[k][-1])                 # in a picture, up is less
    assert [r["candidate"] for r in rows_of(w)][0] == by_fitness[0] and len(lines) == 16
    assert sum('stroke-width="3"' in line for line in svg.split("<polyline")) == 1 and svg.count("<title>") == 16

def test_axes_of_numbers_powers_and_words():
    assert places([5, 5]) is None and places([None, 3, float("nan")]) is None and places([2, 4, 3, None])[0] == [0, 1, .5, None]
    assert places([.001, 1, .0316227766])[0] == pytest.approx([0, 1, .5]) and places(["b", "c", "a", None])[0] == [.5, 1, 0, None]

def test_names_that_somebody_chose_stay():
    assert named("mine", 1, 2) == "mine" and named(12, 0, 0) == "12" and named("deadbeef00", 3, 0) == "3.1" and named((1, 4), 1, 4) == "1.5"

def test_nobody_is_lost_who_failed_or_has_no_settings():
    some = [SimpleNamespace(fitness=float("-inf"), graph=population(1)[0].graph), SimpleNamespace(fitness=(.5, -2.), graph=None, id="b")]
    w = watch([some])
    for _ in w: pass
    rows = table_of(table_html(w))
    assert [r["candidate"] for r in rows] == ["b", "0.1"] and rows[0]["fitness"] == "0.5" and rows[1].get("fitness") == ""
    assert table_html(watch()) == ""

def test_a_search_of_fit_hands_over_what_it_takes_to_count():
    from naivenas import fit
    w = watch()
    fit(np.random.default_rng(0).normal(size=(60, 3)), np.arange(60) % 2, generations=1, size=2, progress=False, watch=w)
    for c in w.population:
        found = w.facts[c.id]
        assert found["MACs"] == c.net.counts(torch.zeros(1, *w.example[0].shape[1:])).loc["total", "macs"] > 0 and found["parameters"] == sum(p.numel() for p in c.net.parameters())
    w.build()
    assert w.list.html == table_html(w) and w.pick.label.startswith(w.name_of(w.best.id))
