"""The profile of a machine: what was measured there, how well it repeats, and the predictors that follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from bigfast.cpu import Health, Machine
from bigfast.errors import ProfileError, UnknownName
from bigfast.measure import Block, Deployment, Peaks, Protocol, Size
from bigfast.predict import BERT_FEATURES, Prediction
from bigfast.profile.measurement import Fitted, Measurement, Ratio, Sentinel
from bigfast.space import Arch, BertSpace

FORMAT = "bigfast.profile"
SCHEMA_VERSION = "2.0"

RESAMPLES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A directory that travels: see the documentation of the format.

    Attributes:
        machine: Where it was measured.
        software: Versions by name.
        protocol: How.
        space: Of which architectures.
        vocab: Words of the embedding table that the measured models had.
        measurements: One for each architecture, key and size.
        blocks: The raw samples; their ``subject`` is a place in ``measurements``.
        sentinels: What was measured again in other processes.
        noise_floor: For each key, the median relative difference of its sentinels.
        conditions: How the machine was before and after.
        peaks: Of plain matrix products and memory on this machine; None where they were not measured.
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
    sentinels: tuple[Sentinel, ...] = ()
    noise_floor: Mapping[str, float]
    conditions: Mapping[str, Health] = field(default_factory=dict)
    peaks: Peaks | None = None
    fitted: Mapping[str, Fitted]
    seed: int

    @property
    def keys(self) -> tuple[str, ...]:
        """The deployments of everything measured, sorted."""
        return tuple(sorted({m.key for m in self.measurements}))

    @property
    def sizes(self) -> tuple[Size, ...]:
        """The sizes of inputs that were measured, in the order in which they were asked for."""
        return tuple(dict.fromkeys(m.size for m in self.measurements))

    def size(self, *, batch: int | None = None, length: int | None = None) -> Size:
        """The size of inputs that is meant: what is left out is that of the first size measured.

        Raises:
            ProfileError: it lies outside what was measured, with what was.
        """
        found = Size(
            batch=self.sizes[0].batch if batch is None else batch,
            length=self.sizes[0].length if length is None else length,
        )
        for name in ("batch", "length"):
            known = sorted({getattr(size, name) for size in self.sizes})
            if not known[0] <= getattr(found, name) <= known[-1]:
                raise ProfileError(
                    f"This profile was measured with a {name} of {', '.join(map(str, known))}, not "
                    f"{getattr(found, name)}: measure one with 'bigfast profile --{name} {getattr(found, name)}'"
                )
        return found

    def of(self, key: str, size: Size | None = None) -> tuple[Measurement, ...]:
        """The measurements of one key that have a timing, of all sizes or of one."""
        return tuple(m for m in self.measurements if m.key == key and m.timing is not None and size in (None, m.size))

    def key_of(self, wanted: str, *, threads: int | None = None) -> str:
        """The key that a text like ``torch-int8``, ``torch-int8:engine=x86`` or ``torch-int8@2`` means.

        Args:
            wanted: A backend, with options, threads and workers if any.
            threads: Where the text names none; None for the fewest that were measured.

        Of several variants that match, the one that is fastest in the median.

        Raises:
            UnknownName: the profile has no measurement of it.
            InputError: the text names no deployment.
        """
        asked = Deployment.parse(wanted)
        matching = [
            d
            for d in {m.deployment for m in self.measurements}
            if d.backend == asked.backend and set(asked.options) <= set(d.options)
        ]
        if "@" in wanted:
            matching = [d for d in matching if (d.threads, d.concurrent) == (asked.threads, asked.concurrent)]
        elif threads is not None:
            matching = [d for d in matching if (d.threads, d.concurrent) == (threads, 1)]
        if not matching:
            raise UnknownName("backend of this profile", wanted, self.keys)
        fewest = min((d.cores, d.threads) for d in matching)
        return min((str(d) for d in matching if (d.cores, d.threads) == fewest), key=self.median_p50_s)

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
        p90 = [m.timing.p90_s / m.timing.estimate_s for m in self.of(key) if m.timing and m.timing.p90_s is not None]
        return Ratio(
            p50=float(np.median(found)),
            low=float(low),
            high=float(high),
            p90=float(np.median(p90)) if p90 else None,
        )

    def features(self, archs: Sequence[Arch], sizes: Sequence[Size]) -> npt.NDArray[np.float64]:
        """What the predictors see of architectures with inputs of a size each.

        Returns:
            Rows of ``bigfast.predict.BERT_FEATURES``, shape (archs, features), float64.
        """
        rows = []
        for arch, size in zip(archs, sizes, strict=True):
            shape = self.space.shape(arch, vocab=self.vocab, positions=size.length, labels=3)
            rows.append((shape.layers, shape.hidden, shape.ffn, shape.heads, size.length, size.batch))
        return np.array(rows, dtype=np.float64).reshape(-1, len(BERT_FEATURES))

    def predict_p50(
        self, key: str, archs: Sequence[Arch], *, sizes: Sequence[Size] | None = None, level: float = 0.9
    ) -> Prediction:
        """Median latency in seconds of architectures, with an upper bound that holds for ``level`` of them.

        Args:
            key: On which deployment.
            archs: Of which architectures.
            sizes: Of the inputs of each; None for the first that was measured.
            level: Of the upper bound.

        The predictor's estimate goes through the measured ratio to the median.

        Raises:
            ProfileError: there is no predictor for that key.
        """
        if key not in self.fitted:
            raise ProfileError(f"This profile has no predictor for {key}: it has {', '.join(self.fitted) or 'none'}")
        wanted = self.sizes[:1] * len(archs) if sizes is None else sizes
        found = self.fitted[key].predictor.predict(self.features(archs, wanted), level=level)
        ratio = self.ratio(key)
        return replace(found, seconds=found.seconds * ratio.p50, upper=found.upper * ratio.high)
