"""The gate: every role and verb, the order of the checks, and what a record is bound to."""

import asyncio
import itertools
import json
import random

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarm_core.engine.gate import Authority, RoleVerbGate, TokenRecord, steady_clock
from swarm_core.engine.token_records import DEAD_KEPT, digest_of
from swarm_core.errors import (
    AccessDenied,
    BadSignature,
    RoleViolation,
    ScopeViolation,
    TokenDecodeError,
    TokenExpired,
    TokenNotFound,
    TokenRevoked,
    TokenTaskMismatch,
    TokenUsesExhausted,
)
from swarm_core.model.access import DEFAULT_ROLE_VERBS, Role, Verb
from swarm_core.tokens import CapTokenSigner, encode_token

SECRET = b"0123456789abcdef"
NOW = 1_000_000.0

# Written by hand from the description of the roles, so that an edit of the default table is noticed here.
GRANTED = {
    "operator": {
        "start_task",
        "dispatch_attempt",
        "mint_worker_token",
        "read_task_state",
        "cancel_task",
        "query_senior",
        "mark_pass",
        "mark_blocked",
        "attach_session",
        "detach_session",
        "heartbeat",
        "poll_task",
        "set_resource",
    },
    "worker": {
        "fetch_prompt",
        "fetch_data",
        "post_result",
        "verify_token",
        "emit_output",
        "start_task",
        "dispatch_attempt",
        "read_task_state",
        "poll_task",
        "cancel_task",
    },
    "observer": {"subscribe_events", "read_trace", "read_task_state"},
    "senior": {"answer_query", "override_verdict", "pause_loop", "resume_loop", "inject_directive"},
}


@attrs.define
class SettableClock:
    """A clock that stands until it is moved."""

    now: float = NOW
    ticks: float = 50.0

    def __call__(self):
        return self.now

    def time(self):
        return self.now

    def monotonic(self):
        return self.ticks


@pytest.fixture
def clock():
    return SettableClock()


@pytest.fixture
def authority(clock):
    return Authority(CapTokenSigner(SECRET), RoleVerbGate.default(), clock=clock)


def worker_token(authority, task_id="T-1", attempt=1, run_id="RUN-1", **facts):
    bound = {"run_id": run_id, "task_id": task_id, "attempt": attempt}
    return authority.mint(f"worker-of-{task_id}", Role.WORKER, **{"ttl": 60, **bound, **facts})


def answer(call, *args, **kwargs):
    """Return the name of what the call raises, or "ok"."""
    try:
        call(*args, **kwargs)
    except AccessDenied as error:
        return type(error).__name__
    return "ok"


class TestRoleVerbGate:
    @pytest.mark.parametrize("verb", [str(verb) for verb in Verb])
    @pytest.mark.parametrize("role", [str(role) for role in Role])
    def test_p20_each_cell_of_the_table(self, role, verb):
        allowed = RoleVerbGate.default().is_allowed(Role(role), Verb(verb))

        assert allowed is (verb in GRANTED[role])

    @pytest.mark.parametrize("verb", [str(verb) for verb in Verb])
    @pytest.mark.parametrize("role", [str(role) for role in Role])
    def test_p20_tk89_tk90_each_cell_as_a_token_meets_it(self, authority, role, verb):
        token = authority.mint("someone", Role(role), ttl=60)

        assert answer(authority.verify, token, Verb(verb)) == ("ok" if verb in GRANTED[role] else "RoleViolation")

    @pytest.mark.parametrize("verb", list(Verb))
    @pytest.mark.parametrize("role", list(Role))
    def test_row_11_an_empty_gate_allows_nothing(self, clock, role, verb):
        authority = Authority(CapTokenSigner(SECRET), RoleVerbGate(), clock=clock)
        token = authority.mint("someone", role, ttl=60)

        assert answer(authority.verify, token, verb) == "RoleViolation"

    def test_row_11_what_is_allowed_twice_adds_up(self):
        gate = RoleVerbGate()

        gate.allow(Role.SENIOR, [Verb.ANSWER_QUERY])
        gate.allow(Role.SENIOR, [Verb.PAUSE_LOOP])

        assert {verb for verb in Verb if gate.is_allowed(Role.SENIOR, verb)} == {Verb.ANSWER_QUERY, Verb.PAUSE_LOOP}

    def test_a_gate_of_ones_own_leaves_the_default_table_alone(self):
        RoleVerbGate.default().allow(Role.OBSERVER, [Verb.CANCEL_TASK])

        assert Verb.CANCEL_TASK not in DEFAULT_ROLE_VERBS[Role.OBSERVER]
        assert not RoleVerbGate.default().is_allowed(Role.OBSERVER, Verb.CANCEL_TASK)


