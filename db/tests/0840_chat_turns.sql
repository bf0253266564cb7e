-- Which replica answers a message, and that no replica repeats its calls.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select plan(50);

select pg_temp.create_as('hello', 'ann', $$select post_chat_message({chat}, 'hello', 'c1')$$),
       pg_temp.create_as('second', 'ann', $$select create_agent({a}, 'Second', workspace_id => {home})$$),
       pg_temp.create_as('private', 'mel', $$select create_agent({a}, 'Private')$$),
       pg_temp.keep_id('one', gen_random_uuid()), pg_temp.keep_id('two', gen_random_uuid()) \g /dev/null

create function pg_temp.begin_turn(p_replica text, p_agent text default 'robo', p_user text default 'ann', p_message text default 'hello',
  p_lease text default '1 minute', p_actor text default 'engine') returns text language sql as $$
  select pg_temp.as_user(p_actor,
    format('select state || calls::text from weir.begin_chat_turn({%s}, {%s}, {%s}, {%s}, %L)', p_replica, p_user,
    p_agent, p_message, p_lease));
$$;
create function pg_temp.record_call(p_replica text, p_place integer, p_call text, p_agent text default 'robo',
  p_actor text default 'engine')
returns text language sql as $$
  select pg_temp.as_user(p_actor, format('select weir.record_chat_call({%s}, {%s}, {hello}, %s, %L)', p_replica, p_agent, p_place, p_call));
$$;
create function pg_temp.release_turn(p_replica text, p_agent text default 'robo',
  p_actor text default 'engine') returns text language sql as $$
  select pg_temp.as_user(p_actor, format('select weir.release_chat_turn({%s}, {%s}, {hello})', p_replica, p_agent));
$$;

-- The engine: one replica answers
select is(pg_temp.begin_turn('one'), 'begun[]', 'S15_one_replica_begins_a_turn');
select is(pg_temp.begin_turn('two'), 'running[]', 'S15_another_replica_does_not_begin_a_turn_that_runs');
select is(pg_temp.begin_turn('one'), 'running[]', 'S15_a_retry_at_the_same_replica_does_not_begin_a_turn_that_runs');
select is(pg_temp.begin_turn('two', 'second'), 'begun[]', 'another agent''s turn for the same message begins');
select is(pg_temp.record_call('two', 0, '{"id": "a"}'), 'WR005', 'S15_a_replica_that_has_not_begun_a_turn_records_no_call_of_it');
select is(pg_temp.record_call('one', 10, '{"id": "k"}'), '', 'a replica records a call of its turn');
select is(pg_temp.record_call('one', 2, '{"id": "c"}'), '', 'a replica records a call with an earlier index');
select is(pg_temp.record_call('one', 2, '{"id": "c", "outcome": "ok"}'), '', 'a replica records the outcome of a call with its index');
select is(pg_temp.release_turn('two'), '', 'a replica that has not begun a turn may release it without an error');
select is(pg_temp.begin_turn('two'), 'running[{"id": "c", "outcome": "ok"}, {"id": "k"}]',
  'a turn that another replica released still runs');

-- The replica stops during the turn
select is(pg_temp.release_turn('one'), '', 'a replica releases its own turn');
select is(pg_temp.begin_turn('two'), 'cut_off[{"id": "c", "outcome": "ok"}, {"id": "k"}]',
  'S15_a_released_turn_with_calls_is_cut_off_and_not_begun_again');
select is(pg_temp.begin_turn('one'), 'cut_off[{"id": "c", "outcome": "ok"}, {"id": "k"}]',
  'S15_a_released_turn_with_calls_is_cut_off_for_the_replica_that_released_it_too');
select is(pg_temp.record_call('one', 3, '{"id": "d"}'), 'WR005', 'S15_a_replica_that_released_a_turn_records_no_call_of_it');
select is(pg_temp.as_user('engine',
  $$select is_new from weir.record_chat_answer({ann}, {robo}, {chat}, {hello}, 'cut off', '[]', null, '[]', '{}')$$), 'true',
  'a turn that was cut off ends with an answer');
select is(pg_temp.as_user('engine',
  $$select is_new from weir.record_chat_answer({ann}, {robo}, {chat}, {hello}, 'late', '[]', '{}', '[]', '{}')$$), 'false',
  'S15_a_second_answer_after_a_cut_off_turn_is_not_kept');
