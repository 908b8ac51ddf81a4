"""Models of other packages as nets: language models, vision transformers, speech, detectors, segmenters, diffusion; with small random configurations, each in a process of its own.

    python bench/wild.py gpt2 llama bert             # by name
    python bench/wild.py all                         # every one whose package is installed, and a word about the others
    pip install naivenas[wild]                       # the packages that they come from

A model is imported, half of its neurons are pruned by magnitude, and what comes out is compared in float64 with the module itself, in which the rows and columns of removed neurons
are zero (a norm is taken over those that are left). Then a layer is grown by one unit, which changes nothing unless the net says that a statistic is in the way; and another batch and another length
or image size is tried on the net before it was pruned: it computes what the module does, or says that it cannot. At least nine of ten neurons that no output pins should be free to go.
Ends with one summary line, and exits 1 if a model is not right.
"""
import argparse, copy, json, logging, subprocess, sys, time, warnings
from pathlib import Path

# ------------------------------------------------------------------------------------------------------------------ the models

MODELS = {}     # name -> (package, function that gives the module, what it is called with, and the same in other sizes)

def model(package):
    def add(f): return MODELS.setdefault(f.__name__, (package, f)) and f
    return add

def ids(b, t, n=90): import torch; return torch.randint(2, n, (b, t))
def noise(*shape): import torch; return torch.randn(*shape, dtype=torch.float64)

def language(cls, **config):
    "A language model, called with the ids of a text"
    import transformers
    config = getattr(transformers, cls.replace("ForCausalLM", "Config").replace("LMHeadModel", "Config").replace("Model", "Config").replace("ForMaskedLM", "Config"))(**config)
    config.use_cache = False
    return getattr(transformers, cls)(config), dict(input_ids=ids(2, 7)), [dict(input_ids=ids(3, 7)), dict(input_ids=ids(2, 11))]

LLAMA = dict(vocab_size=97, hidden_size=32, intermediate_size=44, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64)

@model("transformers")
def gpt2(): return language("GPT2LMHeadModel", vocab_size=97, n_embd=36, n_layer=2, n_head=3, n_positions=40, n_inner=52)
@model("transformers")
def llama(): return language("LlamaForCausalLM", **LLAMA)
@model("transformers")
def qwen3(): return language("Qwen3ForCausalLM", **LLAMA, head_dim=10)
@model("transformers")
def gemma(): return language("GemmaForCausalLM", **LLAMA, head_dim=10)
@model("transformers")
def mistral(): return language("MistralForCausalLM", **LLAMA, head_dim=8)
@model("transformers")
def phi(): return language("PhiForCausalLM", **LLAMA)
@model("transformers")
def mamba(): return language("MambaForCausalLM", vocab_size=97, hidden_size=20, state_size=5, num_hidden_layers=2, expand=2, conv_kernel=3, time_step_rank=6)

BERT = dict(vocab_size=97, hidden_size=36, num_hidden_layers=2, num_attention_heads=3, intermediate_size=52, max_position_embeddings=40)

@model("transformers")
def bert(): return language("BertModel", **BERT)
@model("transformers")
def distilbert(): return language("DistilBertModel", vocab_size=97, dim=36, n_layers=2, n_heads=3, hidden_dim=52, max_position_embeddings=40)
@model("transformers")
def albert(): return language("AlbertModel", embedding_size=20, **BERT)
@model("transformers")
def roberta(): return language("RobertaModel", **BERT | dict(max_position_embeddings=44))

def translating(cls, config, **how):
    "An encoder and a decoder"
    import transformers
    config = getattr(transformers, config)(**how)
    config.use_cache = False
    call = lambda b, t, u: dict(input_ids=ids(b, t), decoder_input_ids=ids(b, u))
    return getattr(transformers, cls)(config), call(2, 7, 5), [call(3, 7, 5), call(2, 9, 6)]

@model("transformers")
def t5(): return translating("T5Model", "T5Config", vocab_size=97, d_model=36, d_kv=8, d_ff=52, num_layers=2, num_heads=3)
@model("transformers")
def bart(): return translating("BartModel", "BartConfig", vocab_size=97, d_model=36, encoder_layers=2, decoder_layers=2, encoder_attention_heads=3, decoder_attention_heads=3, encoder_ffn_dim=52, decoder_ffn_dim=44, max_position_embeddings=40)

