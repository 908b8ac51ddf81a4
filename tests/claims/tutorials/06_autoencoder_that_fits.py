# %% 9e33b491: table
assert fitted < rows["after 1 epochs"][1] and (table.iloc[:, 0] < table.iloc[:, 1]).all()

# %% 2fc72f10: report.draw()
assert net(torch.zeros(1, 1, 101, 77)).shape == (1, 1, 101, 77)

# %% 1069f4a7: print(report.summary)
for shape in (97, 73), (129, 105), (161, 97): assert net(torch.zeros(1, 1, *shape)).shape[2:] == shape

# %% 955dc7d7: sizes
assert sizes.multiple_of == [(8, 8), (8, 8)]

# %% 6701524f: print(report.summary)
assert classifier(torch.zeros(1, 1, 12, 10)).shape == (1, 10)
