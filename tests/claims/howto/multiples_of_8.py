# %% 00c6bb8a: widths
assert all(w % 8 == 0 for w in widths[:-1])

# %% 3f10aed9: net.sizes
assert net.sizes["second"] % 16 == 0
