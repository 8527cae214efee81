"""Fitting the predictors of a profile, and judging each on rows that it has never seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from bigfast.errors import ProfileError
from bigfast.predict import evaluate, fit
from bigfast.profile.measurement import Fitted
from bigfast.profile.value import Profile
from bigfast.space import Arch

UNSEEN_SHARE = 0.25
LEAST_ROWS = 12


def unseen_archs(profile: Profile, key: str) -> frozenset[Arch]:
    """The architectures of one key that its predictor is judged on and never fitted on.

    They follow from the profile's seed, the same for every key with the same successful measurements.
    """
    ends = {profile.space.space.smallest, profile.space.space.largest}
    archs = list(dict.fromkeys(m.arch for m in profile.of(key)))
    inner = [arch for arch in archs if arch not in ends]
    order = np.random.default_rng([profile.seed, 1]).permutation(len(inner))
    return frozenset(inner[i] for i in order[: round(UNSEEN_SHARE * len(archs))])


def fit_predictors(profile: Profile, *, kind: str = "auto") -> Iterator[tuple[str, Profile]]:
    """Fits one predictor for each key, and yields the key and the profile with all fitted so far.

    A quarter of the rows is set aside by the profile's seed; neither the fit nor the choice
    among kinds sees them. The two ends of the space are always fitted on, so that nothing asked
    for lies outside. An architecture that is set aside is so with inputs of every size.

    Raises:
        ProfileError: a key has too few successful measurements.
    """
    for key in profile.keys:
        rows = profile.of(key)
        archs = {m.arch for m in rows}
        if len(archs) < LEAST_ROWS:
            raise ProfileError(
                f"Only {len(archs)} architectures were measured with success on {key}, and a predictor needs "
                f"{LEAST_ROWS}: look at the reasons in measurements.parquet, or leave this backend out"
            )
        unseen = unseen_archs(profile, key)
        rng = np.random.default_rng([profile.seed, *key.encode()])
        features = profile.features([m.arch for m in rows], [m.size for m in rows])
        seconds = np.array([m.timing.estimate_s for m in rows if m.timing is not None])
        seen = np.array([m.arch not in unseen for m in rows])
        predictor = fit(features[seen], seconds[seen], kind=kind, terms="bert", rng=rng)
        score = evaluate(predictor.predict(features[~seen]).seconds, seconds[~seen])
        fitted = Fitted(predictor=predictor, unseen=score, fitting_rows=int(seen.sum()))
        profile = replace(profile, fitted={**profile.fitted, key: fitted})
        yield key, profile
