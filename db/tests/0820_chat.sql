-- Chat: channels, messages and the context of a turn.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select plan(120);

-- Members of the workspace
select pg_temp.create_as('hello', 'ann', $$select post_chat_message({chat}, 'hello', 'c1')$$) \g /dev/null
select is(pg_temp.as_user('ann', $$select post_chat_message({chat}, 'hello', 'c1') ->> 'id'$$), pg_temp.id_of('hello')::text,
  'S15_a_message_with_the_same_retry_id_and_text_is_the_same_message');
select is(pg_temp.as_user('ann', $$select post_chat_message({chat}, 'hello', 'c1') ->> 'created'$$), 'false',
  'S15_a_message_that_was_posted_before_is_not_created');
select is(pg_temp.as_user('mia', $$select post_chat_message({chat}, 'hi', 'c1') ->> 'created'$$), 'true',
  'S15_another_person_s_message_with_the_same_retry_id_is_created');
select is(pg_temp.error_as('ann', $$select post_chat_message({chat}, 'hello!', 'c1')$$), 'WR005',
  'S15_the_retry_id_of_one_message_with_another_text_is_a_conflict');
select is(pg_temp.error_as('ann', $$select post_chat_message({chat}, 'Hello', 'c1')$$), 'WR005',
  'S15_the_retry_id_of_one_message_with_its_text_in_another_case_is_a_conflict');
select is(pg_temp.as_user('owner', $$select string_agg(content, ', ') from chat_messages where user_id = {ann}$$), 'hello',
  'S15_a_retry_id_with_another_text_saves_and_changes_nothing');
select is(pg_temp.as_user('owner',
  $$select count(*) from mcp_interaction_logs where user_id = {ann} and kind = 'chat' and reason = 'conflict'$$),
  '2', 'S15_each_conflict_of_a_retry_id_is_in_the_audit_log');
select is(pg_temp.as_user('ann', $$select post_chat_message({chat}, 'hello', 'c1') ->> 'id'$$), pg_temp.id_of('hello')::text,
  'S15_after_a_conflict_the_first_text_with_its_retry_id_is_the_same_message');
select is(pg_temp.error_as('ann', $$select post_chat_message({chat}, '  ')$$), 'WR001', 'a message of spaces is refused');
select is(pg_temp.error_as('ann', $$select post_chat_message({chat}, null)$$), 'WR001', 'a null message is refused');
select is(pg_temp.error_as('ann', $$select post_chat_message({chat}, repeat('x', 65537))$$), 'WR001',
  'a message of more than 64 KiB is refused');
select is(pg_temp.error_as('ann', $$select post_chat_message(null, 'x')$$), 'WR004', 'a message to no channel is refused');
select is(pg_temp.as_user('mia', $$select string_agg(content, ' ') from get_chat_messages_with_details({chat})$$), 'hi hello',
  'messages are listed with the newest first');
select is(pg_temp.as_user('mia', $$select string_agg(content, ' ') from get_chat_messages_with_details({chat}, "limit" => 1)$$), 'hi',
  'a page of one message has the newest');
select is(pg_temp.as_user('mia',
  $$select string_agg(content, ' ') from get_chat_messages_with_details({chat}, before => (select id
  from get_chat_messages_with_details({chat}) limit 1))$$), 'hello', 'a page before a message has the older ones');
select is(pg_temp.as_user('mia', $$select count(*) from get_chat_messages_with_details({chat}, null, 0)$$), 'WR001',
  'a page of zero messages is refused');
select is(pg_temp.as_user('mia', $$select count(*) from get_chat_messages_with_details({chat}, null, null)$$), '2',
  'a page of null messages has the default size');
select is(pg_temp.as_user('mia', $$select count(*) from chat_messages$$), '2',
  'a member of the workspace reads its messages from the table');

-- Other actors
select is(pg_temp.error_as('mel', $$select post_chat_message({chat}, 'x')$$), 'WR004',
  'S1_a_member_outside_the_workspace_posts_no_message');
select is(pg_temp.as_user('mel', $$select count(*) from get_chat_messages_with_details({chat})$$), 'WR004',
  'S1_a_member_outside_the_workspace_reads_no_messages');
