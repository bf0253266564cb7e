-- Chat: channels, messages and what a turn starts from.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select plan(120);

-- Members of the workspace
select pg_temp.create_as('hello', 'ann', $$select post_chat_message({chat}, 'hello', 'c1')$$) \g /dev/null
select is(pg_temp.as_user('ann', $$select post_chat_message({chat}, 'hello', 'c1') ->> 'id'$$), pg_temp.id_of('hello')::text,
  'S15_the_same_message_again_is_the_same');
select is(pg_temp.as_user('ann', $$select post_chat_message({chat}, 'hello', 'c1') ->> 'created'$$), 'false', 'S15_and_says_so');
select is(pg_temp.as_user('mia', $$select post_chat_message({chat}, 'hi', 'c1') ->> 'created'$$), 'true',
  'S15_another_person''s retry id is another');
select is(pg_temp.error_as('ann', $$select post_chat_message({chat}, 'hello!', 'c1')$$), 'WR005',
  'S15_the_retry_id_of_one_message_with_another_text_is_a_conflict');
select is(pg_temp.error_as('ann', $$select post_chat_message({chat}, 'Hello', 'c1')$$), 'WR005', 'S15_so_is_the_text_in_another_case');
select is(pg_temp.as_user('owner', $$select string_agg(content, ', ') from chat_messages where user_id = {ann}$$), 'hello',
  'S15_and_nothing_is_saved_or_changed');
select is(pg_temp.as_user('owner', $$select count(*) from mcp_interaction_logs where user_id = {ann} and kind = 'chat' and reason = 'conflict'$$),
  '2', 'S15_the_conflict_is_recorded');
select is(pg_temp.as_user('ann', $$select post_chat_message({chat}, 'hello', 'c1') ->> 'id'$$), pg_temp.id_of('hello')::text,
  'S15_the_first_text_still_has_its_id');
select is(pg_temp.error_as('ann', $$select post_chat_message({chat}, '  ')$$), 'WR001', 'an empty message');
select is(pg_temp.error_as('ann', $$select post_chat_message({chat}, null)$$), 'WR001', 'no message');
select is(pg_temp.error_as('ann', $$select post_chat_message({chat}, repeat('x', 65537))$$), 'WR001', 'a message over 64 KiB');
select is(pg_temp.error_as('ann', $$select post_chat_message(null, 'x')$$), 'WR004', 'no channel');
select is(pg_temp.as_user('mia', $$select string_agg(content, ' ') from get_chat_messages_with_details({chat})$$), 'hi hello', 'newest first');
select is(pg_temp.as_user('mia', $$select string_agg(content, ' ') from get_chat_messages_with_details({chat}, "limit" => 1)$$), 'hi', 'a page');
select is(pg_temp.as_user('mia',
  $$select string_agg(content, ' ') from get_chat_messages_with_details({chat}, before => (select id
  from get_chat_messages_with_details({chat}) limit 1))$$), 'hello', 'the page before');
select is(pg_temp.as_user('mia', $$select count(*) from get_chat_messages_with_details({chat}, null, 0)$$), 'WR001', 'a page of none');
select is(pg_temp.as_user('mia', $$select count(*) from get_chat_messages_with_details({chat}, null, null)$$), '2', 'null is the default');
select is(pg_temp.as_user('mia', $$select count(*) from chat_messages$$), '2', 'the table itself, by its policies');

-- Others
select is(pg_temp.error_as('mel', $$select post_chat_message({chat}, 'x')$$), 'WR004',
  'S1_a_member_of_the_organization_but_not_of_the_workspace');
select is(pg_temp.as_user('mel', $$select count(*) from get_chat_messages_with_details({chat})$$), 'WR004', 'S1_reads_nothing');
select is(pg_temp.as_user('adam', $$select count(*) from chat_messages$$), '0', 'S15_not_even_an_admin_reads_others'' messages');
select is(pg_temp.as_user('bob', $$select count(*) from chat_messages$$), '0', 'S15_nor_another_tenant');
select is(pg_temp.error_as('bob', $$select post_chat_message({chat}, 'x')$$), 'WR004', 'S1_another_tenant_writes_nothing');
select is(pg_temp.as_user('anon', $$select post_chat_message({chat}, 'x')$$), '42501', 'anon writes nothing');
insert into workspace_members (organization_id, workspace_id, user_id) values (pg_temp.id_of('a'), pg_temp.id_of('home'), pg_temp.id_of('vic')),
  (pg_temp.id_of('a'), pg_temp.id_of('home'), pg_temp.id_of('sam'));
