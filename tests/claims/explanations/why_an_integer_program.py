# %% acb91c7d: plan
best, sizes = table.sort_values("kept").iloc[-1], plan.preview().sizes
assert (sizes["a"], sizes["b"]) == (best.a, best.b) == (8, 3)

# %% c9b8ecc1: even.preview().sizes
assert even.preview().sizes["a"] == 4 and even.preview().sizes["b"] == 3
