# %% e3e23f2f: after
assert share <= .5

# %% fc33c30e: print(f"squared error: {error(half):.1e}, after the repair {error(repaired):.1e}")
assert error(repaired) < error(half)