class TestOrderOfChecks:
    def test_row_1_the_signature_is_checked_first(self, authority, clock):
        token = attrs.evolve(authority.mint("o", Role.OBSERVER, ttl=60), sig_hex="00" * 32)
        clock.now += 60

        with pytest.raises(BadSignature):
            authority.verify(token, Verb.START_TASK)

    def test_row_2_time_is_checked_before_the_role(self, authority, clock):
        token = authority.mint("o", Role.OBSERVER, ttl=60)
        clock.now = float(token.expire_at)

        with pytest.raises(TokenExpired):
            authority.verify(token, Verb.START_TASK)

    def test_a_token_is_good_until_just_before_its_end(self, authority, clock):
        token = authority.mint("o", Role.OBSERVER, ttl=60)
        clock.now = token.expire_at - 0.001

        assert authority.verify(token, Verb.READ_TRACE).agent_id == "o"

    def test_row_3_a_refused_role_spends_no_use(self, authority):
        token = authority.mint("o", Role.OBSERVER, ttl=60, max_uses=1)

        with pytest.raises(RoleViolation) as refused:
            authority.verify(token, Verb.START_TASK)

        assert (refused.value.role, refused.value.verb) == ("observer", "start_task")
        assert authority.verify(token, Verb.READ_TRACE).uses_left == 0

    def test_a_role_is_checked_before_the_scopes(self, authority):
        token = authority.mint("o", Role.OBSERVER, scopes=["verb:start_task"], ttl=60)

        with pytest.raises(RoleViolation):
            authority.verify(token, Verb.START_TASK)

    def test_a_refused_scope_spends_no_use(self, authority):
        token = authority.mint("o", Role.OBSERVER, scopes=["verb:read_trace"], ttl=60, max_uses=1)

        with pytest.raises(ScopeViolation) as refused:
            authority.verify(token, Verb.READ_TASK_STATE)

        assert refused.value.wanted == "verb:read_task_state"
        assert authority.verify(token, Verb.READ_TRACE).uses_left == 0

    def test_scopes_are_checked_before_the_record(self, authority, clock):
        stranger = CapTokenSigner(SECRET, clock=clock).mint("o", Role.OBSERVER, ["data:x"], ttl=60)

        with pytest.raises(ScopeViolation):
            authority.verify(stranger, Verb.READ_TRACE)

    def test_row_4_tk84_a_signed_token_without_a_record_is_not_found(self, authority, clock):
        stranger = CapTokenSigner(SECRET, clock=clock).mint("o", Role.OBSERVER, ttl=60)

        with pytest.raises(TokenNotFound):
            authority.verify(stranger, Verb.READ_TRACE)

    def test_row_5_tk87_a_spent_token_is_refused(self, authority):
        token = authority.mint("o", Role.OBSERVER, ttl=60, max_uses=1)
        authority.verify(token, Verb.READ_TRACE)

        with pytest.raises(TokenUsesExhausted):
            authority.verify(token, Verb.READ_TRACE)

    def test_row_6_tk87_a_revoked_token_says_so(self, authority):
        token = authority.mint("o", Role.OBSERVER, ttl=60, max_uses=1)
        authority.verify(token, Verb.READ_TRACE)

        assert authority.revoke(token)
        with pytest.raises(TokenRevoked):
            authority.verify(token, Verb.READ_TRACE)

    def test_row_7_another_task_is_refused_and_the_use_is_spent(self, authority):
        token = worker_token(authority, "T-a", max_uses=1)

        with pytest.raises(TokenTaskMismatch) as refused:
            authority.verify(token, Verb.READ_TASK_STATE, task_id="T-b")

        assert (refused.value.bound, refused.value.arg) == ("T-a", "T-b")
        assert answer(authority.verify, token, Verb.READ_TASK_STATE, task_id="T-a") == "TokenUsesExhausted"

    def test_row_8_an_operator_reads_any_task(self, authority):
        token = authority.mint("boss", Role.OPERATOR, ttl=60)

        assert authority.verify(token, Verb.READ_TASK_STATE, task_id="T-any").agent_id == "boss"

    def test_row_9_a_worker_that_is_bound_to_no_task_is_not_found(self, authority):
        token = authority.mint("w", Role.WORKER, ttl=60)

        with pytest.raises(TokenNotFound):
            authority.verify(token, Verb.READ_TASK_STATE, task_id="T-1")

    def test_row_12_tk93_a_token_of_another_engine_is_badly_signed(self, authority, clock):
        other = Authority(CapTokenSigner(b"another secret of 16"), RoleVerbGate.default(), clock=clock)

        with pytest.raises(BadSignature):
            authority.verify(worker_token(other), Verb.FETCH_PROMPT, task_id="T-1")

    def test_tk85_a_known_nonce_without_a_signature_is_refused(self, authority):
        token = worker_token(authority)

        with pytest.raises(BadSignature):
            authority.verify(attrs.evolve(token, role=Role.OPERATOR), Verb.START_TASK)

    def test_tk88_another_attempt_of_the_task_is_refused(self, authority):
        token = worker_token(authority, "T-1", attempt=1)

        with pytest.raises(TokenTaskMismatch, match="bound to T-1 attempt 1, arg was T-1 attempt 999"):
            authority.verify(token, Verb.POST_RESULT, task_id="T-1", attempt=999)


