# %% b0eb2089: files
assert files == ["net.svg", "plan.html", "small.pt", "smaller.py"]