select is(pg_temp.as_user('adam', $$select count(*) from chat_messages$$), '0', 'S15_an_admin_outside_the_workspace_reads_no_messages');
select is(pg_temp.as_user('bob', $$select count(*) from chat_messages$$), '0', 'S15_an_owner_of_another_organization_reads_no_messages');
select is(pg_temp.error_as('bob', $$select post_chat_message({chat}, 'x')$$), 'WR004',
  'S1_an_owner_of_another_organization_posts_no_message');
select is(pg_temp.as_user('anon', $$select post_chat_message({chat}, 'x')$$), '42501', 'anon posts no message');
insert into workspace_members (organization_id, workspace_id, user_id)
  values (pg_temp.id_of('a'), pg_temp.id_of('home'), pg_temp.id_of('vic')),
  (pg_temp.id_of('a'), pg_temp.id_of('home'), pg_temp.id_of('sam'));
select is(pg_temp.error_as('vic', $$select post_chat_message({chat}, 'x')$$), 'WR003', 'V12_a_viewer_in_the_workspace_posts_no_message');
select is(pg_temp.as_user('vic', $$select count(*) from get_chat_messages_with_details({chat})$$), '2',
  'a viewer in the workspace reads its messages');
select is(pg_temp.as_user('sam', $$select count(*) from get_chat_messages_with_details({chat})$$), 'WR004',
  'V7_a_suspended_member_in_the_workspace_reads_no_messages');

-- The context of a turn
create function pg_temp.turn_context(p_actor text, p_args text) returns text language sql as $$
  select case when r like '{%' then concat_ws(' ', r::jsonb -> 'agent' ->> 'name', r::jsonb ->> 'role',
  case when r::jsonb ->> 'workspace_id' = pg_temp.id_of('home')::text then 'home' end,
              case when r::jsonb ->> 'organization_id' = pg_temp.id_of('a')::text then 'a' end) else r end
  from (select pg_temp.as_user(p_actor, 'select chat_context(' || p_args || ')')) t(r);
$$;
select is(pg_temp.turn_context('ann', '{robo}, {home}, {chat}'), 'Robo owner home a',
  'S1_a_turn_has_an_agent_a_workspace_and_a_channel_that_belong_together');
select is(pg_temp.turn_context('ann', '{robo}, null, {chat}'), 'Robo owner home a',
  'S2_a_turn_without_a_workspace_has_that_of_its_channel');
select is(pg_temp.turn_context('mia', '{robo}'), 'Robo member a',
  'S2_a_turn_without_a_workspace_and_a_channel_has_the_organization_of_its_agent');
select is(pg_temp.turn_context('ann', 'null, null, {chat}'), 'owner home a', 'a turn that only stores a message needs no agent');
select is(pg_temp.turn_context('vic', '{robo}, {home}'), 'Robo viewer home a', 'V12_a_turn_of_a_viewer_says_that_the_role_is_viewer');
select is(pg_temp.turn_context(who, args), 'WR004', format('S1_a_turn_is_not_found for %s: %s', who, args))
from (values ('ann', '{bot}, {home}, {chat}'), ('ann', '{robo}, {den}, {chat}'), ('ann', '{robo}, {home}, {denchat}'), ('bob',
  '{robo}, {home}, {chat}'),
             ('bob', '{bot}, {home}, {chat}'), ('bob', '{robo}'), ('mel', '{bot}, {home}'), ('adam', '{robo}'), ('adam', '{robo}, {home}'),
               ('sam',
             '{robo}, {home}'), ('ann', '{nobody}, {home}'),
             ('ann', 'null')) t(who, args);
select is(pg_temp.turn_context('anon', '{robo}'), '42501', 'anon does not execute chat_context');
select pg_temp.create_as('melbot', 'mel', $$select create_agent({b}, 'Mel''s')$$),
       pg_temp.as_user('ann', $$select add_workspace_member({home}, user_id => {mel})$$) \g /dev/null
select is(pg_temp.turn_context('mel', '{melbot}, {home}, {chat}'), 'WR004',
  'V8_a_member_s_own_agent_of_b_takes_no_part_in_a_workspace_of_a');
select is(pg_temp.turn_context('mel', '{robo}, {home}, {chat}'), 'Robo member home a',
  'an agent of the workspace takes part for a new member of it');

