"""What a user meets at the prompt: answers, refusals in one sentence, exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file

from bigfast.cli.main import app, exit_code_of
from bigfast.cli.options import limits
from bigfast.errors import InputError

COMMANDS = sorted(command.callback.__name__ for command in app.registered_commands if command.callback is not None)


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """The exit code and what is on standard error, once it is known to be one sentence and no traceback."""
    code = exit_code_of([str(argument) for argument in arguments])
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err
    assert len(printed.err.strip().splitlines()) == 1, printed.err
    assert printed.err.startswith("bigfast: ")
    return code, printed.err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_two_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of([command, "--help"]) == 0

    text = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "Examples:" in text
    assert text.count(f"bigfast {command}") >= 2 or "the same with" in text


def test_help_loads_no_runtime() -> None:
    script = (
        "import sys\nfrom bigfast.cli.main import exit_code_of\nexit_code_of(['--help'])\n"
        "heavy = {'torch', 'transformers', 'onnxruntime', 'numpy', 'matplotlib'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert told.stderr.strip() == "[]"


def test_cpu_answers_with_one_json_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(["cpu", "--json"]) == 0

    found = json.loads(capsys.readouterr().out)
    assert set(found["kernels"]) >= {"torch-int8", "onnxruntime-int8"}
    assert isinstance(found["int8"]["accelerated"], bool)


def test_cpu_tells_how_disturbed_this_machine_is_but_nothing_of_a_saved_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "saved.txt").write_bytes("Features: fp asimd asimddp\nCPU implementer: 0x41\n".encode("utf-16"))

    assert exit_code_of(["cpu", "--json"]) == 0
    here = json.loads(capsys.readouterr().out)
    assert exit_code_of(["cpu", "--cpuinfo", str(tmp_path / "saved.txt"), "--json"]) == 0
    saved = json.loads(capsys.readouterr().out)

    assert here["health"]["elapsed_s"] >= 0.1 and isinstance(here["health"]["missing"], list)
    assert "health" not in saved
    assert (saved["int8"]["by"], saved["cores"]) == (["asimddp"], {"physical": None, "usable": None})
    assert saved["kernels"]["onnxruntime-int8"] == "MLAS U8S8: ARM dot product"


def test_cpu_says_of_each_backend_what_it_runs_and_whether_it_can(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        {"name": "one", "usable": True, "reason": "", "kernels": "AVX2"},
        {"name": "two", "usable": False, "reason": "pip install two", "kernels": "AMX"},
        {"name": "odd", "usable": False, "reason": "cannot be loaded"},
    ]
    monkeypatch.setattr("bigfast.cli.installed.installed", lambda machine: rows)

    assert exit_code_of(["cpu"]) == 0

    assert capsys.readouterr().out.splitlines()[-3:] == [
        "one  AVX2",
        "two  AMX; not usable here: pip install two",
        "odd  not usable here: cannot be loaded",
    ]


def test_cpu_refuses_a_file_that_is_no_cpuinfo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "poem.txt").write_bytes(b"\xff\xfe no flags")

    code, text = refused(capsys, "cpu", "--cpuinfo", str(tmp_path / "poem.txt"))

    assert (code, "not a text file" in text) == (2, True)


def test_backends_are_listed_with_their_variants(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(["backends", "--json"]) == 0

    found = {row["name"]: row for row in json.loads(capsys.readouterr().out)["backends"]}
    assert found["onnxruntime-int8"]["variants"] == ["recipe=linear", "recipe=full"]


def test_an_unknown_backend_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, text = refused(capsys, "profile", "--backend", "torch-int9", "--out", str(tmp_path / "p"))

    assert code == 2
    assert "did you mean 'torch-int8'?" in text
    assert not (tmp_path / "p").exists()


def test_an_unknown_variant_is_answered_with_those_there_are(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, text = refused(capsys, "profile", "--backend", "onnxruntime-int8:recipe=half", "--out", str(tmp_path / "p"))

    assert code == 2
    assert "recipe=linear, recipe=full" in text


@pytest.mark.parametrize("text", ["fast", "0", "-5", "5,x", "", "nan", "inf"])
def test_limits_that_are_no_positive_numbers_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="--latency-ms takes numbers of milliseconds"):
        limits(text)


def test_limits_are_read_in_milliseconds() -> None:
    assert limits("5,10, 20") == (5.0, 10.0, 20.0)


def test_an_unknown_command_and_a_missing_argument_are_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(capsys, "serach")[0] == 2
    assert refused(capsys, "predict")[0] == 2


def test_a_run_on_real_data_without_a_teacher_says_how_to_get_one(
    tiny: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text = refused(capsys, "run", "--data", str(tiny.data), "--out", str(tmp_path / "run"))

    assert code == 2
    assert "bigfast teach" in text
    assert not (tmp_path / "run").exists()


def test_a_configuration_with_an_unknown_name_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run.toml").write_text("latency = 5\n")

    code, text = refused(capsys, "run", str(tmp_path / "run.toml"))

    assert code == 2
    assert "'latency'" in text


def test_a_teacher_with_pickled_weights_only_is_told_how_to_be_converted(
    tiny: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    teacher = tmp_path / "pickled"
    teacher.mkdir()
    for file in tiny.teacher.iterdir():
        (teacher / file.name).write_bytes(file.read_bytes())
    (teacher / "model.safetensors").rename(teacher / "pytorch_model.bin")

    code, text = refused(
        capsys, "run", "--data", str(tiny.data), "--teacher", str(teacher), "--out", str(tmp_path / "run")
    )

    assert code == 2
    assert "save_pretrained" in text


def test_a_teacher_of_another_type_is_refused(tiny: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    teacher = tmp_path / "gpt"
    teacher.mkdir()
    (teacher / "config.json").write_text(
        (tiny.teacher / "config.json").read_text().replace('"model_type": "bert"', '"model_type": "gpt2"')
    )

    code, text = refused(
        capsys, "run", "--data", str(tiny.data), "--teacher", str(teacher), "--out", str(tmp_path / "run")
    )

    assert code == 2
    assert "'gpt2'" in text


def test_a_label_that_the_teacher_does_not_know_is_named_with_its_file_and_line(
    tiny: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], own_lock: None
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for file in tiny.data.iterdir():
        (data / file.name).write_bytes(file.read_bytes())
    with (data / "train.tsv").open("a") as train:
        train.write("a dog\ta cat\tperhaps\n")

    code = exit_code_of(
        ["run", "--data", str(data), "--teacher", str(tiny.teacher), "--out", str(tmp_path / "run"), "--minutes", "0.1"]
    )

    text = capsys.readouterr().err.strip().splitlines()[-1]
    assert code == 2
    assert "perhaps" in text
    assert "train.tsv" in text


def test_verify_answers_3_where_a_limit_does_not_hold(
    tiny: Any, capsys: pytest.CaptureFixture[str], own_lock: None
) -> None:
    options = ["--backend", "onnxruntime-int8", "--length", "8", "--seconds", "1"]

    code = exit_code_of(["verify", str(tiny.teacher), "--latency-ms", "0.0001", *options])

    assert code == 3
    assert "does not hold here" in capsys.readouterr().err


def test_verify_answers_0_where_a_limit_holds(tiny: Any, capsys: pytest.CaptureFixture[str], own_lock: None) -> None:
    options = ["--backend", "onnxruntime-int8", "--length", "8", "--seconds", "1", "--json"]

    code = exit_code_of(["verify", str(tiny.teacher), "--latency-ms", "1000", *options])

    assert code == 0
    assert json.loads(capsys.readouterr().out)["holds"] is True


def test_a_report_of_a_directory_that_is_no_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(capsys, "report", str(tmp_path))[0] == 2


def test_profiles_of_a_missing_directory_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(capsys, "profiles", "list", str(tmp_path / "none"))[0] == 2
    assert refused(capsys, "profiles", "show", str(tmp_path / "none"))[0] == 2


def test_teach_fine_tunes_an_encoder_for_its_own_classes(
    tiny: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "teacher"

    code = exit_code_of(
        ["teach", "--data", str(tiny.data), "--from", str(tiny.teacher), "--out", str(out), "--epochs", "0.5", "--json"]
    )

    found = json.loads(capsys.readouterr().out)
    before, after = (load_file(d / "model.safetensors")["classifier.weight"] for d in (tiny.teacher, out))
    assert code == 0
    assert 0 <= found["accuracy"] <= 1
    assert not (before == after).all()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--length", "data"], "--length data and --data belong together"),
        (["--data", "synthetic"], "--length data and --data belong together"),
        (["--length", "data", "--data", "synthetic"], "needs a tokenizer: give the --teacher"),
        (["--length", "8,many"], "--length takes whole numbers from 1 like 32,128, not '8,many'"),
        (["--threads", "0"], "--threads takes whole numbers from 1"),
        (["--threads", "1,4096"], "4096 threads were asked for, but only"),
        (["--batch", ""], "--batch takes whole numbers from 1"),
    ],
)
def test_a_profile_of_sizes_that_make_no_sense_is_refused(
    arguments: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text = refused(capsys, "profile", "--out", str(tmp_path / "cpu"), *arguments)

    assert code == 2
    assert words in text
    assert not (tmp_path / "cpu").exists()


def test_the_single_commands_go_the_same_way_as_the_run(
    tiny: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], own_lock: None
) -> None:
    """Profile, predict, narrow, train, search, post-train and export, each from what the one before it wrote."""
    told = ["--data", str(tiny.data), "--teacher", str(tiny.teacher)]
    profile, supermodel, search = tmp_path / "cpu", tmp_path / "super", tmp_path / "search"
    tuned, models, csv = tmp_path / "tuned", tmp_path / "models", tmp_path / "feasible.csv"
    space = ["--space", "teacher", "--teacher", str(tiny.teacher), "--vocab", "300", "--count", "12"]
    sizes = ["--length", "8,16", "--batch", "1,2", "--rounds", "3", "--no-probe"]
    backends = ["--backend", "onnxruntime-int8", "--backend", "onnxruntime-fp32"]
    steps: list[list[str]] = [
        ["profile", "--out", str(profile), *space, *sizes, *backends],
        ["profiles", "show", str(profile)],
        ["profiles", "list", str(tmp_path)],
        ["predict", str(profile), "e=1 h=40 f=128", "--length", "12", "--batch", "2"],
        ["narrow", str(profile), "--latency-ms", "50", "--backend", "onnxruntime-int8", "--out", str(csv)],
        ["train", *told, "--out", str(supermodel), "--steps", "3"],
        ["search", "--profile", str(profile), "--supermodel", str(supermodel), "--data", str(tiny.data),
         "--latency-ms", "50", "--backend", "onnxruntime-int8", "--out", str(search), "--generations", "1",
         "--population", "3"],
        ["posttrain", *told, "--search", str(search), "--supermodel", str(supermodel), "--out", str(tuned),
         "--steps", "3"],
        ["export", *told, "--search", str(search), "--posttrained", str(tuned), "--profile", str(profile),
         "--out", str(models), "--seconds", "1"],
        ["verify", str(models / "50ms"), "--seconds", "1"],
    ]  # fmt: skip

    codes = [exit_code_of([*step, "--json"]) for step in steps]

    assert codes == [0] * len(steps), capsys.readouterr().err
    assert (models / "50ms" / "onnxruntime-int8" / "model.onnx").is_file()
    assert len(csv.read_text().splitlines()) == 2 * 7 * 3 + 1


@pytest.mark.hardware
def test_cpu_answers_in_under_four_tenths_of_a_second() -> None:
    def once() -> float:
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "-c", "from bigfast.cli import main; main()", "cpu"], check=True, stdout=subprocess.DEVNULL
        )
        return time.perf_counter() - start

    assert min(once() for _ in range(3)) < 0.4
