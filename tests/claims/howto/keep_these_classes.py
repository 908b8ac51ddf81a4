# %% c6cb3378: difference
assert difference < 1e-6