-- The agent's answer
create function pg_temp.record_answer(p_user text, p_agent text, p_channel text, p_text text default 'yes') returns uuid language sql as $$
  select id from weir.record_chat_answer(pg_temp.id_of(p_user), pg_temp.id_of(p_agent), pg_temp.id_of(p_channel), pg_temp.id_of('hello'),
    p_text, '[]',
  '{}', '[]', '{"outcome": "ok", "detail": "model m", "organization_id": "00000000-0000-0000-0000-000000000001"}');
$$;
select throws_ok($$select pg_temp.record_answer('mia', 'robo', 'chat')$$, 'WR004', null,
  'S15_a_message_is_not_answered_for_a_person_who_did_not_write_it');
select pg_temp.create_as('private', 'mel', $$select create_agent({a}, 'Private')$$) \g /dev/null
select throws_ok($$select pg_temp.record_answer('ann', 'private', 'chat')$$, 'WR004', null,
  'V6_a_message_is_not_answered_by_an_agent_that_its_author_may_not_use');
select is(pg_temp.record_answer('ann', 'robo', 'chat'), pg_temp.record_answer('ann', 'robo', 'chat', 'again'),
  'S15_a_second_answer_of_an_agent_to_a_message_is_the_first_one');
select is(pg_temp.as_user('owner',
  $$select string_agg(concat_ws(' ', outcome, organization_id = {a}, user_id = {ann}, agent_id = {robo}, item = {chat}::text,
    regexp_replace(detail, '[0-9a-f-]{36}', 'id')), '; ') from mcp_interaction_logs where kind = 'chat' and request_id = {hello}::text$$),
  'ok t t t t answer id, model m', 'T13_the_audit_log_of_its_own_organization_has_an_answer_once');
select throws_ok($$select pg_temp.record_answer('mia', 'robo', 'chat')$$, 'WR004', null,
  'S15_an_answered_message_is_not_answered_again_for_a_person_who_did_not_write_it');
select throws_ok($$select pg_temp.record_answer('ann', 'bot', 'chat')$$, 'WR004', null,
  'V8_an_agent_of_another_organization_does_not_answer_a_message');
select pg_temp.create_as('of_mel', 'mel', $$select post_chat_message({chat}, 'and mine?')$$) \g /dev/null
select throws_ok($$select weir.record_chat_answer(pg_temp.id_of('mel'), pg_temp.id_of('melbot'), pg_temp.id_of('chat'),
  pg_temp.id_of('of_mel'), 'x', '[]', '{}', '[]', '{}')$$,
  'WR004', null, 'V8_a_member_s_own_agent_of_another_organization_does_not_answer_their_message');
select throws_ok($$select pg_temp.record_answer('ann', 'robo', 'denchat')$$, 'WR004', null,
  'S1_a_message_is_not_answered_in_another_channel');
-- A direct channel is the conversation of one person with one agent, in a workspace that both are in
select pg_temp.keep_id('direct', pg_temp.as_user('ann', $$select open_direct_channel({robo}) ->> 'channel_id'$$)::uuid) \g /dev/null
select is(pg_temp.as_user('ann', $$select open_direct_channel({robo}) - 'agent' - 'role'$$)::jsonb, jsonb_build_object('organization_id',
  pg_temp.id_of('a'), 'workspace_id', pg_temp.id_of('home'), 'channel_id', pg_temp.id_of('direct')),
    'S2_a_direct_channel_that_is_opened_again_is_the_same_one');
select is(pg_temp.as_user('ann', $$select open_direct_channel({robo}, {home}) ->> 'channel_id'$$), pg_temp.id_of('direct')::text,
  'S2_a_direct_channel_that_is_opened_in_its_workspace_is_the_same_one');
select is(pg_temp.as_user('owner',
  $$select concat_ws(' ', min(name), min(user_id::text), count(*)) from chat_channels where agent_id = {robo}$$),
  'Robo ' || pg_temp.id_of('ann') || ' 1', 'a direct channel that is opened three times is created once');
select is(pg_temp.as_user('owner', $$select count(*) from mcp_interaction_logs where item = 'open_direct_channel' and user_id = {ann}$$),
  '1',
  'a direct channel that is opened three times is in the audit log once');
