"""What may be built: named choices, the BERT spaces, and what each architecture costs."""

from bigfast.space.bert import (
    SPACE_NAMES,
    BertShape,
    BertSpace,
    aligned_space,
    paper_space,
    space_named,
    teacher_space,
)
from bigfast.space.cost import linear_operations, linear_weights, parameters
from bigfast.space.space import Arch, Choice, Space

__all__ = [
    "SPACE_NAMES",
    "Arch",
    "BertShape",
    "BertSpace",
    "Choice",
    "Space",
    "aligned_space",
    "linear_operations",
    "linear_weights",
    "paper_space",
    "parameters",
    "space_named",
    "teacher_space",
]