select is(pg_temp.begin_turn('two'), 'answered[]', 'S15_a_retry_after_the_answer_finds_the_turn_answered');
select is(pg_temp.begin_turn('one'), 'answered[]', 'S15_a_retry_after_the_answer_finds_the_turn_answered_at_another_replica');
select is(pg_temp.as_user('owner', $$select count(*) from weir.chat_turns where agent_id = {robo}$$), '0',
  'an answered turn leaves no row');
select is(pg_temp.record_call('one', 3, '{"id": "d"}'), 'WR005', 'S15_a_replica_records_no_call_of_an_answered_turn');

-- The replica stops before its first call
select is(pg_temp.release_turn('two', 'second'), '', 'a replica releases a turn without calls');
select is(pg_temp.begin_turn('one', 'second'), 'begun[]', 'S15_a_released_turn_without_calls_is_begun_by_another_replica');
select is(pg_temp.record_call('two', 0, '{}', 'second'), 'WR005',
  'S15_the_replica_that_released_a_turn_records_no_call_of_it_after_another_began');
update weir.chat_turns set leased_until = clock_timestamp() - interval '1 second';
select is(pg_temp.record_call('one', 0, '{}', 'second'), 'WR005', 'S15_a_replica_whose_lease_is_over_records_no_call');
select is(pg_temp.begin_turn('two', 'second'), 'begun[]', 'S15_a_turn_without_calls_whose_lease_is_over_is_begun_by_another_replica');

-- Messages, agents and people that do not belong together
select is(pg_temp.begin_turn('one', a, u, m), 'WR004', format('S1_the_agent_%s_does_not_begin_a_turn for the message %s of %s', a, m, u))
from (values ('robo', 'mia', 'hello'), ('private', 'ann', 'hello'), ('bot', 'ann', 'hello'), ('bot', 'bob', 'hello'),
             ('robo', 'bob', 'hello'), ('robo', 'ann', 'chat')) t(a, u, m);
savepoint s;
-- an agent that a member of both owns in b
select pg_temp.create_as('melsbot', 'mel', $$select create_agent({b}, 'Mine')$$) \g /dev/null
select pg_temp.as_user('ann', 'select add_workspace_member({home}, user_id => {mel})') \g /dev/null
select pg_temp.create_as('mels', 'mel', $$select post_chat_message({chat}, 'hello')$$) \g /dev/null
select is(pg_temp.begin_turn('one', 'melsbot', 'mel', 'mels'), 'WR004',
  'S1_a_member_s_own_agent_of_another_organization_does_not_begin_a_turn');
rollback to s;
select is(pg_temp.as_user('engine', $$select weir.begin_chat_turn({one}, null, {robo}, {hello}, '1 minute')$$), 'WR004',
  'a turn without a person does not begin');
select is(pg_temp.as_user('engine', $$select weir.begin_chat_turn({one}, {ann}, null, {hello}, '1 minute')$$), 'WR004',
  'a turn without an agent does not begin');
select is(pg_temp.as_user('engine', $$select weir.begin_chat_turn({one}, {ann}, {robo}, null, '1 minute')$$), 'WR004',
  'a turn without a message does not begin');
select is(pg_temp.as_user('engine', $$select weir.record_chat_call({two}, {second}, {hello}, 0, '[]')$$), '',
  'a call of a turn may be any JSON');

-- All other actors
select is(pg_temp.begin_turn('one', p_actor => who), '42501', format('M5_%s_does_not_execute_begin_chat_turn', who))
from unnest(array['ann', 'anon', 'service', 'gateway', 'writer:ann']) who;
select is(pg_temp.record_call('two', 0, '{}', 'second', 'ann'), '42501', 'M5_a_person_does_not_execute_record_chat_call');
select is(pg_temp.release_turn('two', 'second', 'ann'), '42501', 'M5_a_person_does_not_execute_release_chat_turn');
select is(pg_temp.as_user('ann', 'select count(*) from weir.chat_turns'), '42501', 'T17_a_person_cannot_read_turns');

-- The answer, by message and agent
select is(pg_temp.as_user(who, 'select content from get_chat_answer({hello}, {robo})'), 'cut off',
  format('%s, who is in the workspace, reads the answer to a message', who))
from unnest(array['ann', 'mia']) who;
select is(pg_temp.as_user(who, 'select content from get_chat_answer({hello}, {robo})'), null,
  format('S15_%s_who_is_not_in_the_workspace_reads_no_answer', who))
from unnest(array['adam', 'bob', 'otto']) who;
select is(pg_temp.as_user('ann', 'select content from get_chat_answer({hello}, {second})'), null,
  'an agent that has not answered a message has no answer');

select * from finish();
rollback;