select pg_temp.keep_id('mias', pg_temp.as_user('mia', $$select open_direct_channel({robo}) ->> 'channel_id'$$)::uuid) \g /dev/null
select isnt(pg_temp.id_of('mias'), pg_temp.id_of('direct'), 'S15_another_person_s_direct_channel_with_the_agent_is_another');
select is(pg_temp.as_user('vic', $$select count(*) from get_chat_messages_with_details({chat})$$), '4',
  'a channel of the workspace is read by all after direct channels were opened');
select is(pg_temp.error_as(who, format('select open_direct_channel(%s)', args)), 'WR004',
  format('S1_a_direct_channel_is_not_opened for %s: %s', who, args))
from (values ('ann', '{robo}, {den}'), ('ann', '{robo}, {nobody}'), ('ann', '{bot}'), ('ann', '{nobody}'), ('bob', '{robo}'),
             ('bob', '{robo}, {home}'), ('bob', '{bot}'), ('adam', '{robo}'), ('adam', '{robo}, {home}'), ('otto', '{robo}'),
             ('sam', '{robo}'), ('mel', '{private}'), ('mel', '{melbot}'), ('mel', '{private}, {home}')) t(who, args);
select is(pg_temp.error_as('ann', 'select open_direct_channel(null)'), 'WR001', 'a direct channel without an agent is refused');
select is(pg_temp.error_as('ann', 'select open_direct_channel(null, {home})'), 'WR001',
  'a direct channel without an agent is refused in a workspace too');
select is(pg_temp.error_as('vic', 'select open_direct_channel({robo})'), 'WR003', 'V12_a_viewer_opens_no_direct_channel');
select is(pg_temp.as_user(who, 'select open_direct_channel({robo})'), '42501', format('M5_%s_does_not_execute_open_direct_channel', who))
from unnest(array['anon', 'service', 'gateway', 'engine']) who;
select is(pg_temp.as_user('owner', $$select count(*) from chat_channels where user_id is not null$$), '2',
  'S1_refused_direct_channels_are_not_made');

-- Nobody else reads or writes in a direct channel: neither the agent's owner, nor an admin, nor the organization's owner
select pg_temp.create_as('secret', 'ann', $$select post_chat_message({direct}, 'a secret', 's1')$$) \g /dev/null
select * from weir.record_chat_answer(pg_temp.id_of('ann'), pg_temp.id_of('robo'), pg_temp.id_of('direct'), pg_temp.id_of('secret'), 'kept',
  '[]', '{}',
  '[]', '{}') \g /dev/null
insert into workspace_members (organization_id, workspace_id, user_id)
  values (pg_temp.id_of('a'), pg_temp.id_of('home'), pg_temp.id_of('adam'));
select is(pg_temp.as_user('ann', $$select string_agg(content, ' ') from get_chat_messages_with_details({direct})$$), 'kept a secret',
  'S15_a_person_reads_their_own_direct_channel');
select is(pg_temp.as_user(who, $$select count(*) from get_chat_messages_with_details({direct})$$), 'WR004',
  format('S15_%s_lists_no_messages_of_another_s_direct_channel', who))
from unnest(array['mia', 'adam', 'mel', 'vic', 'bob']) who;
select is(pg_temp.as_user(who, $$select count(*) from chat_messages where channel_id = {direct}$$), '0',
  format('S15_%s_reads_no_messages_of_another_s_direct_channel_from_the_table', who))
from unnest(array['mia', 'adam', 'mel', 'vic', 'bob', 'writer:mia', 'writer:adam']) who;
select is(pg_temp.as_user(who, $$select count(*) from chat_channels where id = {direct}$$), '0',
  format('S15_%s_does_not_see_another_s_direct_channel', who))
from unnest(array['mia', 'adam', 'vic', 'bob', 'writer:mia']) who;
select is(pg_temp.as_user('ann', $$select count(*) from chat_channels where id = {mias}$$), '0',
  'S15_an_owner_of_the_organization_does_not_see_another_s_direct_channel');
select is(pg_temp.error_as(who, $$select post_chat_message({direct}, 'x')$$), 'WR004',
  format('S15_%s_posts_no_message_into_another_s_direct_channel', who))
