# %% e4fe1244: net
assert not net.opaque and not net.fixed

# %% bd6ca200: f"{error(small, test):.2f}\n\n{small.generate('Now is ')}")
assert type(small) is Llama