class TestText:
    def test_a_token_may_come_as_text(self, authority):
        token = worker_token(authority)

        assert authority.verify(encode_token(token), Verb.FETCH_PROMPT, task_id="T-1").task_id == "T-1"

    @pytest.mark.parametrize("text", ["", "Bearer x", "x" * 65536, "e30"])
    def test_tk79_text_that_is_no_token_cannot_be_decoded(self, authority, text):
        with pytest.raises(TokenDecodeError):
            authority.verify(text, Verb.FETCH_PROMPT)


class TestRecord:
    def test_a_record_says_what_the_token_is_bound_to(self, authority):
        token = worker_token(authority, depth=2, max_uses=5, scopes=["verb:fetch_prompt"])

        assert authority.verify(token, Verb.FETCH_PROMPT, task_id="T-1", attempt=1) == TokenRecord(
            agent_id="worker-of-T-1",
            role=Role.WORKER,
            scopes=("verb:fetch_prompt",),
            uses_left=4,
            run_id="RUN-1",
            task_id="T-1",
            attempt=1,
            depth=2,
            expire_at=1_000_060,
        )

    def test_looking_takes_no_use(self, authority):
        token = authority.mint("o", Role.OBSERVER, ttl=60, max_uses=1)

        authority.check(token, Verb.READ_TRACE)
        authority.check(token, Verb.READ_TRACE)

        assert authority.verify(token, Verb.READ_TRACE).uses_left == 0
        assert answer(authority.check, token, Verb.READ_TRACE) == "TokenUsesExhausted"

    def test_a_data_key_must_be_in_scope(self, authority):
        token = worker_token(authority, scopes=["verb:fetch_data", "data:plan/*"])

        assert answer(authority.verify, token, Verb.FETCH_DATA, data_key="plan/a") == "ok"
        assert answer(authority.verify, token, Verb.FETCH_DATA, data_key="secret") == "ScopeViolation"

    async def test_tk87_of_a_hundred_uses_at_once_of_a_one_time_token_one_succeeds(self, authority):
        token = authority.mint("o", Role.OBSERVER, ttl=60, max_uses=1)

        async def use():
            await asyncio.sleep(0)
            return answer(authority.verify, token, Verb.READ_TRACE)

        answers = await asyncio.gather(*(use() for _ in range(100)))

        assert sorted(answers) == ["TokenUsesExhausted"] * 99 + ["ok"]

    def test_p40_neither_nonces_nor_handles_are_kept(self, authority):
        token = worker_token(authority)
        handle = authority.handle_for(token)

        kept = repr(attrs.asdict(authority, recurse=True))

        assert [secret in kept for secret in (token.nonce, handle, handle[3:])] == [False] * 3
        assert repr(digest_of(token.nonce)) in kept
        assert SECRET.decode() not in repr(authority)


