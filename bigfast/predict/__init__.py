"""From table to function: what an architecture will take, from what others took.

Works with anybody's table of numbers; importing it loads neither torch nor xgboost.
"""

from bigfast.predict.choose import AUTO, LEAST_ROWS, fit
from bigfast.predict.compare import Comparison, compare
from bigfast.predict.kinds import KINDS
from bigfast.predict.predictor import Prediction, Predictor
from bigfast.predict.saving import load, save
from bigfast.predict.scoring import Score, evaluate
from bigfast.predict.terms import BERT_FEATURES, TERMS

__all__ = [
    "AUTO",
    "BERT_FEATURES",
    "KINDS",
    "LEAST_ROWS",
    "TERMS",
    "Comparison",
    "Prediction",
    "Predictor",
    "Score",
    "compare",
    "evaluate",
    "fit",
    "load",
    "save",
]
