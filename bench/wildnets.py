"""The models of bench/wild.py: of other packages, with small random configurations, and a few written here; each imports what it needs"""
import torch
from torch import nn

MODELS = {}     # name -> (package, function that gives the module, what it is called with, and the same in other sizes)

def model(package, *names):
    "Adds a model, or one for each of the names, with which the function is called then"
    def add(f):
        MODELS.update({name: (package, lambda name=name: f(name)) for name in names} or {f.__name__: (package, f)})
        return f
    return add

def ids(b, t, n=90): return torch.randint(2, n, (b, t))
def noise(*shape): return torch.randn(*shape, dtype=torch.float64)

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
def bloom(): return language("BloomForCausalLM", vocab_size=97, hidden_size=36, n_layer=2, n_head=3)
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
    class Tagger(nn.Module):
        def __init__(self): super().__init__(); self.words, self.lstm, self.out = nn.Embedding(97, 20), nn.LSTM(20, 14, batch_first=True, bidirectional=True), nn.Linear(28, 5)
        def forward(self, x): return self.out(self.lstm(self.words(x))[0])
    return Tagger(), dict(x=ids(2, 7)), [dict(x=ids(3, 7)), dict(x=ids(2, 9))]

@model("torch")
def vae():
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
    class Gan(nn.Module):
        def __init__(self):
            super().__init__()
            self.make = nn.Sequential(nn.ConvTranspose2d(9, 24, 4), nn.BatchNorm2d(24), nn.ReLU(), nn.ConvTranspose2d(24, 14, 4, 2, 1, bias=False), nn.BatchNorm2d(14), nn.ReLU(), nn.ConvTranspose2d(14, 3, 4, 2, 1), nn.Tanh())
            self.judge = nn.Sequential(nn.Conv2d(3, 13, 4, 2, 1), nn.LeakyReLU(.2), nn.Conv2d(13, 18, 4, 2, 1), nn.BatchNorm2d(18), nn.LeakyReLU(.2), nn.Conv2d(18, 1, 4))
        def forward(self, z): made = self.make(z[:, :, None, None]); return made, self.judge(made).flatten(1)
    return Gan(), dict(z=noise(2, 9)), [dict(z=noise(3, 9))]

def messages(step):
    "A network on a graph with a list of edges"
    class Graph(nn.Module):
        def __init__(self): super().__init__(); self.steps, self.out = nn.ModuleList([step(6, 14), step(14, 10)]), nn.Linear(10, 4)
        def forward(self, x, edges):
            for s in self.steps: x = s(x, edges[0], edges[1]).relu()
            return self.out(x)
    call = lambda n, e: dict(x=noise(n, 6), edges=torch.randint(0, n, (2, e)))
    return Graph(), call(7, 15), [call(9, 15), call(7, 22)]

@model("torch")
def gcn():
    class Step(nn.Module):
        def __init__(self, i, o): super().__init__(); self.lin, self.bias = nn.Linear(i, o, bias=False), nn.Parameter(torch.zeros(o))
        def forward(self, x, a, b):
            many = torch.ones(x.shape[0], dtype=x.dtype).scatter_add(0, b, torch.ones_like(b, dtype=x.dtype)).rsqrt()
            h = self.lin(x)
            return torch.zeros_like(h).index_add(0, b, h[a] * (many[a] * many[b])[:, None]) + h * (many ** 2)[:, None] + self.bias
    return messages(Step)

@model("torch")
def sage():
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
    class Step(nn.Module):
        def __init__(self, i, o): super().__init__(); self.eps, self.mlp = nn.Parameter(torch.zeros(1)), nn.Sequential(nn.Linear(i, o + 5), nn.BatchNorm1d(o + 5), nn.ReLU(), nn.Linear(o + 5, o))
        def forward(self, x, a, b): return self.mlp((1 + self.eps) * x + torch.zeros_like(x).index_add(0, b, x[a]))
    return messages(Step)

@model("torch")
def gat():
    "Attention along edges, several heads"
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

# ------------------------------------------------------------------------------------------------- detectors, segmenters, clips

@model("transformers")
def detr():
    import transformers
    body = transformers.ResNetConfig(embedding_size=8, hidden_sizes=[10, 12, 20, 28], depths=[1] * 4, layer_type="basic", out_features=["stage4"])
    c = transformers.DetrConfig(use_timm_backbone=False, use_pretrained_backbone=False, backbone=None, backbone_config=body, num_queries=6, d_model=36, encoder_layers=2, decoder_layers=2, encoder_attention_heads=3, decoder_attention_heads=3,
                                encoder_ffn_dim=52, decoder_ffn_dim=44, num_labels=5)
    return transformers.DetrForObjectDetection(c), dict(pixel_values=noise(2, 3, 64, 64)), [dict(pixel_values=noise(3, 3, 64, 64)), dict(pixel_values=noise(2, 3, 64, 96))]

@model("ultralytics", "yolov8n", "yolo11n", "yolov8n-seg", "yolov8n-pose")
def detector(name):
    import os
    os.environ["YOLO_OFFLINE"] = "1"
    from ultralytics.nn import tasks
    kind, how = (tasks.PoseModel, {}) if name.endswith("pose") else (tasks.SegmentationModel if name.endswith("seg") else tasks.DetectionModel, dict(nc=7))
    return kind(f"{name}.yaml", ch=3, verbose=False, **how), dict(x=noise(2, 3, 64, 64)), [dict(x=noise(3, 3, 64, 64)), dict(x=noise(2, 3, 96, 64))]

def scenes(m, name="x", others=((64, 96),)):
    "A model that is called with pictures of 64 x 64"
    return m, {name: noise(2, 3, 64, 64)}, [{name: noise(3, 3, 64, 64)}, *({name: noise(2, 3, *s)} for s in others)]

