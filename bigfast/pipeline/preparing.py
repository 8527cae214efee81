"""What a run needs before anything is trained for it: the task, the profile, and what is to be searched."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from bigfast.backend import choose_variant, find_backend
from bigfast.errors import Infeasible, InputError
from bigfast.measure import Deployment, Protocol, Size
from bigfast.pipeline.config import DEFAULT_SHARES
from bigfast.pipeline.profiling import architectures_in, fit_profile, fits_machine, measure_profile
from bigfast.pipeline.searching import Wanted, limits_of, narrowed_for
from bigfast.pipeline.situation import Run
from bigfast.pipeline.task import Task, read_task, teach_synthetic, teacher_accuracy
from bigfast.profile import Plan, Profile, load_profile
from bigfast.search import deployment_key
from bigfast.space import space_named
from bigfast.store import read_json, write_json
from bigfast.supermodel.teacher import load_teacher

ROUNDS, BLOCK_S = 6, 0.05  # of the profile within a run: half as many and as long as alone


def prepare_task(run: Run) -> Task:
    """Data and teacher; the embedded teacher is trained first."""
    config, place = run.config, run.place
    with place.timed("data and teacher", run.seconds("data and teacher")):
        if run.given is None and not place.teacher.exists():
            run.teller.say("Training the embedded task's teacher.")
            teach_synthetic(
                config.data,
                place.teacher,
                work=place.work,
                seed=config.seed,
                machine=run.machine,
                decided=partial(place.decided, "teacher steps"),
                budget_s=0.9 * run.seconds("data and teacher"),
                teller=run.teller,
            )
        task = read_task(
            config.data,
            run.given or load_teacher(str(place.teacher)),
            text_columns=config.text_columns,
            label_column=config.label_column,
            seed=config.seed,
        )
        positions = task.teacher.model.weights.shape.positions
        if config.length is not None and config.length > positions:
            raise InputError(
                f"Texts of {config.length} tokens cannot be timed: the teacher has {positions} positions, "
                f"so use --length {positions} or less"
            )
        fingerprint = task.data.fingerprint
        if not place.task.exists():
            write_json(
                place.task,
                {
                    "data": task.data.name,
                    "fingerprint": fingerprint,
                    "labels": list(task.data.labels),
                    "train": len(task.train),
                    "validation": len(task.validation),
                    "unlabelled": None if task.unlabelled is None else len(task.unlabelled),
                    "length": config.length or task.length,
                    "teacher": task.teacher.name if run.given else "trained in this run",
                    "teacher_accuracy": teacher_accuracy(task, machine=run.machine),
                    "notes": list(task.data.notes),
                },
            )
    about = read_json(place.task)
    if about["fingerprint"] != fingerprint:
        raise InputError(f"{config.data} has changed since {place.root} was begun: choose another directory")
    for note in task.data.notes:
        run.teller.say(note)
    run.teller.say(
        f"{task.data.name}: {len(task.train):,} training and {len(task.validation):,} validation rows, 95 % of "
        f"at most {task.length} tokens; the teacher's accuracy is {about['teacher_accuracy']:.2%}"
    )
    return task


def prepare_profile(run: Run, task: Task) -> Profile:
    """The saved profile asked for, or one measured here."""
    config, place, machine = run.config, run.place, run.machine
    if config.profile is not None:
        profile = load_profile(Path(config.profile))
        fits_machine(profile, machine, source=config.profile)
        return profile
    if place.profile.exists():
        profile = load_profile(place.profile)
    else:
        space = space_named(config.space, teacher=task.teacher.model.weights.shape)
        protocol = Protocol(rounds=ROUNDS, block_s=BLOCK_S, seed=config.seed)
        count = config.architectures or place.decided(
            "architectures",
            lambda: architectures_in(run.seconds("profile"), protocol, deployments=len(run.deployments)),
        )
        plan = Plan.make(
            machine=machine,
            protocol=protocol,
            space=space,
            vocab=task.teacher.model.weights.shape.vocab,
            count=count,
            deployments=run.deployments,
            sizes=(Size(batch=config.batch or 1, length=config.length or task.length),),
        )
        with place.timed("profile", run.seconds("profile")):
            profile = measure_profile(plan, place.profile, probe=False, teller=run.teller)
    if profile.fitted.keys() != set(profile.keys):
        with place.timed("predictors", run.seconds("predictors")):
            profile = fit_profile(place.profile, teller=run.teller)
    return profile


def prepare_search(run: Run, profile: Profile) -> Wanted:
    """The backend and the limits; an infeasible limit ends here, before anything is trained."""
    config = run.config
    key = deployment_key(profile, None if config.backend == "auto" else config.backend, threads=config.threads)
    if config.backend == "auto":
        run.teller.say(f"Deployment backend: {key}, the fastest int8 of the profile")
    deployment = Deployment.parse(key)
    backend = find_backend(deployment.backend)
    size = profile.size(batch=config.batch, length=config.length)
    wanted = Wanted(
        profile=profile,
        backend=backend,
        options=choose_variant(backend, dict(deployment.options), run.machine),
        deployment=deployment,
        size=size,
        limits_s=limits_of(profile, key, size, config.latency_ms, DEFAULT_SHARES),
        generations=config.generations,
        population=config.population,
        seed=config.seed,
    )
    try:
        narrowed = narrowed_for(wanted)
    except Infeasible as error:
        kept = config.profile or run.place.profile
        raise Infeasible(f"{error}, in another --out and with --profile {kept} to keep what was measured") from error
    for part in narrowed:
        binding = "" if part.binds else ", so this limit does not bind"
        run.teller.say(
            f"Within {part.limit_s * 1e3:.3g} ms on {wanted.key}: {len(part.rows):,} of {part.total:,} "
            f"architectures{binding}"
        )
    return wanted
