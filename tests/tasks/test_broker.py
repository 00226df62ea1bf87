"""The broker: keys in order, no more than there are slots for, and patience with Redis."""

from uuid import uuid4

import pytest
from dramatiq.errors import QueueNotFound

from db.embedded import Urls
from tasks.broker import KeyBroker, KeyConsumer


def consumer(services: Urls, queue: str, slots: int = 1) -> tuple[KeyBroker, KeyConsumer]:
    """A broker with one queue of its own, and its consumer."""
    broker = KeyBroker(services.redis, slots)
    broker.declare_queue(queue)
    return broker, broker.consume(queue)


def test_keys_come_out_in_the_order_they_went_in(services: Urls) -> None:
    queue = uuid4().hex
    broker, taking = consumer(services, queue, slots=3)
    broker.enqueue_keys(queue, ["a", "b", "c"])
    taken = [next(taking) for _ in range(3)]
    assert [message.args for message in taken if message] == [("a",), ("b",), ("c",)]
    broker.close()


def test_a_key_is_left_for_others_until_a_slot_is_free(services: Urls) -> None:
    queue = uuid4().hex
    broker, taking = consumer(services, queue)
    broker.enqueue_keys(queue, ["a", "b"])
    first = next(taking)
    assert first is not None
    assert next(taking) is None
    _, other = consumer(services, queue)
    stolen = next(other)
    assert stolen is not None
    assert stolen.args == ("b",)
    taking.ack(first)
    broker.enqueue_keys(queue, ["c"])
    second = next(taking)
    assert second is not None
    assert second.args == ("c",)
    broker.close()


def test_keys_not_begun_are_the_next_to_be_taken(services: Urls) -> None:
    queue = uuid4().hex
    broker, taking = consumer(services, queue, slots=2)
    broker.enqueue_keys(queue, ["a", "b"])
    message = next(taking)
    assert message is not None
    taking.requeue([message])
    taking.nack(message)
    again = next(taking)
    assert again is not None
    assert again.args == ("a",)
    broker.close()


def test_a_redis_that_is_away_gives_nothing_and_breaks_nothing() -> None:
    broker = KeyBroker("redis://127.0.0.1:1/0")
    broker.declare_queue("q")
    taking = broker.consume("q")
    assert next(taking) is None
    assert next(taking) is None


def test_a_queue_nobody_declared_is_refused(services: Urls) -> None:
    with pytest.raises(QueueNotFound):
        KeyBroker(services.redis).consume("nowhere")