def pictures(cls, size=32, others=(), channels=3, **config):
    "A vision model, called with pictures"
    import transformers
    prefix = cls.replace("ForSemanticSegmentation", "").replace("ForImageClassification", "").replace("VisionModel", "Vision").replace("ForObjectDetection", "").removesuffix("Model")
    m = getattr(transformers, cls)(getattr(transformers, prefix + "Config")(**config))
    return m, dict(pixel_values=noise(2, channels, size, size)), [dict(pixel_values=noise(3, channels, size, size)), *(dict(pixel_values=noise(2, channels, *s)) for s in others)]

@model("transformers")
def vit(): return pictures("ViTModel", image_size=32, patch_size=8, hidden_size=36, num_hidden_layers=2, num_attention_heads=3, intermediate_size=52)
@model("transformers")
def dinov2(): return pictures("Dinov2Model", image_size=32, patch_size=8, hidden_size=36, num_hidden_layers=2, num_attention_heads=3, mlp_ratio=2)
@model("transformers")
def clip_vision(): return pictures("CLIPVisionModel", image_size=32, patch_size=8, hidden_size=36, num_hidden_layers=2, num_attention_heads=3, intermediate_size=52)
@model("transformers")
def swin(): return pictures("SwinModel", image_size=32, patch_size=2, embed_dim=12, depths=[1, 2], num_heads=[2, 3], window_size=4)
@model("transformers")
def segformer(): return pictures("SegformerForSemanticSegmentation", 64, [(64, 96)], num_encoder_blocks=4, depths=[1] * 4, hidden_sizes=[8, 12, 20, 28], num_attention_heads=[1, 2, 2, 4], sr_ratios=[4, 2, 2, 1], decoder_hidden_size=18, num_labels=5)
@model("transformers")
def convnext(): return pictures("ConvNextModel", 32, [(32, 64)], hidden_sizes=[8, 12, 20, 28], depths=[1] * 4)

@model("transformers")
def whisper():
    import transformers
    c = transformers.WhisperConfig(vocab_size=97, num_mel_bins=10, d_model=36, encoder_layers=2, decoder_layers=2, encoder_attention_heads=3, decoder_attention_heads=3, encoder_ffn_dim=52, decoder_ffn_dim=44, max_source_positions=12, max_target_positions=20,
                                   pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1)
    c.use_cache = False
    call = lambda b, u: dict(input_features=noise(b, 10, 24), decoder_input_ids=ids(b, u))
    return transformers.WhisperModel(c), call(2, 5), [call(3, 5), call(2, 8)]

@model("transformers")
def wav2vec2():
    import transformers
    c = transformers.Wav2Vec2Config(hidden_size=36, num_hidden_layers=2, num_attention_heads=3, intermediate_size=52, conv_dim=(12, 14), conv_stride=(4, 2), conv_kernel=(6, 3), num_feat_extract_layers=2, num_conv_pos_embeddings=6, num_conv_pos_embedding_groups=3, vocab_size=20, mask_time_prob=0.)
    return transformers.Wav2Vec2Model(c), dict(input_values=noise(2, 200)), [dict(input_values=noise(3, 200)), dict(input_values=noise(2, 264))]

@model("transformers")
def clip():
    import transformers
    text = dict(vocab_size=97, hidden_size=36, num_hidden_layers=2, num_attention_heads=3, intermediate_size=52, max_position_embeddings=20, eos_token_id=96)
    view = dict(image_size=32, patch_size=8, hidden_size=30, num_hidden_layers=2, num_attention_heads=2, intermediate_size=44)
    call = lambda b, t: dict(input_ids=ids(b, t), pixel_values=noise(b, 3, 32, 32))
    return transformers.CLIPModel(transformers.CLIPConfig(text_config=text, vision_config=view, projection_dim=22)), call(2, 7), [call(3, 7), call(2, 9)]

@model("torch")
def tagger():
    import torch; from torch import nn
    class Tagger(nn.Module):
        def __init__(self): super().__init__(); self.words, self.lstm, self.out = nn.Embedding(97, 20), nn.LSTM(20, 14, batch_first=True, bidirectional=True), nn.Linear(28, 5)
        def forward(self, x): return self.out(self.lstm(self.words(x))[0])
    return Tagger(), dict(x=ids(2, 7)), [dict(x=ids(3, 7)), dict(x=ids(2, 9))]

