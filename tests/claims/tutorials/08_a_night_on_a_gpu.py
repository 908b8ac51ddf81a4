# %% f4cada10: naivenas("fit digits --generations 1 --keep night --out found")
from naivenas.search import Store
_first = Store("night").manifest()["generations"]
assert [*_first] == [0]

# %% fda45b04: naivenas("fit digits --generations 2 --keep night --out found")
assert [*Store("night").manifest()["generations"]] == [0, 1] and Store("night").manifest()["generations"][0] == _first[0], "the first is as it was"

# %% 53b1d559: pd.crosstab(said.folder, said.prediction)
assert len(said) == 120 and (said.folder == said.prediction).mean() > .9
