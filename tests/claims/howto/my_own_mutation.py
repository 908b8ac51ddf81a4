# %% 217c74be: population.table()[["born", "fitness", "parameters", "log"]]
assert len(population) == 3