@model("torch")
def vae():
    import torch; from torch import nn
    class VAE(nn.Module):
        def __init__(self):
            super().__init__()
            self.c, self.m, self.s = nn.Sequential(nn.Conv2d(1, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 12, 3, 2, 1), nn.ReLU()), nn.Linear(12 * 16, 6), nn.Linear(12 * 16, 6)
            self.l, self.d = nn.Linear(6, 10 * 16), nn.Sequential(nn.ConvTranspose2d(10, 8, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(8, 1, 4, 2, 1))
        def forward(self, x):
            h = self.c(x).flatten(1)
            m, s = self.m(h), self.s(h)
            z = m + torch.randn_like(m) * (s / 2).exp() if self.training else m
            return self.d(self.l(z).relu().view(-1, 10, 4, 4)), m, s
    return VAE(), dict(x=noise(2, 1, 16, 16)), [dict(x=noise(3, 1, 16, 16))]

@model("torch")
def steps():
    "Cells in a loop, whose states are made in forward"
    import torch; from torch import nn
    class Steps(nn.Module):
        def __init__(self): super().__init__(); self.words, self.a, self.b, self.out = nn.Embedding(97, 20), nn.LSTMCell(20, 14), nn.GRUCell(14, 12), nn.Linear(12, 5)
        def forward(self, x):
            h, c, g = torch.zeros(len(x), 14, dtype=torch.float64), torch.zeros(len(x), 14, dtype=torch.float64), torch.zeros(len(x), 12, dtype=torch.float64)
            for t in range(x.shape[1]):
                h, c = self.a(self.words(x[:, t]), (h, c))
                g = self.b(h, g)
            return self.out(g)
    return Steps(), dict(x=ids(2, 4)), [dict(x=ids(3, 4)), dict(x=ids(2, 6))]

@model("torch")
def experts():
    "A mixture of experts that are one parameter"
    import torch; from torch import nn
    class Experts(nn.Module):
        def __init__(self): super().__init__(); self.a, self.router, self.up, self.bias, self.down, self.z = nn.Linear(7, 10), nn.Linear(10, 3), nn.Parameter(torch.randn(3, 10, 22)), nn.Parameter(torch.randn(3, 22)), nn.Parameter(torch.randn(3, 22, 10)), nn.Linear(10, 4)
        def forward(self, x):
            x = self.a(x)
            weight, at = self.router(x).softmax(-1).topk(2)
            weight = torch.zeros(*x.shape[:-1], 3, dtype=x.dtype).scatter(-1, at, weight)
            h = (torch.einsum("btd,edh->bteh", x, self.up) + self.bias).relu()
            return self.z(x + torch.einsum("bte,bted->btd", weight, torch.einsum("bteh,ehd->bted", h, self.down)))
    return Experts(), dict(x=noise(2, 5, 7)), [dict(x=noise(3, 5, 7)), dict(x=noise(2, 8, 7))]

@model("torch")
def dlrm():
    "Clicks: tables of embeddings and numbers, every pair of which is multiplied"
    import torch; from torch import nn
    class DLRM(nn.Module):
        def __init__(self):
            super().__init__()
            self.tables = nn.ModuleList(nn.EmbeddingBag(n, 12, mode="sum") for n in (50, 30, 20))
            self.bottom, self.top = nn.Sequential(nn.Linear(6, 22), nn.ReLU(), nn.Linear(22, 12), nn.ReLU()), nn.Sequential(nn.Linear(12 + 6, 26), nn.ReLU(), nn.Linear(26, 1))
            self.pairs = torch.tril_indices(4, 4, -1)
        def forward(self, x, some):
            x = self.bottom(x)
            every = torch.stack([x, *(t(some[:, k]) for k, t in enumerate(self.tables))], 1)
            pairs = torch.bmm(every, every.transpose(1, 2))[:, self.pairs[0], self.pairs[1]]
            return self.top(torch.cat([x, pairs], 1))
    call = lambda b: dict(x=noise(b, 6), some=torch.randint(0, 20, (b, 3, 4)))
    return DLRM(), call(2), [call(3)]

@model("torch")
def gan():
    "A generator and what judges it, one behind the other"
    from torch import nn
    class Gan(nn.Module):
        def __init__(self):
            super().__init__()
            self.make = nn.Sequential(nn.ConvTranspose2d(9, 24, 4), nn.BatchNorm2d(24), nn.ReLU(), nn.ConvTranspose2d(24, 14, 4, 2, 1, bias=False), nn.BatchNorm2d(14), nn.ReLU(), nn.ConvTranspose2d(14, 3, 4, 2, 1), nn.Tanh())
            self.judge = nn.Sequential(nn.Conv2d(3, 13, 4, 2, 1), nn.LeakyReLU(.2), nn.Conv2d(13, 18, 4, 2, 1), nn.BatchNorm2d(18), nn.LeakyReLU(.2), nn.Conv2d(18, 1, 4))
        def forward(self, z): made = self.make(z[:, :, None, None]); return made, self.judge(made).flatten(1)
    return Gan(), dict(z=noise(2, 9)), [dict(z=noise(3, 9))]

def messages(step):
    "A network on a graph with a list of edges"
    import torch; from torch import nn
    class Graph(nn.Module):
        def __init__(self): super().__init__(); self.steps, self.out = nn.ModuleList([step(6, 14), step(14, 10)]), nn.Linear(10, 4)
        def forward(self, x, edges):
            for s in self.steps: x = s(x, edges[0], edges[1]).relu()
            return self.out(x)
    call = lambda n, e: dict(x=noise(n, 6), edges=torch.randint(0, n, (2, e)))
    return Graph(), call(7, 15), [call(9, 15), call(7, 22)]

@model("torch")
def gcn():
    import torch; from torch import nn
    class Step(nn.Module):
        def __init__(self, i, o): super().__init__(); self.lin, self.bias = nn.Linear(i, o, bias=False), nn.Parameter(torch.zeros(o))
        def forward(self, x, a, b):
            many = torch.ones(x.shape[0], dtype=x.dtype).scatter_add(0, b, torch.ones_like(b, dtype=x.dtype)).rsqrt()
            h = self.lin(x)
            return torch.zeros_like(h).index_add(0, b, h[a] * (many[a] * many[b])[:, None]) + h * (many ** 2)[:, None] + self.bias
    return messages(Step)

@model("torch")
def sage():
    import torch; from torch import nn
    class Step(nn.Module):
        def __init__(self, i, o): super().__init__(); self.own, self.others = nn.Linear(i, o), nn.Linear(i, o, bias=False)
        def forward(self, x, a, b):
            many = torch.zeros(x.shape[0], dtype=x.dtype).index_add(0, b, torch.ones_like(b, dtype=x.dtype)).clamp(min=1)
            mean = torch.zeros(x.shape[0], x.shape[1], dtype=x.dtype).scatter_add(0, b[:, None].expand(-1, x.shape[1]), x[a]) / many[:, None]
            y = self.own(x) + self.others(mean)
            return y / y.norm(dim=-1, keepdim=True).clamp(min=1e-6)
    return messages(Step)

@model("torch")
def gin():
    import torch; from torch import nn
    class Step(nn.Module):
        def __init__(self, i, o): super().__init__(); self.eps, self.mlp = nn.Parameter(torch.zeros(1)), nn.Sequential(nn.Linear(i, o + 5), nn.BatchNorm1d(o + 5), nn.ReLU(), nn.Linear(o + 5, o))
        def forward(self, x, a, b): return self.mlp((1 + self.eps) * x + torch.zeros_like(x).index_add(0, b, x[a]))
    return messages(Step)

@model("torch")
def gat():
    "Attention along edges, several heads"
    import torch; from torch import nn
    class Step(nn.Module):
        def __init__(self, i, o): super().__init__(); self.lin, self.own, self.others, self.heads = nn.Linear(i, o, bias=False), nn.Parameter(torch.randn(1, 2, o // 2)), nn.Parameter(torch.randn(1, 2, o // 2)), 2
        def forward(self, x, a, b):
            h = self.lin(x).view(x.shape[0], self.heads, -1)
            score = nn.functional.leaky_relu((h * self.own).sum(-1)[b] + (h * self.others).sum(-1)[a], .2).exp()
            total = torch.zeros(x.shape[0], self.heads, dtype=x.dtype).index_add(0, b, score)
            heard = torch.zeros_like(h).index_add(0, b, h[a] * (score / (total[b] + 1e-9))[..., None])
            return heard.flatten(1)
    return messages(Step)

@model("torch")
def convtasnet():
    "Two voices apart: a learnt frame, stacks of dilated depthwise blocks, a mask for each voice"
    import torch; from torch import nn
    class Part(nn.Module):
        def __init__(self, d):
            super().__init__()
            self.body = nn.Sequential(nn.Conv1d(12, 20, 1), nn.PReLU(), nn.GroupNorm(1, 20), nn.Conv1d(20, 20, 3, padding=d, dilation=d, groups=20), nn.PReLU(), nn.GroupNorm(1, 20))
            self.res, self.skip = nn.Conv1d(20, 12, 1), nn.Conv1d(20, 14, 1)
        def forward(self, x): h = self.body(x); return x + self.res(h), self.skip(h)
    class TasNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.frame, self.norm, self.narrow, self.parts = nn.Conv1d(1, 18, 8, 4, bias=False), nn.GroupNorm(1, 18), nn.Conv1d(18, 12, 1), nn.ModuleList(Part(2 ** k) for k in range(3))
            self.mask, self.wave = nn.Sequential(nn.PReLU(), nn.Conv1d(14, 36, 1), nn.Sigmoid()), nn.ConvTranspose1d(18, 1, 8, 4, bias=False)
        def forward(self, x):
            f = self.frame(x)
            h, total = self.narrow(self.norm(f)), 0.
            for part in self.parts:
                h, s = part(h)
                total = total + s
            masked = self.mask(total).view(f.shape[0], 2, f.shape[1], -1) * f[:, None]
            return self.wave(masked.flatten(0, 1)).view(x.shape[0], 2, -1)
    return TasNet(), dict(x=noise(2, 1, 64)), [dict(x=noise(3, 1, 64)), dict(x=noise(2, 1, 96))]

# ------------------------------------------------------------------------------------------------------------ one model, in a child

def prepare():
    import torch
    for home in "tests", "bench": sys.path.insert(0, str(Path(__file__).resolve().parent.parent / home))
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    torch.manual_seed(0)

def leaves(out):
    import torch; from torch.utils._pytree import tree_leaves
    return [x for x in tree_leaves(out) if torch.is_tensor(x)]

def difference(a, b):
    a, b = leaves(a), leaves(b)
    if [x.shape for x in a] != [x.shape for x in b]: return float("inf")
    return max(((x.double() - y.double()).abs().max() / (1e-12 + y.double().abs().max())).item() for x, y in zip(a, b))

def stirred(m):
    "No part of the model may be silent, or as good as linear"
    import torch
    g = torch.Generator().manual_seed(1)
    for p in m.parameters():
        if p.is_floating_point() and p.numel(): p.data.add_(torch.randn(p.shape, generator=g, dtype=torch.float64).to(p.dtype) * (.1 if p.ndim > 1 else .05))
    return m

def zeroed(module, shared, net, plan):
    "A copy of `module` that neither makes nor reads what the plan removes; `shared`: the twin of the module that the net was made of"
    import torch; from torch import nn
    from masked import fewer, removed, silence
    from naivenas.graph.cut import axis_letters
    ref, name = copy.deepcopy(module), {id(p): k for k, p in shared.named_parameters(remove_duplicate=False)}
    theirs, norms = dict(ref.named_parameters(remove_duplicate=False)), {}
    for v in net:
        for key, p in v.op.named_parameters() if isinstance(v.op, nn.Module) else ():
            path, letters = name.get(id(p)), axis_letters(v.op, key)
            owner = ref.get_submodule(path.rpartition(".")[0]) if path else None
            if path is None: continue
            if isinstance(owner, nn.RNNBase):
                silence(owner, removed(plan.out(v).tolist(), v.nout // (1 + owner.bidirectional) if 0 else owner.hidden_size))
                continue
            if "Norm" in type(owner).__name__ and "Batch" not in type(owner).__name__ and v.nout == p.numel(): norms[owner] = plan.out(v).tolist()
            for axis, letter in enumerate(letters or ()):
                index, many = (plan.out(v), v.nout) if letter == "o" else (plan.ins(v)["ij".index(letter)], v.inputs["ij".index(letter)].nout) if letter in "ij" else (None, 0)
                if many == p.shape[axis] and owner not in norms: theirs[path].data.index_fill_(axis, removed(index.tolist(), many), 0.)
    for owner, kept in norms.items(): owner.register_forward_hook(fewer(kept))
    return ref

def right(name, keep):
    import torch
    from naivenas import Net
    from naivenas.nets.importance import magnitude
    from zoo import prunable
    torch.Tensor.float = torch.Tensor.double      # where a model asks for more precision than it has, it may keep what it has
    m, call, others = MODELS[name][1]()
    m = stirred(m.double().eval())
    shared, start = copy.deepcopy(m), time.process_time()
    net = Net.from_torch(shared, **call).eval()
    found = dict(importing=time.process_time() - start, vertices=len(net), opaque=sorted(set(net.opaque.values())), fixed=getattr(net, "fixed", {}))
    with torch.no_grad():
        found |= dict(same=difference(net(**call), m(**call)), prunable=prunable(net), others=[other(net, m, o) for o in others], grown=grown(net, call))
        before = sum(p.numel() for p in net.parameters())
        plan = net.prune_plan(keep, magnitude)
        ref = zeroed(m, shared, net, plan)
        plan.apply()
        found |= dict(gap=difference(net(**call), ref(**call)), parameters=sum(p.numel() for p in net.parameters()) / before, after=[other(net, ref, o) for o in others])
    return found

def other(net, m, call):
    "How far the net is off for other sizes: a number, a clear error ('refused'), or what was said"
    try: want = m(**call)
    except Exception: return 0.
    try: return difference(net(**call), want)
    except ValueError as e: return "refused" if "size" in str(e) or "shape" in str(e) else str(e)[:90]
    except Exception as e: return f"{type(e).__name__}: {str(e)[:90]}"

def grown(net, call):
    "What becomes of a few layers, of those that are not held, that get one unit more"
    from torch import nn
    from naivenas.sizes.demands import pinned_vertices
    from naivenas.sizes.tracing import Edit
    fixed = {*net.outputs, *pinned_vertices(net, net.vertices, net.outputs, [], [], Edit())}
    before, said, ends = net(**call), [], {w for v in fixed for w in net.ties.labels[v].tolist()} | {int(w) for wires, _ in net.ties.held for w in wires}
    layers = [v.name for v in net if isinstance(v.op, nn.Module) and v.role == "absorb" and v.inputs and not ends & {*net.ties.labels[v].tolist()}]
    for name in layers[1::max(len(layers) // 4, 1)][:4]:
        twin = copy.deepcopy(net)
        try: report = twin.resize(name, +1)
        except ValueError as e:
            near = getattr(e, "nearest", {}).get(name) or []
            more = [n for n in near if n > net[name].nout]
            if not more: said.append(str(e)[:100]); continue
            try: report = twin.resize(name, more[0] - net[name].nout)
            except ValueError as e: said.append("!" + str(e)[:100]); continue
        gap = difference(twin.eval()(**call), before)
        promised = not twin.statistics and not report.plan.caveats
        said.append("ok" if gap < 1e-8 or not promised and gap < float("inf") else f"off by {gap:.0e}")
    return said

# ---------------------------------------------------------------------------------------------------------------------- all of them

def child(name, args):
    "What a process of its own finds out about one model; {'error': ...} if nothing"
    command = [sys.executable, __file__, name, "--child", "--keep", str(args.keep)]
    try: done = subprocess.run(command, capture_output=True, text=True, timeout=args.limit)
    except subprocess.TimeoutExpired: return {"error": f"not done in {args.limit} s"}
    try: return json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError): return {"error": (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1][:200]}

def good(r):
    return "error" not in r and (r["same"] < 1e-9 and r["gap"] < 1e-8 and r["parameters"] < 1 and r["prunable"] >= .9 and all(g in ("ok", "refused") or isinstance(g, float) and g < 1e-8 for g in r["others"] + r["after"])
                                 and all(g == "ok" for g in r["grown"]))

def row(name, r):
    if "error" in r: return f"{name:12} MISSED: {r['error']}"
    sizes = ", ".join(o if isinstance(o, str) else f"{o:.0e}" for o in r["others"] + r["after"])
    text = f"{name:12} import {r['importing']:5.1f} CPU s, {r['vertices']} vertices, {r['prunable']:4.0%} prunable, parameters x{r['parameters']:.2f} | off by {r['same']:.0e} imported, {r['gap']:.0e} pruned | other sizes: {sizes} | grown: {', '.join(r['grown'])}"
    if r["opaque"]: text += f" | not understood: {r['opaque']}"
    if r["fixed"]: text += f" | fixed: {r['fixed']}"
    return text + ("" if good(r) else "   MISSED")

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", help=f"all, or some of: {', '.join(MODELS)}")
    parser.add_argument("--keep", type=float, default=.5, help="share of the neurons to keep")
    parser.add_argument("--limit", type=int, default=300, help="seconds for each model")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        prepare()
        print(json.dumps(right(args.models[0], args.keep)), flush=True)
        sys.exit()
    names, fine = [*MODELS] if args.models == ["all"] else args.models, 0
    for name in names:
        r = child(name, args)
        print(row(name, r), flush=True)
        fine += good(r)
    print(f"wild: {fine} of {len(names)} right")
    sys.exit(fine < len(names))
