# %% e3e23f2f: after
assert share <= .5

# %% fc33c30e: print(f"the squared error is {times:.0f} times smaller after the repair")
assert error(repaired) < error(half)
