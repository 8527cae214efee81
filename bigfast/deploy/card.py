"""The README of an exported model: what it is, what was measured where, and how to run it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_ONNX_SCRIPT = """import numpy as np
import onnxruntime
from tokenizers import Tokenizer

tokenizer = Tokenizer.from_file("tokenizer.json")
tokenizer.no_padding()
session = onnxruntime.InferenceSession("{file}")
text = tokenizer.encode("A first sentence.", "A second one.")
feed = {{
    "input_ids": np.array([text.ids]),
    "attention_mask": np.array([text.attention_mask]),
    "token_type_ids": np.array([text.type_ids]),
}}
print({labels}[int(session.run(["logits"], feed)[0].argmax())])"""

_OPENVINO_SCRIPT = """import json
import numpy as np
import openvino
from tokenizers import Tokenizer

tokenizer = Tokenizer.from_file("tokenizer.json")
{padding}
model = openvino.Core().read_model("{directory}/model.xml")
{shape}model = openvino.compile_model(model, "CPU", json.load(open("{directory}/settings.json")))
text = tokenizer.encode("A first sentence.", "A second one.")
feed = {{
    "input_ids": np.array([text.ids]),
    "attention_mask": np.array([text.attention_mask]),
    "token_type_ids": np.array([text.type_ids]),
}}
print({labels}[int(model(feed)["logits"].argmax())])"""

# Compiled for one size: all texts are padded, or cut, to it.
_FIXED_PADDING = "tokenizer.enable_padding(length={length})\ntokenizer.enable_truncation({length})"
_FIXED_SHAPE = 'model.reshape({{name: [1, {length}] for name in ("input_ids", "attention_mask", "token_type_ids")}})\n'

_TORCH_SCRIPT = """import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(".")
model = AutoModelForSequenceClassification.from_pretrained(".")
model = torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear}, dtype=torch.qint8)
with torch.inference_mode():
    logits = model(**tokenizer("A first sentence.", "A second one.", return_tensors="pt")).logits
print(model.config.id2label[int(logits.argmax())])"""


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.2%}"


def model_card(document: Mapping[str, Any], *, labels: Sequence[str]) -> str:
    """Markdown with a model card's header, from what ``bigfast.json`` holds."""
    accuracy, promise = document["accuracy"], document["latency"]
    protocol, machine = document["protocol"], document["machine"]
    files = [name for names in document["artefacts"].values() for name in names]
    onnx = next((name for name in files if name.endswith(".onnx")), None)
    openvino = next((name for name in files if name.endswith(".xml")), None)
    lines = [
        "---",
        "library_name: transformers",
        "pipeline_tag: text-classification",
        "tags: [bigfast, int8, bert]",
        *([f"license: {document['license']}"] if document.get("license") else []),
        "---",
        f"# BERT {document['arch']}, found for {document['limit_ms']:.3g} ms",
        "",
        f"- architecture: {document['arch']} (layers, hidden size, feed-forward size), {document['heads']} heads, "
        f"{document['parameters']:,} parameters",
        f"- classes: {', '.join(labels)}",
        f"- backend: {document['backend']} ({document['variant']}), {document['threads']} thread(s)",
        f"- data: {document['data']}; teacher: {document['teacher']}",
        f"- machine: {machine['model']}, fingerprint `{machine['fingerprint']}`",
        "",
        "| accuracy | rows | share |",
        "|---|---|---|",
        f"| float32 | {accuracy['n']} validation | {_percent(accuracy['float32'])} |",
        f"| int8, with the supermodel's weights | {accuracy['n']} validation | {_percent(accuracy['before'])} |",
        f"| int8, exported | {accuracy['n']} validation | {_percent(accuracy['int8'])} |",
    ]
    if accuracy.get("dev") is not None:
        lines.append(f"| int8, exported | {accuracy['dev_n']} development | {_percent(accuracy['dev'])} |")
    lines += [
        "",
        f"Median latency {promise['p50_s'] * 1e3:.3g} ms (95 % interval {promise['p50_low_s'] * 1e3:.3g} to "
        f"{promise['p50_high_s'] * 1e3:.3g} ms) for batch {protocol['batch']} of {protocol['length']} tokens, "
        f"{promise['calls']} calls in {promise['blocks']} blocks over {promise['processes']} processes: the limit of "
        f"{document['limit_ms']:.3g} ms {'holds' if promise['holds'] else 'DOES NOT HOLD'}.",
        "Measure it again with `bigfast verify` on this directory.",
        "",
        "## Run it",
        "",
    ]
    if onnx is not None:
        script = _ONNX_SCRIPT.format(file=onnx, labels=list(labels))
        lines += ["With onnxruntime and tokenizers alone:", "", "```python", script, "```", ""]
    if openvino is not None:
        lines += ["With openvino and tokenizers alone:", "", "```python"]
        lines += [_openvino_script(openvino, document, labels), "```", ""]
    lines += ["With transformers and torch:", "", "```python", _torch_script(document["options"]), "```", ""]
    if document["backend"].startswith("torch"):
        lines += ["Its accuracy above is that of the torch recipe; other runtimes round otherwise.", ""]
    return "\n".join(lines)


def _openvino_script(file: str, document: Mapping[str, Any], labels: Sequence[str]) -> str:
    fixed, length = document["options"].get("shapes") == "fixed", document["protocol"]["length"]
    return _OPENVINO_SCRIPT.format(
        directory=file.rpartition("/")[0],
        padding=_FIXED_PADDING.format(length=length) if fixed else "tokenizer.no_padding()",
        shape=_FIXED_SHAPE.format(length=length) if fixed else "",
        labels=list(labels),
    )


def _torch_script(options: Mapping[str, str]) -> str:
    """The stock way to int8, with the engine and the scales of a torch variant if it is one."""
    script = _TORCH_SCRIPT
    if options.get("weights") == "channel":
        per_channel = "{torch.nn.Linear: torch.ao.quantization.per_channel_dynamic_qconfig}"
        script = script.replace("{torch.nn.Linear}", per_channel)
    if "engine" in options:
        engine = f'torch.backends.quantized.engine = "{options["engine"]}"'
        script = script.replace("model = torch.ao", f"{engine}\nmodel = torch.ao")
    return script
