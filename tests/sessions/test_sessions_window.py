from hypothesis import given
from hypothesis import strategies as st

from serve_app.core.types import FunctionCall, Message, ToolCall
from serve_app.sessions.window import fit


def one_each(message: Message) -> int:
    return 1


def said(*roles: str) -> list[Message]:
    return [Message(role, f"{role} {i}") for i, role in enumerate(roles)]


def call(*ids: str) -> Message:
    return Message(
        "assistant", tool_calls=[ToolCall(i, "function", FunctionCall("f")) for i in ids]
    )


def answer(call_id: str) -> Message:
    return Message("tool", "result", tool_call_id=call_id)


def test_what_fits_is_left_alone() -> None:
    messages = said("system", "user", "assistant", "user")
    assert fit(messages, 4, one_each) == (messages, 0)


def test_the_oldest_turns_go_first_and_instructions_stay() -> None:
    messages = said("system", "user", "assistant", "user", "assistant", "developer", "user")
    kept, cut = fit(messages, 5, one_each)
    assert kept == [messages[0], *messages[3:]]
    assert cut == 2


def test_a_turn_is_not_cut_in_the_middle() -> None:
    messages = said("user", "assistant", "assistant", "user")
    assert fit(messages, 3, one_each) == (messages[3:], 3)


def test_no_older_turn_slips_in_where_a_newer_one_did_not_fit() -> None:
    messages = said("user", "user", "assistant", "assistant", "assistant", "user")
    assert fit(messages, 3, one_each) == (messages[5:], 5)


def test_the_latest_turn_stays_even_if_it_is_too_long() -> None:
    messages = said("system", "user", "user", "assistant")
    kept, cut = fit(messages, 1, one_each)
    assert kept == [messages[0], *messages[2:]]
    assert cut == 1


def test_a_tool_call_and_its_answers_stay_together() -> None:
    messages = [
        Message("user", "go"),
        call("a", "b"),
        answer("a"),
        Message("user", "are you there?"),
        answer("b"),
        Message("assistant", "done"),
        Message("user", "thanks"),
    ]
    assert fit(messages, 5, one_each) == (messages[6:], 6)
    assert fit(messages, 7, one_each) == (messages, 0)


def test_a_call_id_used_again_means_the_newer_call() -> None:
    messages = [
        *[Message("user", "one"), call("a"), answer("a")],
        *[Message("user", "two"), call("a"), answer("a")],
    ]
    assert fit(messages, 3, one_each) == (messages[3:], 3)


def test_an_answer_without_a_call_is_part_of_its_turn() -> None:
    messages = [answer("lost"), Message("user", "hello")]
    assert fit(messages, 9, one_each) == (messages, 0)


def test_messages_that_are_left_out_anyway_are_not_counted() -> None:
    counted: list[Message] = []

    def count(message: Message) -> int:
        counted.append(message)
        return 1

    messages = said(*["user"] * 100)
    fit(messages, 10, count)
    assert len(counted) == 11


def test_nothing_stays_nothing() -> None:
    assert fit([], 0, one_each) == ([], 0)


_MESSAGES = st.lists(
    st.one_of(
        st.sampled_from(["system", "user", "assistant"]).map(Message),
        st.lists(st.sampled_from("abc"), min_size=1, max_size=2).map(lambda ids: call(*ids)),
        st.sampled_from("abc").map(answer),
    ),
    max_size=20,
)


@given(_MESSAGES, st.integers(0, 20))
def test_no_call_loses_its_answer_nor_an_answer_its_call(
    messages: list[Message], budget: int
) -> None:
    kept, cut = fit(messages, budget, one_each)
    assert len(kept) + cut == len(messages)
    assert [m for m in messages if any(m is k for k in kept)] == kept
    kept_ids = {id(m) for m in kept}
    caller: dict[str, Message] = {}
    for message in messages:
        if message.tool_call_id in caller:
            assert (id(message) in kept_ids) == (id(caller[message.tool_call_id]) in kept_ids)
        for tool_call in message.tool_calls or ():
            caller[tool_call.id] = message
