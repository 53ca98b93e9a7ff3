"""Rows of log.csv: none lost, none twice, none torn."""

import pytest

from pix2pix_tf.training.logs import StepLog, read_rows

COLUMNS = ["step", "loss", "images_per_second"]
WHOLE = "step,loss,images_per_second\n5,0.5,1.000\n10,0.25,2.000\n15,0.125,3.000\n"


def steps(path, last_step=1000):
    return [int(row["step"]) for row in read_rows(path, last_step=last_step)]


def test_rows_are_appended_and_those_after_the_checkpoint_are_dropped(tmp_path):
    path = tmp_path / "log.csv"
    log = StepLog(path, COLUMNS, first_step=0)
    for step, loss in ((5, "0.5"), (10, "0.25"), (15, "0.125")):
        log.write({"step": str(step), "loss": loss, "images_per_second": f"{step / 5:.3f}"})
    assert path.read_text() == WHOLE
    StepLog(path, COLUMNS, first_step=10)
    assert path.read_text() == WHOLE[: WHOLE.index("15,")]
    StepLog(path, COLUMNS, first_step=0)
    assert path.read_text() == "step,loss,images_per_second\n"


@pytest.mark.parametrize("length", range(len(WHOLE)))
def test_a_log_cut_anywhere_keeps_its_whole_rows(tmp_path, length):
    path = tmp_path / "log.csv"
    path.write_text(WHOLE[:length])
    # A row is whole when its line feed is there.
    assert steps(path) == [5, 10, 15][: max(WHOLE[:length].count("\n") - 1, 0)]


@pytest.mark.parametrize(
    "line",
    ["7,0.5", "7,0.5,1,2", "7,x,1", "x,0.5,1", "-7,0.5,1", "3,0.5,1", "5,0.5,1", "1_1,0.5,1",
     "\u0667,0.5,1", "\x00", '"7,0.5,1', "", "9" * 5000 + ",0.5,1", "7.0,0.5,1"],
)  # fmt: skip
def test_torn_repeated_and_foreign_lines_are_passed_over(tmp_path, line):
    path = tmp_path / "log.csv"
    path.write_text(WHOLE.replace("10,", line + "\n10,"))
    assert steps(path) == [5, 10, 15]


def test_other_columns_keep_what_they_share(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(WHOLE)
    StepLog(path, ["step", "rate", "loss"], first_step=10)
    assert path.read_text() == "step,rate,loss\n5,,0.5\n10,,0.25\n"


def test_unknown_and_infinite_numbers_are_rows(tmp_path):
    path = tmp_path / "val.csv"
    path.write_text("step,PSNR,SSIM\n5,inf,nan\n")
    assert steps(path) == [5]


def test_a_missing_log_has_no_rows(tmp_path):
    assert steps(tmp_path / "log.csv") == []
