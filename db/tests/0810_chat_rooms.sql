-- Channels of several people and agents: who reads, who answers, and what remains of a deleted message.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select plan(46);

select pg_temp.create_as('hello', 'ann', $$select post_chat_message({chat}, 'hello', 'c1')$$),
       pg_temp.create_as('hi', 'mia', $$select post_chat_message({chat}, 'hi', 'c1')$$),
       pg_temp.as_user('mia', $$select set_user_profile('Mia M.')$$),
       pg_temp.keep_id('one', gen_random_uuid()) \g /dev/null
create function pg_temp.begin_turn(p_message text default 'hello', p_user text default 'ann',
  p_agent text default 'robo') returns text language sql as $$
  select pg_temp.as_user('engine',
    format('select state from weir.begin_chat_turn({one}, {%s}, {%s}, {%s}, %L)', p_user, p_agent, p_message, '1 minute'));
$$;
create function pg_temp.record_answer(p_text text, p_message text default 'hello', p_user text default 'ann',
  p_agent text default 'robo') returns text language sql as $$
  select pg_temp.as_user('engine',
    format('select is_new from weir.record_chat_answer({%s}, {%s}, {chat}, {%s}, %L, %L, null, %L, %L)', p_user, p_agent, p_message, p_text,
    '[]', '[]', '{}'));
$$;
create function pg_temp.messages_seen_by(p_actor text) returns text language sql as $$
  select pg_temp.as_user(p_actor,
    $q$select string_agg(concat_ws(':', sender, coalesce(user_name, agent_name, '?'), content,
    case when deleted_at is not null then 'deleted' end), ' '
    order by id) from get_chat_messages_with_details({chat})$q$);
$$;

-- Each message names its author
select is(pg_temp.begin_turn(), 'begun', 'a turn of an agent of the workspace begins');
select is(pg_temp.record_answer('welcome'), 'true', 'the answer of an agent of the workspace is stored');
select is(pg_temp.messages_seen_by('mia'), 'user:?:hello user:Mia M.:hi agent:Robo:welcome',
  'a member reads each message with its author');
select is(pg_temp.messages_seen_by('mel'), 'WR004', 'S15_a_member_outside_the_workspace_reads_no_messages');
select is(pg_temp.messages_seen_by('bob'), 'WR004', 'S15_an_owner_of_another_organization_reads_no_messages');

-- An agent answers in its workspaces only, whoever owns it
select pg_temp.create_as('loner', 'ann', $$select create_agent({a}, 'Loner')$$) \g /dev/null
select is(pg_temp.as_user('ann', 'select chat_context({loner}, null, {chat})'), 'WR004',
  'V8_an_agent_outside_the_workspace_has_no_turn_in_its_channel_for_its_owner');
select is(pg_temp.as_user('ann', 'select chat_context({loner}, {home})'), 'WR004',
  'V8_an_agent_outside_the_workspace_has_no_turn_in_it_for_its_owner');
select is(pg_temp.as_user('ann', $$select chat_context({loner}) -> 'agent' ->> 'name'$$), 'Loner',
  'an agent outside the workspace has a turn for its owner elsewhere');
select is(pg_temp.begin_turn('hello', 'ann', 'loner'), 'WR004', 'V8_a_replica_begins_no_turn_of_an_agent_outside_the_workspace');
select is(pg_temp.record_answer('x', 'hello', 'ann', 'loner'), 'WR004', 'V8_a_replica_records_no_answer_of_an_agent_outside_the_workspace');
select is(pg_temp.as_user('ann', $$select add_workspace_member({home}, agent_id => {loner}) ->> 'error'$$), null,
  'an owner adds their agent to the workspace');
select is(pg_temp.begin_turn('hello', 'ann', 'loner'), 'begun',
  'a turn of an agent that was added begins at the same time as another agent''s');
delete from workspace_members where workspace_id = pg_temp.id_of('home') and agent_id = pg_temp.id_of('loner');
-- Another organization has its tools switched off, which must not be the reason for a refusal here.
update organizations set chat_tools = false where id = pg_temp.id_of('b');
select is(pg_temp.as_user('engine', $$select weir.record_chat_call({one}, {loner}, {hello}, 0, '{}')$$), 'WR005',
  'V11_an_agent_that_was_removed_from_the_workspace_in_a_turn_records_no_call');
