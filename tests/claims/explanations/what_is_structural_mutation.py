# %% b18bb416: changes, wall = spread(stream, -2)
assert wall is image

# %% 0c1ff6d9: plan
assert plan.preview().sizes["a"] == 2 and plan.preview().sizes["b"] == 3
