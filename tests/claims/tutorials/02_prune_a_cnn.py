# %% 57663614: start
assert start[0] > .95

# %% 52868218: table.describe().round(3)
assert len(table) == 32

# %% 7b88685c: plan
assert net.sizes["stem"] == 32 and plan.preview().sizes["stem"] == plan.preview().sizes["res"] < 32

# %% 260b8eea: wires
stream = next(r for _, r in wires.iterrows() if "res" in r.through.split(", "))
assert stream.gone == 32 - plan.preview().sizes["res"] and stream.new == 0

# %% 6451b8b1: weights
assert "10 kept, 0 dropped" in repr(weights)

# %% 76c81bc3: score()
assert net.sizes["digit"] == 10 and net.sizes["stem"] == net.sizes["res"]

# %% 33b80027: found
assert found.agrees

# %% 4a97a6db: score()
weight = net["digit"].op.weight
assert optimizer.state[weight]["exp_avg"].shape == weight.shape
assert score()[0] > .95

# %% ac652fca: history.round(3)
assert history.parameters.is_monotonic_decreasing

# %% ca6fa118: f"{100 * (1 - left):.0f}% of the parameters are gone"
assert left < .25 and history.accuracy.iloc[-1] > start[0] - .03

# %% 06332503: draw(net, was=sizes, down=False)
assert all(net.sizes[v] < n for v, n in sizes.items() if v not in ("image", "digit"))
