"""From exhibits to findings: what is planned, done, judged, kept, and compared with gold."""

import json
import os
import signal
import threading
import time
from dataclasses import replace
from multiprocessing import active_children
from pathlib import Path

import papers
import pytest
from papers import EXHIBIT

from edgewise.claims import Within
from edgewise.dynamics import Run, Silent
from edgewise.foundation import RecordError, SettingError
from edgewise.records import list_records
from edgewise.reproduction import (
    Computation,
    Descent,
    Done,
    Exhibit,
    Reproduction,
    Scale,
    collect,
    differences,
    examine,
    perform,
    plan,
    read_findings,
    write_finding,
    write_golden,
)
from edgewise.reproduction.perform import _alone_in

KEY = "nobody2000paper"


def carried_out(store: Path, seeds: int = 1, exhibit: Exhibit = EXHIBIT) -> None:
    """In this process: what a pool does is done by `_perform` alike."""
    for job in plan([(KEY, exhibit)], Scale.SMOKE, seeds, store):
        job.experiment.perform(job.folder, job.seed, Silent())


def test_a_record_is_made_once_whoever_needs_it(tmp_path: Path) -> None:
    twin = replace(EXHIBIT, name="fig2")
    jobs = plan([("a", EXHIBIT), ("b", twin)], Scale.SMOKE, 2, tmp_path)
    # The toy has no seed; the net's readings have one.
    assert [(job.label, job.seed) for job in jobs] == [("a toy", 0), ("a net", 0), ("a net", 1)]
    carried_out(tmp_path, seeds=2)
    assert plan([("a", EXHIBIT)], Scale.SMOKE, 2, tmp_path) == ()
    assert len(plan([("a", EXHIBIT)], Scale.SMOKE, 2, tmp_path, again=True)) == 3
    assert len(plan([("a", EXHIBIT)], Scale.LAPTOP, 1, tmp_path)) == 1


def test_jobs_run_side_by_side_and_fail_alone(tmp_path: Path) -> None:
    bad = replace(EXHIBIT, name="bad", recipe=broken_recipe)
    told: list[Done] = []
    done = perform(plan([("a", bad)], Scale.SMOKE, 1, tmp_path), 2, told.append)
    assert sorted(told, key=str) == sorted(done, key=str)
    trouble = {one.job.label: one.trouble for one in done}
    assert trouble == {"a toy": "", "a wrong": "ZeroDivisionError: nothing in 1"}
    with pytest.raises(RecordError, match="bad: the record 'wrong' of seed 0: it is not there, or not finished"):
        collect(bad, Scale.SMOKE, 1, tmp_path)
    assert perform((), 2, told.append) == ()


def broken_recipe(scale: Scale, seed: int) -> dict[str, Computation]:
    return {"toy": Computation(papers.halving, {"steps": 1}), "wrong": Computation(papers.broken, {"steps": 1})}


def test_again_throws_away_what_is_there(tmp_path: Path) -> None:
    carried_out(tmp_path)
    jobs = plan([("a", EXHIBIT)], Scale.SMOKE, 1, tmp_path, again=True)
    before = {job.folder: sorted(job.folder.rglob("run.json")) for job in jobs}
    stamps = {path: path.stat().st_mtime_ns for paths in before.values() for path in paths}
    assert [one.trouble for one in perform(jobs, 1, lambda _: None)] == ["", ""]
    for folder in before:
        (manifest,) = folder.rglob("run.json")
        assert stamps.get(manifest) != manifest.stat().st_mtime_ns


def test_ctrl_c_ends_the_whole_and_loses_nothing(tmp_path: Path) -> None:
    """It arrives during the first of two runs: the second is not begun, and the first goes on later."""
    long = replace(EXHIBIT, recipe=long_recipe)
    jobs = plan([("a", long)], Scale.SMOKE, 1, tmp_path)
    pressed = threading.Timer(1.5, os.kill, (os.getpid(), signal.SIGINT))
    pressed.start()
    with pytest.raises(KeyboardInterrupt):
        perform(jobs, 1, lambda _: None)
    pressed.join()
    assert not jobs[0].experiment.finished(jobs[0].folder)
    assert not jobs[1].folder.exists()
    dataset = jobs[0].experiment.dataset(jobs[0].folder)
    assert 0 < dataset.sizes["step"] < 10**6


def test_ctrl_c_during_a_run_inside_a_computation_keeps_nothing_as_whole(tmp_path: Path) -> None:
    """The run takes Ctrl-C for itself and returns what it has: that is not the result."""
    one = replace(EXHIBIT, recipe=lambda scale, seed: {"one": Computation(papers.around_a_run, {"steps": 10**6})})
    (job,) = plan([("a", one)], Scale.SMOKE, 1, tmp_path)
    pressed = threading.Timer(1.5, os.kill, (os.getpid(), signal.SIGINT))
    pressed.start()
    with pytest.raises(KeyboardInterrupt):
        perform([job], 1, lambda _: None)
    pressed.join()
    assert not job.experiment.finished(job.folder)


