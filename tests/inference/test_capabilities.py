"""Results and what becomes of them."""

import numpy as np
import pytest

from inference.capabilities import MOST_LABELS, Answer, Scores, Vectors


def test_a_label_is_given_where_its_mean_over_all_pictures_reaches_its_own_threshold() -> None:
    values = np.array([[0.9, 0.5, 0.30], [0.1, 0.9, 0.40]], np.float32)

    labels = Scores(values, ("dog", "ship", "sea"), (0.6, 0.7, 0.3)).labels().labels

    assert [label.name for label in labels] == ["ship", "sea"]
    assert labels[0].confidence == pytest.approx(0.7)
    assert labels[1].confidence == pytest.approx(0.35)


def test_only_the_most_confident_labels_are_kept() -> None:
    values = np.linspace(0.5, 0.9, 40, dtype=np.float32).reshape(1, 40)
    scores = Scores(values, tuple(str(n) for n in range(40)), (0.1,) * 40)

    assert [label.name for label in scores.labels().labels] == [str(39 - n) for n in range(MOST_LABELS)]


def test_an_answer_names_its_engine() -> None:
    answer = Answer(Vectors(np.zeros((1, 1), np.float32)), "whisper:base", "20250625", 0.1)

    assert answer.engine == "whisper:base@20250625"