select is(pg_temp.record_answer('x', 'hello', 'ann', 'loner'), 'WR004',
  'V11_an_agent_that_was_removed_from_the_workspace_in_a_turn_records_no_answer');

-- Nothing is edited
select is(pg_temp.as_user(who, $$update chat_messages set content = 'changed' where id = {hello}$$), '42501',
  format('S15_%s_updates_no_message', who))
from unnest(array['ann', 'mia', 'bob', 'anon', 'gateway', 'engine']) who;
select is(pg_temp.as_user('writer:ann', $$update chat_messages set content = 'changed' where id = {hello}$$), '42501',
  'S15_the_writer_updates_no_message_for_its_author');
select is(pg_temp.as_user('writer:ann', $$update chat_messages set content = 'changed', deleted_at = now() where id = {hello}$$), '23514',
  'S15_the_writer_keeps_no_text_of_a_deleted_message');
select is(pg_temp.as_user('writer:ann', $$update chat_messages set user_id = {mia}$$), '42501',
  'S15_the_writer_does_not_change_the_author_of_a_message');
select is(pg_temp.as_user('writer:mia', $$update chat_messages set content = '', deleted_at = now() where id = {hello} returning 1$$), null,
  'S15_the_writer_deletes_no_message_of_another');

-- Who may delete
select is(pg_temp.error_as(who, 'select delete_chat_message({hello})'), code, format('S15_%s_deletes_no_message_of_another: %s', who, code))
from (values ('mia', 'WR003'), ('adam', 'WR004'), ('mel', 'WR004'), ('bob', 'WR004'), ('otto', 'WR004'), ('anon', '42501'),
  ('service', '42501'),
             ('engine', '42501')) t(who, code);
select is(pg_temp.error_as('ann', format('select delete_chat_message(%L)', (select m.id from chat_messages m where m.content = 'welcome'))),
  'WR003',
  'S15_a_person_deletes_no_answer_of_an_agent');
select is(pg_temp.error_as('ann', 'select delete_chat_message({nobody})'), 'WR004',
  'a message that does not exist is not found for deleting');
select is(pg_temp.error_as('ann', 'select delete_chat_message(null)'), 'WR004', 'null is refused as a message to delete');
update organization_members set status = 'suspended' where user_id = pg_temp.id_of('mia') and organization_id = pg_temp.id_of('a');
select is(pg_temp.error_as('mia', 'select delete_chat_message({hi})'), 'WR004', 'V7_a_suspended_member_deletes_no_message');
update organization_members set status = 'active' where user_id = pg_temp.id_of('mia') and organization_id = pg_temp.id_of('a');

-- The author deletes a message
select is(pg_temp.begin_turn('hi', 'mia'), 'begun', 'a turn for a message begins before the message is deleted');
select is(pg_temp.error_as('mia', 'select delete_chat_message({hi})'), 'ok', 'S15_the_author_of_a_message_deletes_it');
select is(pg_temp.messages_seen_by('ann'), 'user:?:hello user:Mia M.::deleted agent:Robo:welcome',
  'S15_a_deleted_message_leaves_a_tombstone');
select is(pg_temp.as_user('mia', 'select delete_chat_message({hi}) = delete_chat_message({hi})'), 'true',
  'deleting a deleted message changes nothing');
select is(pg_temp.as_user('owner', $$select count(*) from mcp_interaction_logs where item = 'delete_chat_message' and phase <> 'denied'$$),
  '1', 'a deletion of a message is in the audit log once');
select is(pg_temp.error_as('mia', $$select post_chat_message({chat}, 'hi', 'c1')$$), 'WR005',
  'S15_a_retry_of_a_deleted_message_is_a_conflict');
select is(pg_temp.begin_turn('hi', 'mia'), 'WR004', 'S15_a_turn_for_a_deleted_message_does_not_begin');
select is(pg_temp.as_user('engine', $$select weir.record_chat_call({one}, {robo}, {hi}, 0, '{}')$$), 'WR005',
  'S15_a_turn_whose_message_was_deleted_records_no_call');
select is(pg_temp.record_answer('late', 'hi', 'mia'), 'WR004', 'S15_a_turn_whose_message_was_deleted_records_no_answer');
select is(pg_temp.error_as('ann', $$select post_chat_message({chat}, 'hi', 'c1')$$), 'WR005',
  'another person''s message with that retry id and another text is still a conflict');
select * from finish();
rollback;