@pytest.mark.slow
def test_ctrl_c_stops_every_process_of_the_pool_and_saves_their_runs(tmp_path: Path) -> None:
    jobs = plan([("a", replace(EXHIBIT, recipe=longer_recipe))], Scale.SMOKE, 1, tmp_path)
    pressed = threading.Thread(target=_press_when_running, args=([job.folder for job in jobs[:2]],))
    pressed.start()
    with pytest.raises(KeyboardInterrupt):
        perform(jobs, 2, lambda _: None)
    pressed.join()
    assert not active_children()
    for job in jobs[:2]:
        (record,) = list_records(job.folder).records
        assert Run(record).outcomes["gd"].kind == "interrupted"
    assert not jobs[2].folder.exists(), "what has not been begun is not begun any more"
    assert len(plan([("a", replace(EXHIBIT, recipe=longer_recipe))], Scale.SMOKE, 1, tmp_path)) == 3


def _press_when_running(folders: list[Path]) -> None:
    while not all(any(folder.glob("*/checkpoints/step-*")) for folder in folders):
        time.sleep(0.05)
    os.kill(os.getpid(), signal.SIGINT)


def longer_recipe(scale: Scale, seed: int) -> dict[str, Descent]:
    return {str(lr): papers.descent(steps=10**6, lr=lr) for lr in (0.01, 0.02, 0.03)}


@pytest.mark.slow
def test_a_process_that_dies_takes_no_other_job_with_it(tmp_path: Path) -> None:
    mark = tmp_path / "mark"

    def recipe(scale: Scale, seed: int) -> dict[str, Computation]:
        toy = Computation(papers.halving, {"steps": 1})
        return {"dying": Computation(papers.dying, {"mark": str(mark)}), "toy": toy}

    done = perform(plan([("a", replace(EXHIBIT, recipe=recipe))], Scale.SMOKE, 1, tmp_path), 2, lambda _: None)
    trouble = {one.job.label: one.trouble for one in done}
    assert len(done) == len(trouble) == 2
    assert "its process was killed, perhaps for want of memory" in trouble.pop("a dying")
    assert trouble == {"a toy": ""}
    assert mark.read_text() == "xx", "tried once more, by itself"


def test_two_calls_on_one_store_make_a_record_once(tmp_path: Path) -> None:
    """The second waits for the lock of the first, and then finds the record there."""
    (job, *_) = plan([("a", EXHIBIT)], Scale.SMOKE, 1, tmp_path)
    calls = len(papers.CALLS)
    threads = [threading.Thread(target=perform, args=([job], 1, lambda _: None)) for _ in range(2)]
    with _alone_in(job.folder):
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        assert len(papers.CALLS) == calls
    for thread in threads:
        thread.join()
    assert len(papers.CALLS) == calls + 1


def test_a_damaged_record_is_named_by_what_needs_it_and_stops_nothing_else(tmp_path: Path) -> None:
    carried_out(tmp_path)
    jobs = plan([("a", EXHIBIT)], Scale.SMOKE, 1, tmp_path, again=True)
    (manifest,) = jobs[1].folder.glob("*/run.json")
    manifest.write_text("{")
    assert plan([("a", EXHIBIT)], Scale.SMOKE, 1, tmp_path) == ()
    with pytest.raises(RecordError, match=r"run\.json: it is not JSON"):
        collect(EXHIBIT, Scale.SMOKE, 1, tmp_path)
    assert [one.trouble for one in perform(jobs, 1, lambda _: None)] == ["", ""]
    assert collect(EXHIBIT, Scale.SMOKE, 1, tmp_path)[0].keys() == {"toy", "net"}


def long_recipe(scale: Scale, seed: int) -> dict[str, Descent]:
    return {"one": papers.descent(steps=10**6), "two": papers.descent(steps=10**6, lr=0.02)}


def test_a_finding_says_what_it_rests_on_and_is_read_back(tmp_path: Path) -> None:
    carried_out(tmp_path)
    runs = collect(EXHIBIT, Scale.SMOKE, 1, tmp_path)
    finding = examine(KEY, EXHIBIT, Scale.SMOKE, 1, tmp_path, runs)
    assert [verdict.ruling for verdict in finding.verdicts] == ["holds", "fails"]
    assert len(finding.records) == 2
    assert all((tmp_path / folder).is_dir() for folder in finding.records)
    path = write_finding(tmp_path, finding)
    assert path == tmp_path / KEY / "fig1" / "smoke.json"
    assert read_findings(tmp_path).found == (finding,)
    assert finding.is_of(EXHIBIT)
    assert not finding.is_of(replace(EXHIBIT, claims=EXHIBIT.claims[:1]))
    stricter = replace(EXHIBIT.claims[0], expect=Within(0.0, of=0.25))
    assert not finding.is_of(replace(EXHIBIT, claims=(stricter, EXHIBIT.claims[1])))


