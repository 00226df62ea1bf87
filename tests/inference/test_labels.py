"""The list of labels."""

from pathlib import Path

from inference.labels import LabelList


def test_the_shipped_list_has_a_version_and_distinct_labels_with_thresholds() -> None:
    labels = LabelList.read()

    assert labels.version == "1"
    assert len(labels.names) == len(set(labels.names)) > 100
    assert all(0 < threshold < 1 for threshold in labels.thresholds)


def test_a_label_may_have_a_threshold_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_text("# version: mine\n# threshold: 0.3\ndog\n\nsea\t0.7\n")

    assert LabelList.read(path) == LabelList("mine", ("dog", "sea"), (0.3, 0.7))
