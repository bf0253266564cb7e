-- Channels of several people and agents: who reads, who answers, and what is left of what was deleted.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select plan(46);

select pg_temp.create_as('hello', 'ann', $$select post_chat_message({chat}, 'hello', 'c1')$$),
       pg_temp.create_as('hi', 'mia', $$select post_chat_message({chat}, 'hi', 'c1')$$),
       pg_temp.as_user('mia', $$select set_user_profile('Mia M.')$$),
       pg_temp.keep_id('one', gen_random_uuid()) \g /dev/null
create function pg_temp.begin_turn(p_message text default 'hello', p_user text default 'ann', p_agent text default 'robo') returns text language sql as $$
  select pg_temp.as_user('engine', format('select state from weir.begin_chat_turn({one}, {%s}, {%s}, {%s}, %L)', p_user, p_agent, p_message, '1 minute'));
$$;
create function pg_temp.record_answer(p_text text, p_message text default 'hello', p_user text default 'ann', p_agent text default 'robo') returns text language sql as $$
  select pg_temp.as_user('engine', format('select is_new from weir.record_chat_answer({%s}, {%s}, {chat}, {%s}, %L, %L, null, %L, %L)', p_user, p_agent, p_message, p_text, '[]', '[]', '{}'));
$$;
create function pg_temp.messages_seen_by(p_actor text) returns text language sql as $$
  select pg_temp.as_user(p_actor, $q$select string_agg(concat_ws(':', sender, coalesce(user_name, agent_name, '?'), content, case when deleted_at is not null then 'deleted' end), ' '
    order by id) from get_chat_messages_with_details({chat})$q$);
$$;

-- Who spoke is known by kind and name
select is(pg_temp.begin_turn(), 'begun', 'an agent of the workspace answers');
select is(pg_temp.record_answer('welcome'), 'true', 'and its answer is kept');
select is(pg_temp.messages_seen_by('mia'), 'user:?:hello user:Mia M.:hi agent:Robo:welcome', 'each with who said it');
select is(pg_temp.messages_seen_by('mel'), 'WR004', 'S15_members_only');
select is(pg_temp.messages_seen_by('bob'), 'WR004', 'S15_of_this_tenant');

-- An agent answers in its workspaces only, whoever owns it
select pg_temp.create_as('loner', 'ann', $$select create_agent({a}, 'Loner')$$) \g /dev/null
select is(pg_temp.as_user('ann', 'select chat_context({loner}, null, {chat})'), 'WR004', 'V8_not_even_its_owner_speaks_to_it_there');
select is(pg_temp.as_user('ann', 'select chat_context({loner}, {home})'), 'WR004', 'V8_nor_in_the_workspace');
select is(pg_temp.as_user('ann', $$select chat_context({loner}) -> 'agent' ->> 'name'$$), 'Loner', 'it is still the owner''s');
select is(pg_temp.begin_turn('hello', 'ann', 'loner'), 'WR004', 'V8_and_no_replica_begins');
select is(pg_temp.record_answer('x', 'hello', 'ann', 'loner'), 'WR004', 'V8_or_answers_for_it');
select is(pg_temp.as_user('ann', $$select add_workspace_member({home}, agent_id => {loner}) ->> 'error'$$), null, 'it is taken in');
select is(pg_temp.begin_turn('hello', 'ann', 'loner'), 'begun', 'and answers beside the other one');
delete from workspace_members where workspace_id = pg_temp.id_of('home') and agent_id = pg_temp.id_of('loner');
-- and not since another organization has switched its tools off
update organizations set chat_tools = false where id = pg_temp.id_of('b');
select is(pg_temp.as_user('engine', $$select weir.record_chat_call({one}, {loner}, {hello}, 0, '{}')$$), 'WR005', 'V11_who_is_taken_out_in_the_middle_calls_no_more');
select is(pg_temp.record_answer('x', 'hello', 'ann', 'loner'), 'WR004', 'V11_and_answers_no_more');