select is(pg_temp.error_as('vic', $$select post_chat_message({chat}, 'x')$$), 'WR003', 'V12_a_viewer_writes_nothing');
select is(pg_temp.as_user('vic', $$select count(*) from get_chat_messages_with_details({chat})$$), '2', 'and reads');
select is(pg_temp.as_user('sam', $$select count(*) from get_chat_messages_with_details({chat})$$), 'WR004', 'V7_a_suspended_member_does_not');

-- What a turn starts from
create function pg_temp.turn_context(p_actor text, p_args text) returns text language sql as $$
  select case when r like '{%' then concat_ws(' ', r::jsonb -> 'agent' ->> 'name', r::jsonb ->> 'role',
  case when r::jsonb ->> 'workspace_id' = pg_temp.id_of('home')::text then 'home' end,
              case when r::jsonb ->> 'organization_id' = pg_temp.id_of('a')::text then 'a' end) else r end
  from (select pg_temp.as_user(p_actor, 'select chat_context(' || p_args || ')')) t(r);
$$;
select is(pg_temp.turn_context('ann', '{robo}, {home}, {chat}'), 'Robo owner home a', 'S1_all_three_belong_together');
select is(pg_temp.turn_context('ann', '{robo}, null, {chat}'), 'Robo owner home a', 'S2_a_channel_says_its_workspace_and_organization');
select is(pg_temp.turn_context('mia', '{robo}'), 'Robo member a', 'S2_without_a_workspace_the_turn_is_of_the_agent''s_organization');
select is(pg_temp.turn_context('ann', 'null, null, {chat}'), 'owner home a', 'only saving needs no agent');
select is(pg_temp.turn_context('vic', '{robo}, {home}'), 'Robo viewer home a', 'V12_a_viewer_is_reported');
select is(pg_temp.turn_context(who, args), 'WR004', format('S1_not_found for %s: %s', who, args))
from (values ('ann', '{bot}, {home}, {chat}'), ('ann', '{robo}, {den}, {chat}'), ('ann', '{robo}, {home}, {denchat}'), ('bob',
  '{robo}, {home}, {chat}'),
             ('bob', '{bot}, {home}, {chat}'), ('bob', '{robo}'), ('mel', '{bot}, {home}'), ('adam', '{robo}'), ('adam', '{robo}, {home}'), ('sam',
             '{robo}, {home}'), ('ann', '{nobody}, {home}'),
             ('ann', 'null')) t(who, args);
select is(pg_temp.turn_context('anon', '{robo}'), '42501', 'anon has no turn');
select pg_temp.create_as('melbot', 'mel', $$select create_agent({b}, 'Mel''s')$$),
       pg_temp.as_user('ann', $$select add_workspace_member({home}, user_id => {mel})$$) \g /dev/null
select is(pg_temp.turn_context('mel', '{melbot}, {home}, {chat}'), 'WR004', 'V8_an_own_agent_of_b_takes_no_part_in_a_s_workspace');
select is(pg_temp.turn_context('mel', '{robo}, {home}, {chat}'), 'Robo member home a', 'but its own agents do');

-- The agent's answer
create function pg_temp.record_answer(p_user text, p_agent text, p_channel text, p_text text default 'yes') returns uuid language sql as $$
  select id from weir.record_chat_answer(pg_temp.id_of(p_user), pg_temp.id_of(p_agent), pg_temp.id_of(p_channel), pg_temp.id_of('hello'), p_text, '[]',
  '{}', '[]', '{"outcome": "ok", "detail": "model m", "organization_id": "00000000-0000-0000-0000-000000000001"}');
$$;
select throws_ok($$select pg_temp.record_answer('mia', 'robo', 'chat')$$, 'WR004', null, 'S15_a_message_is_answered_for_who_wrote_it');
select pg_temp.create_as('private', 'mel', $$select create_agent({a}, 'Private')$$) \g /dev/null
select throws_ok($$select pg_temp.record_answer('ann', 'private', 'chat')$$, 'WR004', null, 'V6_by_an_agent_that_they_may_use');
select is(pg_temp.record_answer('ann', 'robo', 'chat'), pg_temp.record_answer('ann', 'robo', 'chat', 'again'), 'S15_an_answer_is_written_once');
select is(pg_temp.as_user('owner', $$select string_agg(concat_ws(' ', outcome, organization_id = {a}, user_id = {ann}, agent_id = {robo}, item = {chat}::text,
    regexp_replace(detail, '[0-9a-f-]{36}', 'id')), '; ') from mcp_interaction_logs where kind = 'chat' and request_id = {hello}::text$$),
  'ok t t t t answer id, model m', 'T13_and_once_with_it_into_the_record_of_its_own_organization');
