"""From text to token ids: a stock tokenizer, trained on the task or loaded with a teacher."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from bigfast.errors import ModelError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
MOST_LETTERS = 1_000  # of which a piece may consist; rarer ones are unknown


def train_tokenizer(texts: Iterable[str], vocab_size: int) -> PreTrainedTokenizerFast:
    """Trains a lower-casing WordPiece tokenizer, as BERT has it; the same texts give the same ids.

    What ``save_pretrained`` writes of it, stock ``AutoTokenizer`` loads.

    Args:
        texts: What to learn the pieces from.
        vocab_size: The most pieces to learn; few words give fewer. Single characters are always in.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    normalizer = normalizers.BertNormalizer(lowercase=True)
    words = Counter(word for text in texts for word in normalizer.normalize_str(text).split())
    letters = Counter("".join(words)).most_common()
    alphabet = sorted(letter for letter, _ in sorted(letters, key=lambda item: (-item[1], item[0]))[:MOST_LETTERS])
    # The trainer numbers the letters in the order of a hash table, which decides ties between pieces; as
    # special tokens they keep this order, and what is built of its vocabulary treats them as any other piece.
    ordered = [*SPECIAL, *alphabet, *(f"##{letter}" for letter in alphabet)]
    learner = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    learner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    learner.train_from_iterator(
        (" ".join([word] * count) for word, count in words.items()),
        trainers.WordPieceTrainer(vocab_size=vocab_size, special_tokens=ordered, show_progress=False),
    )

    vocabulary = learner.get_vocab(with_added_tokens=False)
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix="##")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(token, vocabulary[token]) for token in ("[CLS]", "[SEP]")],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        clean_up_tokenization_spaces=False,
        **{f"{token[1:-1].lower()}_token": token for token in SPECIAL},
    )


def load_tokenizer(path: Path | str) -> PreTrainedTokenizerFast:
    """Loads the tokenizer of a local directory or of a model on the hub.

    Raises:
        ModelError: there is none, or it cannot pad.
    """
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    try:
        tokenizer = AutoTokenizer.from_pretrained(str(path), use_fast=True)
    # transformers raises nearly anything for a directory that holds something else, and for an unreachable hub.
    except Exception as error:
        where = "in this directory" if Path(path).is_dir() else "there or on the hub"
        raise ModelError(
            f"Model {str(path)!r} has no tokenizer {where} that transformers can load: "
            "expected a tokenizer.json and a tokenizer_config.json"
        ) from error
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise ModelError(f"Model {str(path)!r} has only a slow tokenizer: save it with a tokenizer.json")
    if tokenizer.pad_token_id is None:
        raise ModelError(f"The tokenizer of {str(path)!r} has no padding token, which batches need")
    return tokenizer
