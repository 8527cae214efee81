"""The table: what to measure, the profile as a value, its directory, and the predictors that follow."""

from bigfast.profile.collect import Plan, assemble, begin, collect
from bigfast.profile.fitting import fit_predictors, unseen_archs
from bigfast.profile.format import load_profile, save_profile
from bigfast.profile.measurement import Fitted, Measurement, Ratio, Sentinel
from bigfast.profile.plan import middle, nearest_middle, spread
from bigfast.profile.value import Profile

__all__ = [
    "Fitted",
    "Measurement",
    "Plan",
    "Profile",
    "Ratio",
    "Sentinel",
    "assemble",
    "begin",
    "collect",
    "fit_predictors",
    "load_profile",
    "middle",
    "nearest_middle",
    "save_profile",
    "spread",
    "unseen_archs",
]