class TestTime:
    def test_p22_tk86_a_clock_set_back_revives_nothing(self, authority, clock):
        token = authority.mint("o", Role.OBSERVER, ttl=60)
        clock.now += 60
        answer(authority.verify, token, Verb.READ_TRACE)

        clock.now -= 3600

        assert answer(authority.verify, token, Verb.READ_TRACE) == "TokenExpired"

    def test_p16_after_a_clock_was_set_back_new_tokens_work(self, authority, clock):
        authority.mint("o", Role.OBSERVER, ttl=60)

        clock.now -= 3600
        token = authority.mint("o", Role.OBSERVER, ttl=60)

        assert answer(authority.verify, token, Verb.READ_TRACE) == "ok"

    @pytest.mark.parametrize("jump", [3600, -3600, -86400, 10 * 365 * 86400])
    def test_p16_with_a_steady_clock_a_jump_changes_nothing(self, jump):
        clock = SettableClock()
        authority = Authority(CapTokenSigner(SECRET), RoleVerbGate.default(), clock=steady_clock(clock))
        old = authority.mint("o", Role.OBSERVER, ttl=60)
        clock.ticks += 30
        clock.now += jump

        assert answer(authority.verify, old, Verb.READ_TRACE) == "ok"
        clock.ticks += 30
        assert answer(authority.verify, old, Verb.READ_TRACE) == "TokenExpired"


class TestHandle:
    def test_a_handle_stands_for_its_token(self, authority):
        handle = authority.handle_for(worker_token(authority, max_uses=2))

        record = authority.verify(handle, Verb.FETCH_PROMPT, task_id="T-1", attempt=1)

        assert (record.task_id, record.uses_left) == ("T-1", 1)

    def test_p22_a_handle_has_128_random_bits(self, clock):
        authority = Authority(
            CapTokenSigner(SECRET), RoleVerbGate.default(), clock=clock, random_bytes=lambda n: b"\xcd" * n
        )

        assert authority.handle_for(worker_token(authority)) == "wh-" + "cd" * 16

    def test_each_handle_is_new(self, authority):
        token = worker_token(authority)

        assert authority.handle_for(token) != authority.handle_for(token)

    @pytest.mark.parametrize(
        ("verb", "facts", "refusal"),
        [
            (Verb.MARK_PASS, {}, "RoleViolation"),
            (Verb.POST_RESULT, {}, "ScopeViolation"),
            (Verb.FETCH_DATA, {"data_key": "secret"}, "ScopeViolation"),
            (Verb.FETCH_DATA, {"task_id": "T-2"}, "TokenTaskMismatch"),
            (Verb.FETCH_DATA, {"task_id": "T-1", "attempt": 2}, "TokenTaskMismatch"),
        ],
    )
    def test_row_93_a_handle_is_checked_like_its_token(self, authority, verb, facts, refusal):
        token = worker_token(authority, scopes=["verb:fetch_data", "data:plan"])
        handle = authority.handle_for(token)

        assert answer(authority.verify, handle, verb, **facts) == refusal
        assert answer(authority.verify, token, verb, **facts) == refusal

    def test_a_handle_dies_of_time_uses_and_revocation(self, authority, clock):
        spent, revoked, old = (worker_token(authority, max_uses=1) for _ in range(3))
        handles = [authority.handle_for(token) for token in (spent, revoked, old)]
        authority.verify(spent, Verb.FETCH_PROMPT)
        authority.revoke(revoked)

        answers = [answer(authority.verify, handle, Verb.FETCH_PROMPT) for handle in handles[:2]]
        clock.now += 60

        assert answers == ["TokenUsesExhausted", "TokenRevoked"]
        assert answer(authority.verify, handles[2], Verb.FETCH_PROMPT) == "TokenExpired"

    @pytest.mark.parametrize("handle", ["wh-", "wh-" + "0" * 32, "wh-\ud800", "wh-" + "x" * 100_000])
    def test_tk91_a_guessed_handle_is_not_found(self, authority, handle):
        authority.handle_for(worker_token(authority))

        assert answer(authority.verify, handle, Verb.FETCH_PROMPT) == "TokenNotFound"

    def test_no_handle_is_given_for_a_dead_or_forged_token(self, authority):
        dead, forged = worker_token(authority), attrs.evolve(worker_token(authority), agent_id="x")
        authority.revoke(dead)

        assert [answer(authority.handle_for, token) for token in (dead, forged)] == ["TokenRevoked", "BadSignature"]