select throws_ok($$select pg_temp.record_answer('mia', 'robo', 'chat')$$, 'WR004', null, 'S15_to_the_person_who_asked');
select throws_ok($$select pg_temp.record_answer('ann', 'bot', 'chat')$$, 'WR004', null, 'V8_a_foreign_agent_does_not_answer');
select pg_temp.create_as('of_mel', 'mel', $$select post_chat_message({chat}, 'and mine?')$$) \g /dev/null
select throws_ok($$select weir.record_chat_answer(pg_temp.id_of('mel'), pg_temp.id_of('melbot'), pg_temp.id_of('chat'), pg_temp.id_of('of_mel'), 'x', '[]', '{}', '[]', '{}')$$,
  'WR004', null, 'V8_nor_one_s_own_agent_of_another_organization');
select throws_ok($$select pg_temp.record_answer('ann', 'robo', 'denchat')$$, 'WR004', null, 'S1_nor_in_another_channel');
-- The direct conversation: of one person with one agent, where both are
select pg_temp.keep_id('direct', pg_temp.as_user('ann', $$select open_direct_channel({robo}) ->> 'channel_id'$$)::uuid) \g /dev/null
select is(pg_temp.as_user('ann', $$select open_direct_channel({robo}) - 'agent' - 'role'$$)::jsonb, jsonb_build_object('organization_id',
  pg_temp.id_of('a'), 'workspace_id', pg_temp.id_of('home'), 'channel_id', pg_temp.id_of('direct')), 'S2_the_same_one_again_where_both_are');
select is(pg_temp.as_user('ann', $$select open_direct_channel({robo}, {home}) ->> 'channel_id'$$), pg_temp.id_of('direct')::text,
  'S2_in_the_workspace_that_is_named');
select is(pg_temp.as_user('owner', $$select concat_ws(' ', min(name), min(user_id::text), count(*)) from chat_channels where agent_id = {robo}$$),
  'Robo ' || pg_temp.id_of('ann') || ' 1', 'it is made once');
select is(pg_temp.as_user('owner', $$select count(*) from mcp_interaction_logs where item = 'open_direct_channel' and user_id = {ann}$$), '1',
  'and recorded once');
select pg_temp.keep_id('mias', pg_temp.as_user('mia', $$select open_direct_channel({robo}) ->> 'channel_id'$$)::uuid) \g /dev/null
select isnt(pg_temp.id_of('mias'), pg_temp.id_of('direct'), 'S15_another_person_has_another');
select is(pg_temp.as_user('vic', $$select count(*) from get_chat_messages_with_details({chat})$$), '4', 'what all see, all still see');
select is(pg_temp.error_as(who, format('select open_direct_channel(%s)', args)), 'WR004', format('S1_no conversation for %s: %s', who, args))
from (values ('ann', '{robo}, {den}'), ('ann', '{robo}, {nobody}'), ('ann', '{bot}'), ('ann', '{nobody}'), ('bob', '{robo}'),
             ('bob', '{robo}, {home}'), ('bob', '{bot}'), ('adam', '{robo}'), ('adam', '{robo}, {home}'), ('otto', '{robo}'),
             ('sam', '{robo}'), ('mel', '{private}'), ('mel', '{melbot}'), ('mel', '{private}, {home}')) t(who, args);
select is(pg_temp.error_as('ann', 'select open_direct_channel(null)'), 'WR001', 'it is with an agent');
select is(pg_temp.error_as('ann', 'select open_direct_channel(null, {home})'), 'WR001', 'whatever the workspace');
select is(pg_temp.error_as('vic', 'select open_direct_channel({robo})'), 'WR003', 'V12_a_viewer_begins_no_conversation');
select is(pg_temp.as_user(who, 'select open_direct_channel({robo})'), '42501', format('M5_%s begins none', who))
from unnest(array['anon', 'service', 'gateway', 'engine']) who;
select is(pg_temp.as_user('owner', $$select count(*) from chat_channels where user_id is not null$$), '2', 'S1_and_none_was_made');

-- Nobody else reads or writes there: neither the agent's owner, nor an admin, nor the organization's owner
select pg_temp.create_as('secret', 'ann', $$select post_chat_message({direct}, 'a secret', 's1')$$) \g /dev/null
select * from weir.record_chat_answer(pg_temp.id_of('ann'), pg_temp.id_of('robo'), pg_temp.id_of('direct'), pg_temp.id_of('secret'), 'kept', '[]', '{}',
  '[]', '{}') \g /dev/null
insert into workspace_members (organization_id, workspace_id, user_id) values (pg_temp.id_of('a'), pg_temp.id_of('home'), pg_temp.id_of('adam'));
select is(pg_temp.as_user('ann', $$select string_agg(content, ' ') from get_chat_messages_with_details({direct})$$), 'kept a secret',
  'S15_who_speaks_reads');
