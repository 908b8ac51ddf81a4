# %% c870158b: on
assert all(PACKAGES.index(q) < PACKAGES.index(p) for p in PACKAGES for q in below[p])
