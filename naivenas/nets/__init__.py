"PyTorch modules: their rules, their layers, surgery on them, what their neurons are worth"