class TestAttenuate:
    def test_a_child_is_bound_as_its_parent_is(self, authority):
        child = authority.attenuate(worker_token(authority, depth=1), agent_id="sub", scopes=["verb:fetch_prompt"])

        record = authority.verify(child, Verb.FETCH_PROMPT, task_id="T-1", attempt=1)

        assert (record.agent_id, record.run_id, record.depth) == ("sub", "RUN-1", 1)
        assert answer(authority.verify, child, Verb.POST_RESULT) == "ScopeViolation"

    def test_a_childs_uses_are_its_parents_too(self, authority):
        parent = worker_token(authority, max_uses=2)
        first, second = authority.attenuate(parent), authority.attenuate(parent, max_uses=1)

        answers = [
            answer(authority.verify, token, Verb.FETCH_PROMPT) for token in (second, second, first, first, parent)
        ]

        assert answers == ["ok", "TokenUsesExhausted", "ok", "TokenUsesExhausted", "TokenUsesExhausted"]

    def test_a_child_dies_with_its_parent_and_not_the_other_way_round(self, authority):
        parent = worker_token(authority)
        child = authority.attenuate(parent)
        grandchild = authority.attenuate(child)
        handle = authority.handle_for(grandchild)

        authority.revoke(child)

        assert [answer(authority.verify, token, Verb.FETCH_PROMPT) for token in (parent, child, grandchild)] == [
            "ok",
            "TokenRevoked",
            "TokenRevoked",
        ]
        assert answer(authority.verify, handle, Verb.FETCH_PROMPT) == "TokenRevoked"

    def test_a_child_dies_with_its_attempt(self, authority):
        child = authority.attenuate(worker_token(authority))

        authority.end_attempt("T-1", 1)

        assert answer(authority.verify, child, Verb.FETCH_PROMPT) == "TokenRevoked"

    def test_p36_a_chain_has_an_end(self, authority):
        token = worker_token(authority)
        for _ in range(15):
            token = authority.attenuate(token)

        with pytest.raises(ValueError, match="at most 15 times in a row"):
            authority.attenuate(token)

    def test_a_revoked_or_unknown_parent_gives_nothing(self, authority, clock):
        revoked = worker_token(authority)
        authority.revoke(revoked)
        stranger = CapTokenSigner(SECRET, clock=clock).session("w", Role.WORKER, ttl=60)

        assert [answer(authority.attenuate, token) for token in (revoked, stranger)] == [
            "TokenRevoked",
            "TokenNotFound",
        ]


