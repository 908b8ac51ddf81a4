# %% 8e10d9f1: net
assert net.sizes["wide"] == 16 + 8

# %% b306b511: print(net)
assert "wide        = cat(res, side)" in repr(net)

# %% 4a2e0c8a: wires
assert wires.wires.tolist() == [3, 16, 8, 10]          # image, the stream, side, classes

# %% d87f59d1: picture
assert picture.dot.count(":") > net.draw().dot.count(":")     # an edge with two colours

# %% 7a502588: panel.plan
assert panel.line == 'net.resize("stem", -4)' and net.sizes["stem"] == 16         # proposed, not done

# %% 1d39ad58: weights
assert repr(weights).count("12 kept, 4 dropped") == 2
_before = [p.clone() for p in net.parameters()]

# %% f2ab78f5: panel.lines
assert all(torch.equal(p, q) for p, q in zip(net.parameters(), _before))

# %% 5275aa6e: plan.milp
assert plan.preview().sizes["wide"] == 31 and "kept(stem)" in plan.milp.columns

# %% c84c7c86: draw(net, marks=conflict(net, why))
assert {v.name for v in conflict(net, why)} == {"stem", "left"}

# %% 208035f5: net.draw(magnitude)
strips = net.draw(magnitude).strips
assert len(strips) == sum(magnitude(v) is not None for v in net)

# %% 85ca1ffd: panel.plan
assert panel.plan.preview().sizes["res"] == 8 and panel.plan.preview().sizes["classes"] == 10

# %% eb21e826: mine.table.tail(3)
assert mine.best.fitness > mine.table.best[0] and len(mine.rows) == 12

# %% 1f4858cc: f"{len(page) / 1000:.0f} kB"
assert page.startswith("<!DOCTYPE html>") and "<svg" in mine.html() and "src=" not in page