@model("segmentation-models-pytorch", "Unet", "FPN", "Linknet", "DeepLabV3Plus", "Segformer")
def segmenter(name):
    import segmentation_models_pytorch as smp
    how = dict(Linknet={}, Unet=dict(decoder_channels=(40, 36, 20, 12, 10)), FPN=dict(decoder_pyramid_channels=40, decoder_segmentation_channels=64, decoder_dropout=0.), DeepLabV3Plus=dict(decoder_channels=24), Segformer=dict(decoder_segmentation_channels=24))
    return scenes(getattr(smp, name)("resnet18", encoder_weights=None, classes=5, **how[name]))

@model("torchvision")
def lraspp():
    import torchvision
    return scenes(torchvision.models.segmentation.lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=5), "input")

@model("torchvision")
def ssdlite():
    "What finds boxes, without what sorts them out"
    import torchvision
    class Body(nn.Module):
        def __init__(self, m): super().__init__(); self.backbone, self.head = m.backbone, m.head
        def forward(self, x): return self.head([*self.backbone(x).values()])
    return scenes(Body(torchvision.models.detection.ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=5)))

@model("torchvision")
def s3d():
    "For clips of 16 pictures, here of 64 x 64"
    import torchvision
    m = torchvision.models.video.s3d(weights=None, num_classes=5)
    m.avgpool = nn.AvgPool3d((2, 2, 2), 1)
    return m, dict(x=noise(2, 3, 16, 64, 64)), [dict(x=noise(3, 3, 16, 64, 64)), dict(x=noise(2, 3, 16, 64, 96))]

# ------------------------------------------------------------------------------------------------- diffusion, bodies, graphs, sound

@model("diffusers")
def unet2d():
    import diffusers
    m = diffusers.UNet2DModel(sample_size=16, layers_per_block=1, block_out_channels=(8, 12), norm_num_groups=4, attention_head_dim=4, down_block_types=("DownBlock2D", "AttnDownBlock2D"), up_block_types=("AttnUpBlock2D", "UpBlock2D"))
    call = lambda b, n: dict(sample=noise(b, 3, n, n), timestep=torch.randint(0, 90, (b,)))
    return m, call(2, 16), [call(3, 16), call(2, 24)]

@model("diffusers")
def dit():
    import diffusers
    m = diffusers.DiTTransformer2DModel(num_attention_heads=3, attention_head_dim=8, in_channels=4, num_layers=2, sample_size=8, patch_size=2, norm_num_groups=4, num_embeds_ada_norm=20)
    call = lambda b: dict(hidden_states=noise(b, 4, 8, 8), timestep=torch.randint(0, 20, (b,)), class_labels=torch.randint(0, 20, (b,)))
    return m, call(2), [call(3)]

@model("diffusers")
def autoencoder_kl():
    import diffusers
    m = diffusers.AutoencoderKL(block_out_channels=(8, 12), down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2, norm_num_groups=4, layers_per_block=1, latent_channels=4)
    return m, dict(sample=noise(2, 3, 16, 16)), [dict(sample=noise(3, 3, 16, 16)), dict(sample=noise(2, 3, 16, 24))]

@model("diffusers")
def unet2d_condition():
    import diffusers
    m = diffusers.UNet2DConditionModel(sample_size=16, layers_per_block=1, block_out_channels=(8, 12), norm_num_groups=4, attention_head_dim=2, cross_attention_dim=10,
                                       down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"))
    call = lambda b, n, t: dict(sample=noise(b, 4, n, n), timestep=torch.randint(0, 90, (b,)), encoder_hidden_states=noise(b, t, 10))
    return m, call(2, 16, 5), [call(3, 16, 5), call(2, 24, 7)]

@model("monai")
def monai_unet():
    from monai.networks.nets import UNet
    return scenes(UNet(2, 3, 5, channels=(8, 14, 20), strides=(2, 2), num_res_units=2))

@model("monai")
def segresnet():
    from monai.networks.nets import SegResNet
    return scenes(SegResNet(2, 8, 3, 5, blocks_down=(1, 2, 2), blocks_up=(1, 1)))

@model("torch_geometric", "GCN", "GraphSAGE", "GIN", "GAT")
def graph(name):
    from torch_geometric.nn import models
    call = lambda n, e: dict(x=noise(n, 6), edge_index=torch.randint(0, n, (2, e)))
    return getattr(models, name)(6, 14, 2, 4), call(7, 15), [call(9, 15), call(7, 22)]

@model("torchaudio")
def tasnet():
    from torchaudio.models import ConvTasNet
    return ConvTasNet(2, 8, 18, 3, 12, 20, 3, 2), dict(input=noise(2, 1, 64)), [dict(input=noise(3, 1, 64)), dict(input=noise(2, 1, 96))]

@model("torchaudio")
def audio_wav2vec2():
    from torchaudio.models import wav2vec2_model
    m = wav2vec2_model("group_norm", [(12, 10, 5), (14, 3, 2)], False, 36, 0., 6, 3, 2, 3, 0., 52, 0., 0., False, 0., 7)
    return m, dict(waveforms=noise(2, 200)), [dict(waveforms=noise(3, 200)), dict(waveforms=noise(2, 264))]

@model("open_clip_torch")
def open_clip():
    from open_clip.model import CLIP
    m = CLIP(22, dict(layers=2, width=36, head_width=12, patch_size=8, image_size=32), dict(context_length=7, vocab_size=97, width=30, heads=3, layers=2))
    call = lambda b: dict(image=noise(b, 3, 32, 32), text=ids(b, 7))
    return m, call(2), [call(3)]
