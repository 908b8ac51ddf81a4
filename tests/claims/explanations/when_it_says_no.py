# %% bb7047cb: Markdown("\n".join(["| what was written | what it says | what works |", "| --- | --- | --- |", *lines]))
assert len(lines) == len({wrong for _, wrong, _, _ in ROWS}) >= 66