select is(pg_temp.as_user(who, $$select count(*) from get_chat_messages_with_details({direct})$$), 'WR004', format('S15_%s reads nothing', who))
from unnest(array['mia', 'adam', 'mel', 'vic', 'bob']) who;
select is(pg_temp.as_user(who, $$select count(*) from chat_messages where channel_id = {direct}$$), '0', format('S15_nor %s the table', who))
from unnest(array['mia', 'adam', 'mel', 'vic', 'bob', 'writer:mia', 'writer:adam']) who;
select is(pg_temp.as_user(who, $$select count(*) from chat_channels where id = {direct}$$), '0', format('S15_nor knows %s of it', who))
from unnest(array['mia', 'adam', 'vic', 'bob', 'writer:mia']) who;
select is(pg_temp.as_user('ann', $$select count(*) from chat_channels where id = {mias}$$), '0', 'S15_nor_does_the_owner_of_another_s');
select is(pg_temp.error_as(who, $$select post_chat_message({direct}, 'x')$$), 'WR004', format('S15_nor says %s anything', who))
from unnest(array['mia', 'adam', 'bob']) who;
select is(pg_temp.turn_context('mia', '{robo}, null, {direct}'), 'WR004', 'S15_nor_has_a_turn_there');
select is(pg_temp.as_user('writer:mia', $$insert into public.chat_messages (id, organization_id, workspace_id, channel_id, sender, user_id, content)
  values ({nobody}, {a}, {home}, {direct}, 'user', {mia}, 'x')$$), '42501', 'S15_not_even_where_a_function_forgets');
select is(pg_temp.as_user('writer:mia', $$insert into public.chat_channels (id, organization_id, workspace_id, name, user_id, agent_id, created_by)
  values ({nobody}, {a}, {home}, 'x', {ann}, {robo}, {mia})$$), '42501', 'S15_nor_makes_another_s_conversation');
select pg_temp.create_as('second', 'ann', $$select create_agent({a}, 'Second', workspace_id => {home})$$) \g /dev/null
select is(pg_temp.turn_context('ann', '{second}, null, {direct}'), 'WR004', 'S1_no_other_agent_answers_there');
select is(pg_temp.turn_context('ann', 'null, null, {direct}'), 'owner home a', 'a note may be saved there');
select is(pg_temp.error_as('ann', $$select create_channel({home}, 'Robo')$$), 'ok', 'its name takes no other channel''s');

-- Several workspaces
select pg_temp.create_as('attic', 'ann', $$select create_workspace({a}, 'Attic')$$),
       pg_temp.as_user('ann', $$select add_workspace_member({attic}, agent_id => {robo})$$),
       pg_temp.as_user('ann', $$select add_workspace_member({attic}, user_id => {mel})$$) \g /dev/null
select is(pg_temp.as_user('mel', $$select open_direct_channel({robo}) ->> 'workspace_id'$$), pg_temp.id_of('home')::text, 'S2_the_oldest_of_several');
select is(pg_temp.as_user('mel', $$select open_direct_channel({robo}, {attic}) ->> 'workspace_id'$$), pg_temp.id_of('attic')::text,
  'S2_unless_another_is_named');
select pg_temp.as_user('ann', $$select open_direct_channel({second})$$),
       pg_temp.as_user('ann', $$select open_direct_channel({robo}, {attic})$$) \g /dev/null
select is(pg_temp.as_user('ann', $$select open_direct_channel({robo}) ->> 'channel_id'$$), pg_temp.id_of('direct')::text, 'S2_the_one_of_before');
delete from workspace_members where workspace_id = pg_temp.id_of('home') and user_id = pg_temp.id_of('ann');
select is(pg_temp.as_user('ann', $$select count(*) from chat_messages where channel_id = {direct}$$), '0', 'S15_who_left_the_workspace_left_it');
select is(pg_temp.as_user('ann', $$select open_direct_channel({robo}) ->> 'workspace_id'$$), pg_temp.id_of('attic')::text, 'S2_and_goes_where_both_are');
update agents set is_active = false where id = pg_temp.id_of('robo');
select is(pg_temp.error_as('ann', $$select open_direct_channel({robo})$$), 'WR004', 'an agent that is switched off has none');
delete from agents where id = pg_temp.id_of('robo');
select is(pg_temp.as_user('mia', $$select string_agg(name, ',') from chat_channels where id = {mias}$$), 'Robo',
  'who spoke with an agent that is gone keeps it');
select is(pg_temp.as_user('adam', $$select count(*) from chat_channels where id = {mias}$$), '0', 'S15_and_keeps_it_alone');
delete from auth.users where id = pg_temp.id_of('mia');
select is(pg_temp.as_user('owner', $$select count(*) from chat_channels where id = {mias}$$), '0', 'it goes with the person');
select * from finish();
rollback;
