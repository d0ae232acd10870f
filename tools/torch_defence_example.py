"""The bundled default as a PyTorch defence: an example for dump_torch_gradient.py.

    /usr/bin/python3 tools/dump_torch_gradient.py tools/torch_defence_example.py OUT --t 50 --steps 10

and the command it prints. Replace the four functions by those of your own defence.
"""
import pathlib
import sys

import torch

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools" / "goldens"))
import hash_values                                      # noqa: E402
import networks                                         # noqa: E402
import tensor_file                                      # noqa: E402


def load(network, name):
    """The network with the weights of a safetensors file, double precision, parameters frozen."""
    tensors = tensor_file.read(str(ROOT / "weights" / name))[0]
    missing, unexpected = network.load_state_dict({k: torch.from_numpy(v.copy()) for k, v in tensors.items()}, strict=False)
    assert not unexpected and all(k.endswith("num_batches_tracked") for k in missing), (missing, unexpected)
    for p in network.parameters():
        p.requires_grad_(False)
    return network.eval()


unet = load(networks.DdpmUnet(ch=32, mult=(1, 2), blocks=1, attn=(8,), groups=32, size=16), "shapes-ddpm.safetensors")
classifier = load(networks.WideResnet(depth=10, widen=1, classes=4), "shapes-classifier.safetensors")


def images():
    x = torch.from_numpy(hash_values.uniform("pictures", (4, 3, 16, 16), 0.35, 0.5))
    with torch.no_grad():
        return x, logits(x).argmax(1)


def eps(u, t):
    return unet(u, torch.full((u.shape[0],), t))


def logits(x):
    return classifier(x)
