# %% 461987bb: g
assert np.array_equal(g["y"].op.w, before[:, [0, 1, 2, 7, 8, 9, 10, 11]])

# %% 53f9efe6: len({*naivenas._ROOMS, *naivenas.search.__all__})
assert exists("Graph.insert") and exists("mutate.Mutation") and not exists("Graph.teleport")

# %% eeeb2d7f: counts[["same", "better", "replaced", "missing"]]
assert sorted(found) == [f"{p}{i:03d}" for p, n in (("F", 51), ("G", 127), ("L", 100), ("O", 54)) for i in range(1, n + 1)] and len(found) == 332
assert counts.loc["all"].sum() == 332 and counts.loc["all", "missing"] < 20
