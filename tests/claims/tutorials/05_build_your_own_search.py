# %% a3a2581c: child.log
assert size(child) > size(first) and child.net(image).shape == (100, 10)

# %% 538610bd: grandchild.log[-1], grandchild.settings
assert grandchild.net(image).shape == (100, 10) and grandchild.born == 2

# %% 4201f390: Population(sorted(mine[-1], key=size)).table()[["id", "born", "fitness", "seen", "lr", "log"]]
assert len(mine) == 4 and all(len(p) == N for p in mine)
assert best > .8
