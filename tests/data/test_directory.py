"""Reading a task from files, and saying what is wrong with them."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bigfast.data import TaskData, read_directory
from bigfast.errors import DataError

PAIRS = [
    ("A dog runs.", "An animal moves.", "entailment"),
    ('A "dog" runs.', "A cat, perhaps, runs.", "neutral"),
    ("No dog runs.", "A dog runs.", "contradiction"),
    ("Él corre.", "Nobody runs.", "contradiction"),
]
HEADER = ("premise", "hypothesis", "label")


def write_tsv(path: Path, rows: Sequence[Sequence[object]], header: Sequence[str] = HEADER) -> None:
    path.write_text("".join("\t".join(map(str, row)) + "\n" for row in (header, *rows)), encoding="utf-8")


def write_csv(path: Path, rows: Sequence[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([HEADER, *rows])


def write_jsonl(path: Path, rows: Sequence[Sequence[object]]) -> None:
    lines = [json.dumps(dict(zip(HEADER, row, strict=True))) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_parquet(path: Path, rows: Sequence[Sequence[object]]) -> None:
    columns = zip(*rows, strict=True)
    pq.write_table(pa.table({name: list(column) for name, column in zip(HEADER, columns, strict=True)}), path)


WRITERS = {".tsv": write_tsv, ".csv": write_csv, ".jsonl": write_jsonl, ".parquet": write_parquet}


def write(directory: Path, **texts: str) -> Path:
    for stem, text in texts.items():
        (directory / f"{stem}.tsv").write_text(text, encoding="utf-8")
    return directory


def classes(task: TaskData) -> list[int]:
    assert task.train.labels is not None
    return task.train.labels.tolist()


@pytest.mark.parametrize("suffix", WRITERS)
def test_every_format_gives_the_same_rows(tmp_path: Path, suffix: str) -> None:
    WRITERS[suffix](tmp_path / f"train{suffix}", PAIRS)
    WRITERS[suffix](tmp_path / f"validation{suffix}", PAIRS[:2])

    task = read_directory(tmp_path)

    assert task.labels == ("contradiction", "entailment", "neutral")
    assert (task.train.first, task.train.second) == tuple(zip(*PAIRS, strict=True))[:2]
    assert (classes(task), len(task.validation), task.notes) == ([1, 2, 0, 0], 2, ())


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet", ".tsv"])
def test_integer_labels_are_indices_of_the_teachers_words(tmp_path: Path, suffix: str) -> None:
    WRITERS[suffix](tmp_path / f"train{suffix}", [("a", "b", 2), ("c", "d", 0), ("e", "f", -1), ("g", "h", 2)])

    task = read_directory(tmp_path, label_order=("yes", "maybe", "no"))

    assert task.labels == ("yes", "maybe", "no")
    assert task.notes[0] == f"train{suffix}: 1 row without a label dropped."
    assert len(task.train) + len(task.validation) == 3


def test_words_follow_the_teachers_order_whatever_their_case(tmp_path: Path) -> None:
    write_tsv(tmp_path / "train.tsv", PAIRS)
    write_tsv(tmp_path / "validation.tsv", [("a", "b", "Neutral")])

    task = read_directory(tmp_path, label_order=("CONTRADICTION", "ENTAILMENT", "NEUTRAL"))

    assert task.labels == ("CONTRADICTION", "ENTAILMENT", "NEUTRAL")
    assert classes(task) == [1, 2, 0, 0]


def test_teachers_words_may_themselves_be_integers(tmp_path: Path) -> None:
    write_tsv(tmp_path / "train.tsv", [("a", "b", 0), ("c", "d", 1)])
    write_tsv(tmp_path / "validation.tsv", [("a", "b", 0)])

    assert classes(read_directory(tmp_path, label_order=("1", "0"))) == [1, 0]


def test_integers_without_a_teacher_are_their_own_words(tmp_path: Path) -> None:
    write_tsv(tmp_path / "train.tsv", [("a", "b", 0), ("c", "d", 2)])
    write_tsv(tmp_path / "validation.tsv", [("a", "b", 1)])

    assert read_directory(tmp_path).labels == ("0", "1", "2")


def test_columns_are_found_by_their_known_names(tmp_path: Path) -> None:
    write_tsv(tmp_path / "train.tsv", [("a", "b", "x"), ("c", "d", "y")], ("sentence", "question", "label"))
    write_tsv(tmp_path / "validation.tsv", [("a", "b", "x")], ("sentence", "question", "label"))

    task = read_directory(tmp_path)

    assert (task.train.first, task.train.second) == (("b", "d"), ("a", "c"))


def test_columns_can_be_named(tmp_path: Path) -> None:
    write(tmp_path, train="body\tstars\nfine\t5\nbad\t1\n", validation="body\tstars\nfine\t5\n")

    task = read_directory(tmp_path, text_columns=("body",), label_column="stars")

    assert (task.train.first, task.train.second) == (("fine", "bad"), None)


def test_missing_validation_is_held_out_and_noted(tmp_path: Path) -> None:
    write_tsv(tmp_path / "train.tsv", PAIRS * 2)

    task = read_directory(tmp_path, seed=7)

    assert (len(task.train), len(task.validation)) == (4, 4)
    assert task.notes == ("Validation is 4 rows held out of the 8 of train, with seed 7.",)


@pytest.mark.parametrize("stem", ["dev", "dev_matched"])
def test_dev_file_is_not_opened_before_it_is_asked_for(tmp_path: Path, stem: str) -> None:
    write_tsv(tmp_path / "train.tsv", PAIRS)
    (tmp_path / f"{stem}.tsv").write_bytes(b"\xff\xff")

    task = read_directory(tmp_path)

    with pytest.raises(DataError, match=r"line 1: byte 0xff is not valid UTF-8"):
        task.read_dev()


def test_dev_has_the_classes_of_train(tmp_path: Path) -> None:
    write_tsv(tmp_path / "train.tsv", PAIRS)
    write_tsv(tmp_path / "dev_matched.tsv", [("0", *row) for row in PAIRS[:2]], ("index", *HEADER))

    dev = read_directory(tmp_path).read_dev()

    assert dev is not None
    assert dev.labels is not None
    assert dev.labels.tolist() == [1, 2]


def test_task_without_dev_says_none(tmp_path: Path) -> None:
    write_tsv(tmp_path / "train.tsv", PAIRS)

    assert read_directory(tmp_path).read_dev() is None


def test_unlabelled_rows_need_no_label(tmp_path: Path) -> None:
    write_tsv(tmp_path / "train.tsv", PAIRS)
    write_tsv(tmp_path / "unlabelled.tsv", [("a", "b")], HEADER[:2])

    rows = read_directory(tmp_path).unlabelled

    assert rows is not None
    assert (rows.first, rows.second, rows.labels) == (("a",), ("b",), None)


def test_windows_line_ends_and_a_byte_order_mark_are_no_content(tmp_path: Path) -> None:
    text = "\ufefftext\tlabel\r\nfine\tyes\r\nbad\tno\r\n"
    (tmp_path / "train.tsv").write_bytes(text.encode())

    task = read_directory(tmp_path)

    assert {*task.train.first, *task.validation.first} == {"fine", "bad"}
    assert task.labels == ("no", "yes")


BAD_TSV = {
    "": r"train\.tsv is empty: expected a header line",
    "text\tlabel\n": r"train\.tsv is empty: expected at least one row",
    "text\tlabel\na\tx\nb\ty\tz\n": r"train\.tsv, line 3: expected 2 fields as in the header line, but found 3",
    "words\tlabel\na\tx\nb\ty\n": r"train\.tsv has none of the known text columns, but 'words', 'label'",
    "text\tclass\na\tx\nb\ty\n": r"train\.tsv has no column 'label', but 'text', 'class'.*--label-column",
    "text\tlabel\na\tx\nb\t\n": r"train\.tsv, line 3: the label in column 'label' is empty",
    "text\tlabel\na\tx\nb\tx\n": r"train\.tsv has only the label 'x' in column 'label'",
    "text\tlabel\na\t-\nb\t-1\n": r"train\.tsv has no label at all in column 'label'",
    "text\ttext\tlabel\na\tb\tx\n": r"train\.tsv, line 1: column 'text' appears twice",
}


@pytest.mark.parametrize(("text", "message"), BAD_TSV.items())
def test_bad_tsv_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_directory(write(tmp_path, train=text))


BAD_FILES = {
    "train.jsonl": (
        b'{"text": "a", "label": "x"}\n\n{"text": "b"\n',
        r"train\.jsonl, line 3: not valid JSON",
    ),
    "train.csv": (
        b'text,label\n"two\nlines",x\n"open,y\n',
        r"train\.csv, line \d: not valid CSV",
    ),
    "train.parquet": (b"PAR1 and no more", r"train\.parquet is not a valid parquet file"),
    "train.tsv": (b"text\tlabel\na\tx\n\xe9\ty\n", r"train\.tsv, line 3: byte 0xe9 is not valid UTF-8"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_malformed_file_is_named_with_its_line(tmp_path: Path, name: str) -> None:
    content, message = BAD_FILES[name]
    (tmp_path / name).write_bytes(content)

    with pytest.raises(DataError, match=message):
        read_directory(tmp_path)


def test_csv_rows_are_named_by_the_line_they_start_on(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text('text,label\n"two\nlines",x\n"more\nlines",\n', encoding="utf-8")

    with pytest.raises(DataError, match=r"train\.csv, line 4: the label"):
        read_directory(tmp_path)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('["a", "x"]', "expected a JSON object, but found list"),
        ('{"text": 3, "label": "x"}', "expected text in column 'text', but found int"),
        ('{"label": "x"}', "expected text in column 'text', but found nothing"),
        ('{"text": "a"}', "the label in column 'label' is empty"),
    ],
)
def test_json_line_of_another_kind_is_named(tmp_path: Path, row: str, message: str) -> None:
    first = '{"text": "a", "label": "x"}\n{"text": "b", "label": "y"}\n'
    (tmp_path / "train.jsonl").write_text(first + row + "\n", encoding="utf-8")

    with pytest.raises(DataError, match=rf"train\.jsonl, line 3: {message}"):
        read_directory(tmp_path)


def test_label_that_the_teacher_does_not_know_is_named(tmp_path: Path) -> None:
    write_tsv(tmp_path / "train.tsv", PAIRS)

    with pytest.raises(DataError, match=r"line 4: the teacher does not know the label 'contradiction', but yes, no"):
        read_directory(tmp_path, label_order=("yes", "no", "entailment", "neutral"))


def test_index_beyond_the_teachers_classes_is_named(tmp_path: Path) -> None:
    write_tsv(tmp_path / "train.tsv", [("a", "b", 0), ("c", "d", 2)])

    with pytest.raises(DataError, match=r"line 3: the teacher does not know the label '2', but yes, no"):
        read_directory(tmp_path, label_order=("yes", "no"))


def test_label_that_train_lacks_is_named(tmp_path: Path) -> None:
    write_tsv(tmp_path / "train.tsv", PAIRS)
    write_tsv(tmp_path / "validation.tsv", [("a", "b", "maybe")])

    with pytest.raises(DataError, match=r"validation\.tsv, line 2: the label 'maybe' is none of contradiction, ent"):
        read_directory(tmp_path)


def test_directory_that_is_none_or_lacks_train_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not a directory"):
        read_directory(tmp_path / "nowhere")
    with pytest.raises(DataError, match="has no file train"):
        read_directory(tmp_path)


def test_two_files_of_one_split_are_refused(tmp_path: Path) -> None:
    write_tsv(tmp_path / "train.tsv", PAIRS)
    write_jsonl(tmp_path / "train.jsonl", PAIRS)

    with pytest.raises(DataError, match=r"has both train\.tsv and train\.jsonl"):
        read_directory(tmp_path)
