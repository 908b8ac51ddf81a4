# %% 76fba69c: [c.fitness for c in here] == [c.fitness for c in there]
assert [c.fitness for c in here] == [c.fitness for c in there]

# %% ace2f261: [c.fitness for c in resumed] == [c.fitness for c in here]
assert [c.fitness for c in resumed] == [c.fitness for c in here]