-- Nothing is edited
select is(pg_temp.as_user(who, $$update chat_messages set content = 'changed' where id = {hello}$$), '42501', format('S15_%s edits nothing', who))
from unnest(array['ann', 'mia', 'bob', 'anon', 'gateway', 'engine']) who;
select is(pg_temp.as_user('writer:ann', $$update chat_messages set content = 'changed' where id = {hello}$$), '42501', 'S15_not_even_where_a_function_forgets');
select is(pg_temp.as_user('writer:ann', $$update chat_messages set content = 'changed', deleted_at = now() where id = {hello}$$), '23514', 'S15_what_is_deleted_says_nothing');
select is(pg_temp.as_user('writer:ann', $$update chat_messages set user_id = {mia}$$), '42501', 'S15_and_is_nobody_else_s');
select is(pg_temp.as_user('writer:mia', $$update chat_messages set content = '', deleted_at = now() where id = {hello} returning 1$$), null, 'S15_nor_does_another_delete_it');

-- Who may delete
select is(pg_temp.error_as(who, 'select delete_chat_message({hello})'), code, format('S15_%s deletes: %s', who, code))
from (values ('mia', 'WR003'), ('adam', 'WR004'), ('mel', 'WR004'), ('bob', 'WR004'), ('otto', 'WR004'), ('anon', '42501'), ('service', '42501'),
             ('engine', '42501')) t(who, code);
select is(pg_temp.error_as('ann', format('select delete_chat_message(%L)', (select m.id from chat_messages m where m.content = 'welcome'))), 'WR003',
  'S15_an_answer_is_the_agent_s');
select is(pg_temp.error_as('ann', 'select delete_chat_message({nobody})'), 'WR004', 'what is not there');
select is(pg_temp.error_as('ann', 'select delete_chat_message(null)'), 'WR004', 'nothing');
update organization_members set status = 'suspended' where user_id = pg_temp.id_of('mia') and organization_id = pg_temp.id_of('a');
select is(pg_temp.error_as('mia', 'select delete_chat_message({hi})'), 'WR004', 'V7_who_is_suspended');
update organization_members set status = 'active' where user_id = pg_temp.id_of('mia') and organization_id = pg_temp.id_of('a');

-- The author
select is(pg_temp.begin_turn('hi', 'mia'), 'begun', 'a turn is at work');
select is(pg_temp.error_as('mia', 'select delete_chat_message({hi})'), 'ok', 'S15_the_author_deletes');
select is(pg_temp.messages_seen_by('ann'), 'user:?:hello user:Mia M.::deleted agent:Robo:welcome', 'S15_a_tombstone_is_left');
select is(pg_temp.as_user('mia', 'select delete_chat_message({hi}) = delete_chat_message({hi})'), 'true', 'again is harmless');
select is(pg_temp.as_user('owner', $$select count(*) from mcp_interaction_logs where item = 'delete_chat_message' and phase <> 'denied'$$), '1', 'and recorded once');
select is(pg_temp.error_as('mia', $$select post_chat_message({chat}, 'hi', 'c1')$$), 'WR005', 'S15_a_retry_of_what_was_deleted_is_not_said_anew');
select is(pg_temp.begin_turn('hi', 'mia'), 'WR004', 'S15_nor_answered');
select is(pg_temp.as_user('engine', $$select weir.record_chat_call({one}, {robo}, {hi}, 0, '{}')$$), 'WR005', 'S15_the_turn_that_was_at_it_calls_no_more');
select is(pg_temp.record_answer('late', 'hi', 'mia'), 'WR004', 'S15_and_its_answer_is_not_kept');
select is(pg_temp.error_as('ann', $$select post_chat_message({chat}, 'hi', 'c1')$$), 'WR005', 'another person''s retry id is as it was');
select * from finish();
rollback;
