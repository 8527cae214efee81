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
    onnx = next((f for files in document["artefacts"].values() for f in files if f.endswith(".onnx")), None)
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
    lines += ["With transformers and torch:", "", "```python", _TORCH_SCRIPT, "```", ""]
    if document["backend"].startswith("torch"):
        lines += ["Its accuracy above is that of the torch recipe; other runtimes round otherwise.", ""]
    return "\n".join(lines)
