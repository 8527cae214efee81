"""The profile of a machine: what was measured there, how well it repeats, and the predictors that follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from bigfast.cpu import Machine
from bigfast.errors import ProfileError, UnknownName
from bigfast.measure import Block, Protocol, Timing
from bigfast.predict import BERT_FEATURES, Prediction, Predictor, Score
from bigfast.space import Arch, BertSpace

FORMAT = "bigfast.profile"
SCHEMA_VERSION = "1.0"

RESAMPLES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One architecture on one backend and variant.

    Attributes:
        backend: The backend's name.
        variant: Its variant in one word, such as ``engine=x86``.
        version: Of the runtime.
        arch: The architecture.
        timing: None where it failed.
        reason: Why it failed or is unstable; empty otherwise.
        prepare_s: Seconds from float32 weights to a session.
        disagreement: With float32, see ``bigfast.backend.disagreement``.
        evidence: Which kernels ran, as the runtime told.
    """

    backend: str
    variant: str
    version: str
    arch: Arch
    timing: Timing | None
    reason: str
    prepare_s: float | None
    disagreement: float | None
    evidence: Mapping[str, str]

    @property
    def key(self) -> str:
        """Backend and variant: all measurements of one key share a predictor."""
        return f"{self.backend}:{self.variant}"

    @property
    def status(self) -> str:
        """``ok``, ``unstable`` or ``failed``."""
        return "failed" if self.timing is None else self.timing.verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """How far the median call lies above the more repeatable estimate, with a 95 % interval."""

    p50: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A predictor of the estimate for one key, and how it did on rows that it has never seen."""

    predictor: Predictor
    unseen: Score
    fitting_rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A directory that travels: see the documentation of the format.

    Attributes:
        machine: Where it was measured.
        software: Versions by name.
        protocol: How.
        space: Of which architectures.
        vocab: Words of the embedding table that the measured models had.
        measurements: One for each architecture and key.
        blocks: The raw samples; their ``subject`` is a place in ``measurements``.
        noise_floor: For each key, the median relative difference of sentinels measured again in a new process.
        fitted: The predictor of each key.
        seed: Of the plan and the fits.
    """

    machine: Machine
    software: Mapping[str, str]
    protocol: Protocol
    space: BertSpace
    vocab: int
    measurements: tuple[Measurement, ...]
    blocks: tuple[Block, ...] = field(repr=False, default=())
    noise_floor: Mapping[str, float]
    fitted: Mapping[str, Fitted]
    seed: int

    @property
    def keys(self) -> tuple[str, ...]:
        """Backend and variant of everything measured, sorted."""
        return tuple(sorted({m.key for m in self.measurements}))

    def of(self, key: str) -> tuple[Measurement, ...]:
        """The measurements of one key that have a timing."""
        return tuple(m for m in self.measurements if m.key == key and m.timing is not None)

    def key_of(self, backend: str, options: Mapping[str, str] | None = None) -> str:
        """The key of a backend; of several variants that match, the one that is fastest in the median.

        Raises:
            UnknownName: the profile has no measurement of it.
        """
        pairs = [f"{name}={value}" for name, value in (options or {}).items()]
        matching = [
            key
            for key in self.keys
            if key.partition(":")[0] == backend and all(p in key.partition(":")[2].split(",") for p in pairs)
        ]
        if not matching:
            raise UnknownName("backend of this profile", ":".join([backend, *pairs]), self.keys)
        return min(matching, key=self.median_p50_s)

    def median_p50_s(self, key: str) -> float:
        """Median over the architectures of one key of their median call, in seconds; infinite where all failed."""
        found = [m.timing.p50_s for m in self.of(key) if m.timing is not None]
        return float(np.median(found)) if found else float("inf")

    def ratio(self, key: str) -> Ratio:
        """The ratio of the median call to the estimate over one key's measurements, by bootstrap over them.

        Raises:
            ProfileError: nothing of that key was measured with success.
        """
        found = np.array([m.timing.p50_s / m.timing.estimate_s for m in self.of(key) if m.timing is not None])
        if not len(found):
            raise ProfileError(f"This profile has no successful measurement of {key}: measure it again")
        picks = np.random.default_rng(self.seed).integers(0, len(found), (RESAMPLES, len(found)))
        low, high = np.quantile(np.median(found[picks], axis=1), (0.025, 0.975))
        return Ratio(p50=float(np.median(found)), low=float(low), high=float(high))

    def features(self, archs: Sequence[Arch]) -> npt.NDArray[np.float64]:
        """What the predictors see of architectures: columns ``bigfast.predict.BERT_FEATURES``."""
        rows = []
        for arch in archs:
            shape = self.space.shape(arch, vocab=self.vocab, positions=self.protocol.length, labels=3)
            sizes = (shape.layers, shape.hidden, shape.ffn, shape.heads)
            rows.append((*sizes, self.protocol.length, self.protocol.batch))
        return np.array(rows, dtype=np.float64).reshape(-1, len(BERT_FEATURES))

    def predict_p50(self, key: str, archs: Sequence[Arch], *, level: float = 0.9) -> Prediction:
        """Median latency in seconds of architectures, with an upper bound that holds for ``level`` of them.

        The predictor's estimate goes through the measured ratio to the median.

        Raises:
            ProfileError: there is no predictor for that key.
        """
        if key not in self.fitted:
            raise ProfileError(f"This profile has no predictor for {key}: it has {', '.join(self.fitted) or 'none'}")
        found = self.fitted[key].predictor.predict(self.features(archs), level=level)
        ratio = self.ratio(key)
        return replace(found, seconds=found.seconds * ratio.p50, upper=found.upper * ratio.high)