class TestEnd:
    def test_p21_tk88_tokens_and_handles_die_with_their_attempt(self, authority):
        token = worker_token(authority, attempt=1)
        handle = authority.handle_for(token)
        next_token = worker_token(authority, attempt=2)

        authority.end_attempt("T-1", 1)

        assert answer(authority.verify, token, Verb.POST_RESULT, task_id="T-1") == "TokenRevoked"
        assert answer(authority.verify, handle, Verb.POST_RESULT, task_id="T-1") == "TokenRevoked"
        assert answer(authority.verify, next_token, Verb.POST_RESULT, task_id="T-1") == "ok"

    def test_p21_tokens_die_with_their_run(self, authority):
        ended, session = worker_token(authority), authority.mint("boss", Role.OPERATOR, ttl=60, run_id="RUN-1")
        other = worker_token(authority, "T-2", run_id="RUN-2")

        authority.end_run("RUN-1")

        assert [answer(authority.verify, token, Verb.POLL_TASK) for token in (ended, session, other)] == [
            "TokenRevoked",
            "TokenRevoked",
            "ok",
        ]

    def test_the_dead_are_forgotten_in_the_end(self, authority):
        first = worker_token(authority, "T-first")
        authority.end_attempt("T-first", 1)
        for number in range(DEAD_KEPT):
            worker_token(authority, f"T-{number}")
            authority.end_attempt(f"T-{number}", 1)

        assert answer(authority.verify, first, Verb.POLL_TASK) == "TokenNotFound"

    def test_p38_nothing_of_an_ended_attempt_is_kept_but_its_digests(self, authority):
        token = worker_token(authority)
        authority.handle_for(authority.attenuate(token))
        authority.revoke(token)

        authority.end_attempt("T-1", 1)
        authority.end_run("RUN-1")

        records = attrs.asdict(authority, recurse=True)["_records"]
        assert {name: len(kept) for name, kept in records.items()} == {
            "_entries": 0,
            "_handles": 0,
            "_by_attempt": 0,
            "_by_run": 0,
            "_by_time": 0,
            "_dead": 3,
        }

    def test_p38_expired_session_tokens_are_swept_when_another_is_made(self, authority, clock):
        for number in range(100):
            authority.mint(f"s{number}", Role.OPERATOR, ttl=60)
        clock.now += 60

        authority.mint("last", Role.OPERATOR, ttl=60)

        assert len(attrs.asdict(authority, recurse=False)["_records"]) == 1

    def test_ending_what_never_began_is_nothing(self, authority):
        authority.end_attempt("T-1", 1)
        authority.end_run("RUN-1")

        assert len(attrs.asdict(authority, recurse=False)["_records"]) == 0


class TestRevoke:
    @pytest.mark.parametrize("form", [lambda token: token, encode_token, lambda token: token.nonce])
    def test_a_token_is_revoked_by_itself_its_text_or_its_nonce(self, authority, form):
        token = worker_token(authority)

        assert (authority.revoke(form(token)), authority.revoke(form(token))) == (True, False)
        assert answer(authority.verify, token, Verb.POLL_TASK) == "TokenRevoked"

    def test_what_is_not_there_is_not_revoked(self, authority):
        assert authority.revoke("0" * 32) is False


# P20 as a property: an independent table of what must be answered ------------------------------------------------

STATES = ("alive", "expired", "revoked", "attempt_ended", "run_ended", "spent", "forged")
REFUSALS = {
    "forged": "BadSignature",
    "expired": "TokenExpired",
    "revoked": "TokenRevoked",
    "attempt_ended": "TokenRevoked",
    "run_ended": "TokenRevoked",
    "spent": "TokenUsesExhausted",
}


def expected(role, verb, state, bound, asked):
    """Say what the rules of the house say, in their order."""
    if state in ("forged", "expired"):
        return REFUSALS[state]
    if str(verb) not in GRANTED[role]:
        return "RoleViolation"
    if state != "alive":
        return REFUSALS[state]
    if role == "worker" and bound != asked:
        return "TokenTaskMismatch"
    return "ok"


