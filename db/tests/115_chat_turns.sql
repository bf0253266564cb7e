-- Who answers a message, which calls were made for it, and that nobody makes them twice.
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
  select pg_temp.as_user(p_actor, format('select state || calls::text from weir.begin_chat_turn({%s}, {%s}, {%s}, {%s}, %L)', p_replica, p_user,
    p_agent, p_message, p_lease));
$$;
create function pg_temp.record_call(p_replica text, p_place integer, p_call text, p_agent text default 'robo', p_actor text default 'engine')
returns text language sql as $$
  select pg_temp.as_user(p_actor, format('select weir.record_chat_call({%s}, {%s}, {hello}, %s, %L)', p_replica, p_agent, p_place, p_call));
$$;
create function pg_temp.release_turn(p_replica text, p_agent text default 'robo', p_actor text default 'engine') returns text language sql as $$
  select pg_temp.as_user(p_actor, format('select weir.release_chat_turn({%s}, {%s}, {hello})', p_replica, p_agent));
$$;

-- The engine: one replica answers
select is(pg_temp.begin_turn('one'), 'begun[]', 'S15_one_replica_begins');
select is(pg_temp.begin_turn('two'), 'running[]', 'S15_another_one_waits');
select is(pg_temp.begin_turn('one'), 'running[]', 'S15_and_so_does_a_retry_at_the_same_one');
select is(pg_temp.begin_turn('two', 'second'), 'begun[]', 'another agent answers for itself');
select is(pg_temp.record_call('two', 0, '{"id": "a"}'), 'WR005', 'S15_who_has_not_begun_makes_no_call');
select is(pg_temp.record_call('one', 10, '{"id": "k"}'), '', 'a call is kept');
select is(pg_temp.record_call('one', 2, '{"id": "c"}'), '', 'whatever the order in which they begin');
select is(pg_temp.record_call('one', 2, '{"id": "c", "outcome": "ok"}'), '', 'and once more when it has ended');
select is(pg_temp.release_turn('two'), '', 'who has not begun gives nothing back');
select is(pg_temp.begin_turn('two'), 'running[{"id": "c", "outcome": "ok"}, {"id": "k"}]', 'so it is still somebody else''s');

-- It is cut off
select is(pg_temp.release_turn('one'), '', 'who has begun gives it back');
select is(pg_temp.begin_turn('two'), 'cut_off[{"id": "c", "outcome": "ok"}, {"id": "k"}]', 'S15_after_a_call_it_is_not_begun_again');
select is(pg_temp.begin_turn('one'), 'cut_off[{"id": "c", "outcome": "ok"}, {"id": "k"}]', 'S15_by_nobody');
select is(pg_temp.record_call('one', 3, '{"id": "d"}'), 'WR005', 'S15_and_who_comes_back_calls_no_more');
select is(pg_temp.as_user('engine', $$select is_new from weir.record_chat_answer({ann}, {robo}, {chat}, {hello}, 'cut off', '[]', null, '[]', '{}')$$), 'true',
  'it ends with an answer');
select is(pg_temp.as_user('engine', $$select is_new from weir.record_chat_answer({ann}, {robo}, {chat}, {hello}, 'late', '[]', '{}', '[]', '{}')$$), 'false',
  'S15_that_of_who_comes_back_is_not_kept');
select is(pg_temp.begin_turn('two'), 'answered[]', 'S15_which_a_retry_finds');
select is(pg_temp.begin_turn('one'), 'answered[]', 'S15_wherever_it_asks');
select is(pg_temp.as_user('owner', $$select count(*) from weir.chat_turns where agent_id = {robo}$$), '0', 'and nothing of the turn is left');
select is(pg_temp.record_call('one', 3, '{"id": "d"}'), 'WR005', 'S15_after_the_answer_nothing_is_called');

-- It dies before its first call
select is(pg_temp.release_turn('two', 'second'), '', 'a turn without a call');
select is(pg_temp.begin_turn('one', 'second'), 'begun[]', 'S15_is_begun_anew_for_it_has_done_nothing');
select is(pg_temp.record_call('two', 0, '{}', 'second'), 'WR005', 'S15_and_is_no_longer_the_first_one_s');
update weir.chat_turns set leased_until = clock_timestamp() - interval '1 second';
select is(pg_temp.record_call('one', 0, '{}', 'second'), 'WR005', 'S15_nor_does_anybody_call_when_their_time_is_over');
select is(pg_temp.begin_turn('two', 'second'), 'begun[]', 'S15_then_it_is_another_one_s');

-- What does not belong together
select is(pg_temp.begin_turn('one', a, u, m), 'WR004', format('S1_%s does not answer %s for %s', a, m, u))
from (values ('robo', 'mia', 'hello'), ('private', 'ann', 'hello'), ('bot', 'ann', 'hello'), ('bot', 'bob', 'hello'),
             ('robo', 'bob', 'hello'), ('robo', 'ann', 'chat')) t(a, u, m);
savepoint s;
-- whose own agent in b does not answer in a
select pg_temp.create_as('melsbot', 'mel', $$select create_agent({b}, 'Mine')$$) \g /dev/null
select pg_temp.as_user('ann', 'select add_workspace_member({home}, user_id => {mel})') \g /dev/null
select pg_temp.create_as('mels', 'mel', $$select post_chat_message({chat}, 'hello')$$) \g /dev/null
select is(pg_temp.begin_turn('one', 'melsbot', 'mel', 'mels'), 'WR004', 'S1_an_agent_of_another_organization_does_not_answer');
rollback to s;
select is(pg_temp.as_user('engine', $$select weir.begin_chat_turn({one}, null, {robo}, {hello}, '1 minute')$$), 'WR004', 'nobody''s message');
select is(pg_temp.as_user('engine', $$select weir.begin_chat_turn({one}, {ann}, null, {hello}, '1 minute')$$), 'WR004', 'nobody''s answer');
select is(pg_temp.as_user('engine', $$select weir.begin_chat_turn({one}, {ann}, {robo}, null, '1 minute')$$), 'WR004', 'no message');
select is(pg_temp.as_user('engine', $$select weir.record_chat_call({two}, {second}, {hello}, 0, '[]')$$), '', 'any JSON may be kept');

-- Everybody else
select is(pg_temp.begin_turn('one', p_actor => who), '42501', format('M5_%s begins no turn', who))
from unnest(array['ann', 'anon', 'service', 'gateway', 'writer:ann']) who;
select is(pg_temp.record_call('two', 0, '{}', 'second', 'ann'), '42501', 'M5_a_person_keeps_no_call');
select is(pg_temp.release_turn('two', 'second', 'ann'), '42501', 'M5_nor_gives_a_turn_back');
select is(pg_temp.as_user('ann', 'select count(*) from weir.chat_turns'), '42501', 'T17_nor_reads_turns');

-- The answer, by message and agent
select is(pg_temp.as_user(who, 'select content from get_chat_answer({hello}, {robo})'), 'cut off', format('%s, who is there, reads it', who))
from unnest(array['ann', 'mia']) who;
select is(pg_temp.as_user(who, 'select content from get_chat_answer({hello}, {robo})'), null, format('S15_%s, who is not, does not', who))
from unnest(array['adam', 'bob', 'otto']) who;
select is(pg_temp.as_user('ann', 'select content from get_chat_answer({hello}, {second})'), null, 'an agent that has not answered');

select * from finish();
rollback;
