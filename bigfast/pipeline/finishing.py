"""From a winner's corner of the supermodel to the directory that the user takes away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bigfast.backend import Backend, Options, Weights, backend_names, choose_variant, find_backend, read_stock
from bigfast.backend.stock import save_stock
from bigfast.cpu import Machine
from bigfast.data import Accuracy, Encoded
from bigfast.deploy.export import Target, export_model
from bigfast.deploy.posttrain import PostTrained, posttrain
from bigfast.deploy.promise import Promise, measure_promise
from bigfast.errors import InputError
from bigfast.measure import Deployment, Protocol, Size
from bigfast.pipeline.task import Task, progress_of
from bigfast.pipeline.telling import Teller
from bigfast.pipeline.training import LEAST_STEPS, Lesson
from bigfast.profile import Profile
from bigfast.search.evaluation import Evaluator
from bigfast.space import Arch, parameters
from bigfast.store import published_directory, read_json, write_json
from bigfast.supermodel.elastic import Supermodel
from bigfast.supermodel.loop import Recipe
from bigfast.supermodel.train import training_identity


def model_name(limit_s: float) -> str:
    """The directory of the model found for a limit: ``5ms``, ``0.42ms``."""
    return f"{limit_s * 1e3:.3g}ms"


def posttrain_recipe(*, machine: Machine, seed: int) -> Recipe:
    """How a winner is trained on unless told otherwise; the number of steps is for the caller to fill in."""
    return Recipe(
        steps=LEAST_STEPS, batch_size=32, learning_rate=1.5e-4, hard_share=0.3, bf16=machine.has_bf16, seed=seed
    )


def posttrained(
    supermodel: Supermodel,
    arch: Arch,
    lesson: Lesson,
    recipe: Recipe,
    *,
    evaluator: Evaluator,
    labels: Sequence[str],
    place: Path,
    teller: Teller,
) -> tuple[Path, dict[str, Any]]:
    """Post-trains a winner, or loads what an earlier run gave, and returns its stock directory and its accuracies."""
    directory, figures = place / "stock", place / "accuracy.json"
    identity = training_identity(recipe, arch, len(lesson.encoded))
    if directory.exists() and figures.exists():
        known = read_json(figures)
        if known.get("identity") != identity:
            raise InputError(f"{place} holds another model, or one trained otherwise: choose another directory")
        return directory, known
    weights = supermodel.extract(arch)
    result: PostTrained = posttrain(
        weights,
        lesson.encoded,
        lesson.logits,
        recipe,
        evaluator=evaluator,
        identity=identity,
        checkpoint=place / "checkpoint.safetensors",
        told=progress_of(teller, f"post-training {arch}"),
    )
    with published_directory(directory) as fresh:
        save_stock(result.weights, labels, fresh)
    found = {
        "identity": identity,
        "arch": str(arch),
        "before": result.before.share,
        "after": result.after.share,
        "int8": result.kept.share,
        "n": result.kept.n,
    }
    write_json(figures, found)
    (place / "checkpoint.safetensors").unlink(missing_ok=True)
    return directory, found


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """What all winners of a run share on their way out.

    Attributes:
        task: For tokenizer, labels and the development rows.
        backend: The deployment backend.
        options: Its variant.
        validation: Rows that the accuracies are of.
        dev: Development rows, read once the search has ended; None where there are none.
        artefacts: Further backends that the export prepares a file for.
        deployment: With its threads and workers, of the promise.
        size: Of the inputs, of the promise.
        protocol: The rules of its measurement.
        machine: This machine.
        teacher: As the card names it.
    """

    task: Task
    backend: Backend
    options: Options
    validation: Encoded
    dev: Encoded | None
    artefacts: tuple[Backend, ...]
    deployment: Deployment
    size: Size
    protocol: Protocol
    machine: Machine
    teacher: str

    def _accuracy(self, backend: Backend, weights: Weights, encoded: Encoded) -> Accuracy:
        options = self.options if backend.name == self.backend.name else {}
        variant = choose_variant(backend, options, self.machine)
        threads = self.machine.usable_cores or 1
        return Evaluator(backend, variant, encoded, machine=self.machine, threads=threads).accuracy(weights)

    def export(
        self, arch: Arch, stock: Path, figures: dict[str, Any], promise: Promise, directory: Path
    ) -> dict[str, Any]:
        """Writes the model's directory and returns what its ``bigfast.json`` says."""
        weights = read_stock(stock).weights
        backend = self.backend
        dev = None if self.dev is None else self._accuracy(backend, weights, self.dev)
        float_name = backend.name.rpartition("-")[0] + "-fp32"
        # A runtime that offers int8 alone is held against the stock model.
        float_backend = find_backend(float_name if float_name in backend_names() else "torch-fp32")
        about: dict[str, Any] = {
            "arch": str(arch),
            "heads": weights.shape.heads,
            "parameters": parameters(weights.shape),
            "limit_ms": None if promise.limit_s is None else promise.limit_s * 1e3,
            "data": self.task.data.name,
            "teacher": self.teacher,
            "machine": self.machine.to_json(),
            "protocol": {
                "batch": self.size.batch,
                "length": self.size.length,
                "threads": self.deployment.threads,
                "concurrent": self.deployment.concurrent,
            },
            "accuracy": {
                "n": int(figures["n"]),
                "float32": self._accuracy(float_backend, weights, self.validation).share,
                "before": figures["before"],
                "int8": figures["int8"],
                "dev": None if dev is None else dev.share,
                "dev_n": None if dev is None else dev.n,
            },
            "latency": promise.to_json(),
        }
        targets = [
            Target(backend=b, options=self.options if b is backend else {}, threads=self.deployment.threads)
            for b in (backend, *self.artefacts)
        ]
        export_model(
            weights,
            directory,
            labels=self.task.data.labels,
            tokenizer=self.task.teacher.tokenizer,
            targets=targets,
            machine=self.machine,
            about=about,
        )
        return about

    def finish(
        self, limit_s: float, arch: Arch, stock: Path, figures: dict[str, Any], directory: Path,
        *, budget_s: float, teller: Teller,
    ) -> dict[str, Any]:  # fmt: skip
        """Measures a model's promise, exports it, and returns what its ``bigfast.json`` says; once only."""
        document = directory / "bigfast.json"
        if document.exists():
            about = read_json(document)
            if about.get("arch") != str(arch) or about.get("latency", {}).get("limit_s") != limit_s:
                raise InputError(f"{directory} holds another model ({about.get('arch')}): choose another directory")
            return about
        promise = measure_promise(
            stock,
            deployment=self.deployment,
            size=self.size,
            protocol=self.protocol,
            machine=self.machine,
            limit_s=limit_s,
            budget_s=budget_s,
            told=lambda share: teller.progress(share, 1.0, f"measuring the promise of {limit_s * 1e3:.3g} ms"),
        )
        return self.export(arch, stock, figures, promise, directory)


def further_int8(profile: Profile, backend: Backend) -> tuple[Backend, ...]:
    """The other int8 backends of a profile that can be used here: an export prepares a file for them too."""
    names = {m.deployment.backend for m in profile.measurements} - {backend.name}
    others = (find_backend(name) for name in sorted(names))
    return tuple(b for b in others if b.precision == "int8" and b.available().usable)


def described(about: dict[str, Any]) -> str:
    """One sentence on an exported model."""
    latency, accuracy = about["latency"], about["accuracy"]
    dev = "" if accuracy["dev"] is None else f", {accuracy['dev']:.2%} on {accuracy['dev_n']} development rows"
    return (
        f"{about['arch']}: int8 accuracy {accuracy['int8']:.2%} on {accuracy['n']} validation rows{dev}; median "
        f"{latency['p50_s'] * 1e3:.3g} ms (95 % interval {latency['p50_low_s'] * 1e3:.3g} to "
        f"{latency['p50_high_s'] * 1e3:.3g}), limit {about['limit_ms']:.3g} ms "
        f"{'holds' if latency['holds'] else 'DOES NOT HOLD'}"
    )
