# %% 8eaa225d: plan
assert plan.preview().sizes["a"] == 16