@pytest.mark.parametrize("damage", ["{", "{}", "[1]", "", '{"noun": "edgewise.reproduction:Finding", "key": "a"}'])
def test_a_damaged_finding_is_named_and_hides_no_other(tmp_path: Path, damage: str) -> None:
    carried_out(tmp_path)
    finding = examine(KEY, EXHIBIT, Scale.SMOKE, 1, tmp_path, collect(EXHIBIT, Scale.SMOKE, 1, tmp_path))
    write_finding(tmp_path, replace(finding, exhibit="other"))
    write_finding(tmp_path, finding).write_text(damage)
    stored = read_findings(tmp_path)
    assert [one.exhibit for one in stored.found] == ["other"]
    (complaint,) = stored.broken
    assert str(complaint).startswith(
        f"reading {tmp_path}/{KEY}/fig1/smoke.json: it is damaged, or of another version"
    )


def test_gold_that_is_damaged_says_what_to_type(tmp_path: Path) -> None:
    carried_out(tmp_path)
    finding = examine(KEY, EXHIBIT, Scale.SMOKE, 1, tmp_path, collect(EXHIBIT, Scale.SMOKE, 1, tmp_path))
    for damage in ("{", "[]", '{"fig1": {"it": {"effect": 1.0}}}', '{"fig1": 3}'):
        (tmp_path / "golden.json").write_text(damage)
        with pytest.raises(RecordError, match=r"golden\.json: it is missing or damaged .* --golden write"):
            differences(tmp_path, EXHIBIT, finding)
        with pytest.raises(RecordError, match=r"golden\.json: it is missing or damaged"):
            write_golden(tmp_path, finding)


def test_two_claims_in_the_same_words_are_refused() -> None:
    with pytest.raises(SettingError, match="two claims of fig1 in the same words"):
        replace(EXHIBIT, claims=(EXHIBIT.claims[0], EXHIBIT.claims[0]))


def test_gold_is_compared_claim_by_claim(tmp_path: Path) -> None:
    carried_out(tmp_path)
    finding = examine(KEY, EXHIBIT, Scale.SMOKE, 1, tmp_path, collect(EXHIBIT, Scale.SMOKE, 1, tmp_path))
    with pytest.raises(RecordError, match=r"golden\.json: it is missing"):
        differences(tmp_path, EXHIBIT, finding)
    write_golden(tmp_path, finding)
    assert differences(tmp_path, EXHIBIT, finding) == ()
    first, second = finding.verdicts

    def found(*verdicts: object) -> tuple[str, ...]:
        return differences(tmp_path, EXHIBIT, replace(finding, verdicts=tuple(verdicts)))  # type: ignore[arg-type]

    (moved,) = found(replace(first, effect=0.26), second)
    assert "'it is halved twice' measured 0.25 and measures 0.26" in moved
    assert found(replace(first, effect=0.25 + 1e-8), second) == ()
    (turned,) = found(replace(first, ruling="undecided"), second)
    assert "was holds and is undecided" in turned
    (gone,) = found(first)
    assert "is claimed no more" in gone
    (fresh,) = found(first, second, replace(first, sentence="new"))
    assert "'new' has no golden number" in fresh
    (lost,) = found(replace(first, effect=float("nan")), second)
    assert "measures None" in lost


def test_gold_of_another_exhibit_stays(tmp_path: Path) -> None:
    carried_out(tmp_path)
    finding = examine(KEY, EXHIBIT, Scale.SMOKE, 1, tmp_path, collect(EXHIBIT, Scale.SMOKE, 1, tmp_path))
    write_golden(tmp_path, finding)
    write_golden(tmp_path, replace(finding, exhibit="fig2"))
    assert set(json.loads((tmp_path / "golden.json").read_text())) == {"fig1", "fig2"}


def test_a_paper_finds_its_exhibits() -> None:
    paper = Reproduction(key=KEY, title="On Nothing", authors="Nobody", exhibits=(EXHIBIT,))
    assert paper.exhibit("fig1") is EXHIBIT
    with pytest.raises(
        SettingError, match=r"nobody2000paper/fig9: the paper has no such exhibit\. Choose from fig1"
    ):
        paper.exhibit("fig9")
    with pytest.raises(SettingError, match="two exhibits of nobody2000paper with one name"):
        Reproduction(key=KEY, title="", authors="", exhibits=(EXHIBIT, EXHIBIT))