def bring_about(state, authority, clock, token, bound):
    run_id, task_id, attempt = bound
    if state == "expired":
        clock.now += 61
    elif state == "revoked":
        authority.revoke(token)
    elif state == "attempt_ended":
        authority.end_attempt(task_id, attempt)
    elif state == "run_ended":
        authority.end_run(run_id)
    elif state == "spent":
        authority.verify(token, Verb(min(GRANTED[token.role])))
    return attrs.evolve(token, sig_hex="ab" * 32) if state == "forged" else token


@settings(max_examples=600, deadline=None)
@given(
    role=st.sampled_from(["operator", "worker", "observer", "senior"]),
    verb=st.sampled_from(Verb),
    state=st.sampled_from(STATES),
    asked=st.sampled_from(list(itertools.product(["RUN-1", "RUN-2"], ["T-a", "T-b"], [1, 2]))),
    by_handle=st.booleans(),
)
def test_p20_a_token_gives_exactly_its_run_step_attempt_and_verbs_until_its_end(role, verb, state, asked, by_handle):
    """In a world of two runs with two tasks of two attempts each, one token is asked about another place."""
    clock = SettableClock()
    authority = Authority(CapTokenSigner(SECRET), RoleVerbGate.default(), clock=clock)
    places = {
        (run, f"{run}.{task}", number): authority.mint(
            "a", Role(role), ttl=60, max_uses=1, run_id=run, task_id=f"{run}.{task}", attempt=number
        )
        for run, task, number in itertools.product(["RUN-1", "RUN-2"], ["T-a", "T-b"], [1, 2])
    }
    bound = ("RUN-1", "RUN-1.T-a", 1)
    handle = authority.handle_for(places[bound])
    token = bring_about(state, authority, clock, places[bound], bound)
    run, task, attempt = asked
    place = (run, f"{run}.{task}", attempt)
    through_handle = by_handle and state != "forged"

    secret = handle if through_handle else token
    got = answer(authority.verify, secret, verb, task_id=place[1], attempt=attempt)

    wanted = expected(role, verb, state, bound, place)
    if through_handle and state in ("revoked", "attempt_ended", "run_ended"):
        wanted = "TokenRevoked"  # nothing is behind a dead handle, so there is no role to look at
    assert got == wanted


def test_p20_every_state_keeps_the_other_attempts_alive():
    """Whatever becomes of one attempt's token, the tokens of the others go on."""
    for state in ("revoked", "attempt_ended", "spent"):
        clock = SettableClock()
        authority = Authority(CapTokenSigner(SECRET), RoleVerbGate.default(), clock=clock)
        tokens = [worker_token(authority, "T-1", number, max_uses=1) for number in (1, 2)]

        bring_about(state, authority, clock, tokens[0], ("RUN-1", "T-1", 1))

        assert [answer(authority.verify, token, Verb.POST_RESULT, task_id="T-1") for token in tokens][1] == "ok"


def test_p22_ten_thousand_guessed_handles_open_nothing():
    chance = random.Random(20)
    authority = Authority(CapTokenSigner(SECRET), RoleVerbGate.default(), clock=SettableClock())
    handle = authority.handle_for(worker_token(authority))
    near = [handle[:place] + chance.choice("0123456789abcdef") + handle[place + 1 :] for place in range(3, 35)] * 10
    guesses = {f"wh-{chance.getrandbits(128):032x}" for _ in range(9_680)} | set(near) - {handle}

    answers = {answer(authority.verify, guess, Verb.FETCH_PROMPT) for guess in guesses}

    assert answers == {"TokenNotFound"}


def test_the_record_can_be_told_as_data(authority):
    """A record is made of JSON values, so that stores may keep it."""
    record = authority.verify(worker_token(authority), Verb.FETCH_PROMPT)

    assert json.loads(json.dumps(attrs.asdict(record)))["task_id"] == "T-1"
