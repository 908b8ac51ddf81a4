# %% 1cb6666e: f"{right:.1%} of {len(X_test)} digits that the search has never seen"
assert right > .96

# %% ef28d3d4: table[["id", "born", "fitness", "parameters", "optimizer", "lr", "batch", "augment", "log"]]
assert len(table) == 6 and (table["seen"] > 0).all()

# %% 00cd6456: print(model.net.to_python()[:900], "...")
assert (again.predict(X_test) == model.predict(X_test)).all()

# %% 46e19aac: seen.table.round(3)
assert len(seen.table) == 2

# %% f9b6443b: dashboard.table.round(3)
assert dashboard.table["best"].is_monotonic_increasing

# %% 6a3c272f: best.net.sizes
assert best.fitness > .93