from unnest(array['mia', 'adam', 'bob']) who;
select is(pg_temp.turn_context('mia', '{robo}, null, {direct}'), 'WR004', 'S15_an_agent_s_owner_has_no_turn_in_another_s_direct_channel');
select is(pg_temp.as_user('writer:mia',
  $$insert into public.chat_messages (id, organization_id, workspace_id, channel_id, sender, user_id, content)
  values ({nobody}, {a}, {home}, {direct}, 'user', {mia}, 'x')$$), '42501',
    'S15_the_writer_inserts_no_message_into_another_s_direct_channel');
select is(pg_temp.as_user('writer:mia',
  $$insert into public.chat_channels (id, organization_id, workspace_id, name, user_id, agent_id, created_by)
  values ({nobody}, {a}, {home}, 'x', {ann}, {robo}, {mia})$$), '42501', 'S15_the_writer_inserts_no_direct_channel_for_another');
select pg_temp.create_as('second', 'ann', $$select create_agent({a}, 'Second', workspace_id => {home})$$) \g /dev/null
select is(pg_temp.turn_context('ann', '{second}, null, {direct}'), 'WR004', 'S1_another_agent_has_no_turn_in_a_direct_channel');
select is(pg_temp.turn_context('ann', 'null, null, {direct}'), 'owner home a',
  'a turn that only stores a message may be in a direct channel');
select is(pg_temp.error_as('ann', $$select create_channel({home}, 'Robo')$$), 'ok',
  'a channel of the workspace may have the name of a direct channel');

-- Several workspaces
select pg_temp.create_as('attic', 'ann', $$select create_workspace({a}, 'Attic')$$),
       pg_temp.as_user('ann', $$select add_workspace_member({attic}, agent_id => {robo})$$),
       pg_temp.as_user('ann', $$select add_workspace_member({attic}, user_id => {mel})$$) \g /dev/null
select is(pg_temp.as_user('mel', $$select open_direct_channel({robo}) ->> 'workspace_id'$$), pg_temp.id_of('home')::text,
  'S2_a_direct_channel_is_opened_in_the_oldest_workspace_that_both_are_in');
select is(pg_temp.as_user('mel', $$select open_direct_channel({robo}, {attic}) ->> 'workspace_id'$$), pg_temp.id_of('attic')::text,
  'S2_a_direct_channel_is_opened_in_the_workspace_that_is_named');
select pg_temp.as_user('ann', $$select open_direct_channel({second})$$),
       pg_temp.as_user('ann', $$select open_direct_channel({robo}, {attic})$$) \g /dev/null
select is(pg_temp.as_user('ann', $$select open_direct_channel({robo}) ->> 'channel_id'$$), pg_temp.id_of('direct')::text,
  'S2_a_direct_channel_that_exists_is_opened_though_there_is_another_workspace');
delete from workspace_members where workspace_id = pg_temp.id_of('home') and user_id = pg_temp.id_of('ann');
select is(pg_temp.as_user('ann', $$select count(*) from chat_messages where channel_id = {direct}$$), '0',
  'S15_a_person_who_left_the_workspace_reads_no_messages_of_their_direct_channel');
select is(pg_temp.as_user('ann', $$select open_direct_channel({robo}) ->> 'workspace_id'$$), pg_temp.id_of('attic')::text,
  'S2_a_person_who_left_a_workspace_opens_a_direct_channel_in_another_that_both_are_in');
update agents set stopped_at = now() where id = pg_temp.id_of('robo');
select is(pg_temp.error_as('ann', $$select open_direct_channel({robo})$$), 'WR003',
  'no direct channel is opened with an agent that is switched off');
delete from agents where id = pg_temp.id_of('robo');
select is(pg_temp.as_user('mia', $$select string_agg(name, ',') from chat_channels where id = {mias}$$), 'Robo',
  'a person keeps their direct channel with a deleted agent');
select is(pg_temp.as_user('adam', $$select count(*) from chat_channels where id = {mias}$$), '0',
  'S15_an_admin_does_not_see_another_s_direct_channel_with_a_deleted_agent');
delete from auth.users where id = pg_temp.id_of('mia');
select is(pg_temp.as_user('owner', $$select count(*) from chat_channels where id = {mias}$$), '0',
  'a direct channel is deleted with its person');
select * from finish();
rollback;
