-- What a server adds to a chat turn: who configures it, what is refused, and what of it is admitted.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select plan(90);

create function pg_temp.create_server_with(p_more text, p_actor text default 'adam') returns text language sql as $$
  -- the placeholder is none of these tests' own
  select pg_temp.as_user(p_actor, replace(format('select manage_mcp_servers(%L, {a}, %L)', 'create',
    jsonb_build_object('name', 'n' || right(weir.uuid_v7()::text, 12), 'url', 'https://x.example') || p_more::jsonb), '{message}', '\u007bmessage}'));
$$;

-- An admin configures
select is(pg_temp.create_server_with(c)::jsonb ->> 'error', null, 'is taken: ' || c)
from unnest(array['{}', '{"context": {}}', '{"context": {"resources": [], "prompts": []}}', '{"context": {"resources": ["note:///a"]}}',
  '{"context": {"resources": ["find:///\u007bmessage}"], "prompts": ["style", "a: b"]}}', '{"timeout_ms": 3600000, "max_retries": 5, "retry_backoff_ms": 10000}']) c;
select is(pg_temp.create_server_with(c)::jsonb ->> 'message', m, 'is refused by its path: ' || c)
from (values
  ('{"context": null}', 'server_config.context: must be an object'),
  ('{"context": ["note:///a"]}', 'server_config.context: must be an object'),
  ('{"context": {"tools": []}}', 'server_config.context.tools: is not known'),
  ('{"context": {"resources": "note:///a"}}', 'server_config.context.resources: must be an array'),
  ('{"context": {"prompts": null}}', 'server_config.context.prompts: must be an array'),
  ('{"context": {"prompts": ["1","2","3","4","5","6","7","8","9","10","11"]}}', 'server_config.context.prompts: may have 10'),
  ('{"context": {"prompts": ["a", 7]}}', 'server_config.context.prompts[1]: must be 1 to 1000 characters'),
  ('{"context": {"prompts": [""]}}', 'server_config.context.prompts[0]: must be 1 to 1000 characters'),
  ('{"context": {"prompts": ["a\nb"]}}', 'server_config.context.prompts[0]: must be 1 to 1000 characters'),
  ('{"context": {"resources": ["/etc/passwd"]}}', 'server_config.context.resources[0]: must be a URI'),
  ('{"context": {"resources": ["a:b", "note:///a b"]}}', 'server_config.context.resources[1]: must be a URI'),
  ('{"context": {"resources": ["\u007bmessage}:x"]}}', 'server_config.context.resources[0]: must be a URI'),
  ('{"context": {"resources": ["ui://x"]}}', 'server_config.context.resources[0]: must be a URI of the server''s own'),
  ('{"context": {"resources": ["WEIR://spy/x"]}}', 'server_config.context.resources[0]: must be a URI of the server''s own'),
  ('{"context": {"resources": ["note:///\u007bID}"]}}', 'server_config.context.resources[0]: only {message} can be filled in'),
  ('{"timeout_ms": -1}', 'server_config.timeout_ms: is not known or not valid'),
  ('{"timeout_ms": 3600001}', 'server_config.timeout_ms: is not known or not valid'),
  ('{"timeout_ms": "1"}', 'server_config.timeout_ms: is not known or not valid'),
  ('{"timeout_ms": 1.5}', 'server_config.timeout_ms: is not known or not valid'),
  ('{"max_retries": 6}', 'server_config.max_retries: is not known or not valid'),
  ('{"max_retries": null}', 'server_config.max_retries: is not known or not valid'),
  ('{"retry_backoff_ms": 10001}', 'server_config.retry_backoff_ms: is not known or not valid')) t(c, m);
select is(pg_temp.error_as('mia', $$select manage_mcp_servers('update', {a}, '{"context": {}}', {files})$$), 'WR003', 'a member configures nothing');
select is(pg_temp.error_as('bob', $$select manage_mcp_servers('update', {b}, '{"context": {}}', {files})$$), 'WR004', 'nor does another tenant');

-- Zero is a number
create function pg_temp.server_settings() returns text language sql as $$
  select concat_ws(' ', i.context_resources, i.context_prompts, coalesce(i.timeout_ms::text, 'none'), i.max_retries, i.retry_backoff_ms)
  from mcp_server_instances i where i.id = pg_temp.id_of('files');
$$;
select is(pg_temp.server_settings(), '{} {} none 1 100', 'S6_the_defaults');
select is(pg_temp.error_as('adam', $$select manage_mcp_servers('update', {a}, '{"timeout_ms": 0, "max_retries": 0, "retry_backoff_ms": 0,
  "context": {"resources": ["file:///data/a", "file:///etc/b"], "prompts": ["greet"]}}', {files})$$), 'ok', 'S6_zero_is_taken');
select is(pg_temp.server_settings(), '{file:///data/a,file:///etc/b} {greet} 0 0 0', 'S6_and_zero_it_stays');
select is(pg_temp.error_as('adam', $$select manage_mcp_servers('update', {a}, '{"context": {"prompts": []}}', {files})$$), 'ok', 'a part of it');
select is(pg_temp.server_settings(), '{file:///data/a,file:///etc/b} {} 0 0 0', 'what is not named stays');
select is(pg_temp.as_user('owner', $$select status from mcp_server_instances where id = {files}$$), 'running', 'and the server runs on');

-- The engine asks what a turn goes by
create function pg_temp.turn_settings(p_user text, p_agent text, p_actor text default 'engine') returns text language sql as $$
  select pg_temp.as_user(p_actor, format('select weir.chat_turn_settings({%s}, {%s})', p_user, p_agent));
$$;
select is(pg_temp.turn_settings('mia', 'robo')::jsonb - 'servers', '{"tools": true}', 'tools are on');
select is((pg_temp.turn_settings('mia', 'robo')::jsonb -> 'servers' -> 0) - 'id', '{"name": "files", "priority": 100, "prompts": [], "resources":
  ["file:///data/a", "file:///etc/b"], "timeoutMs": 0, "maxRetries": 0, "retryBackoffMs": 0}', 'S6_and_the_servers_with_their_zeros');
select is(pg_temp.turn_settings(u, a), 'WR004', format('S1_%s has no turn with %s', u, a))
from (values ('bob', 'robo'), ('mia', 'bot'), ('otto', 'robo'), ('sam', 'robo')) t(u, a);
select is(pg_temp.turn_settings('mia', 'robo', who), '42501', format('M5_%s does not ask', who))
from unnest(array['mia', 'anon', 'gateway', 'service']) who;

-- Admission
select is(pg_temp.admit_call(i, null, 'files', 'context_request'), r, format('context: %s', i))
from (values ('file:///data/a', 'admitted'), ('file:///etc/passwd', 'item_not_granted'), ('file:///data/../etc/passwd', 'item_not_granted'),
             ('greet', 'admitted'), ('other', 'item_not_granted'), ('grunt', 'definition_not_approved'),
             ('gr:x', 'item_not_granted'), ('read_file', 'item_not_granted')) t(i, r);
select is(pg_temp.admit_call('greet', null, 'spy', 'context_request'), 'instance_unknown', 'V8_of_another_tenant');
select pg_temp.as_user('ann', $$select grant_mcp_access({robo}, {files}, '{"resources": ["*"]}')$$) \g /dev/null
select is(pg_temp.admit_call('greet', null, 'files', 'context_request'), 'item_not_granted', 'a resource''s grant is none for a prompt');
select is(pg_temp.admit_call('prompt:greet', null, 'files', 'context_request'), 'admitted', 'what has a scheme is a resource, whatever it is called');

-- The organization's switch
select is(pg_temp.error_as(who, $$select set_chat_tools({a}, false)$$), code, format('%s switches: %s', who, code))
from (values ('mia', 'WR003'), ('vic', 'WR003'), ('sam', 'WR004'), ('bob', 'WR004'), ('otto', 'WR004'), ('anon', '42501'),
             ('service', '42501'), ('gateway', '42501'), ('engine', '42501')) t(who, code);
select is(pg_temp.error_as('adam', 'select set_chat_tools({a}, null)'), 'WR001', 'to nothing');
savepoint s;
update organization_members set role = 'admin' where organization_id = pg_temp.id_of('b') and user_id = pg_temp.id_of('mel');
select is(pg_temp.error_as('mel', 'select set_chat_tools({a}, false)'), 'WR003', 'V8_nor_does_a_member_who_is_an_admin_of_b');
update organization_members set role = 'admin' where user_id = pg_temp.id_of('mel');
select pg_temp.as_user('mel', 'select set_chat_tools({a}, false)') \g /dev/null
select is((select string_agg(i.name, ' ') from organizations o join ids i on i.id = o.id where o.chat_tools), 'b', 'T3_who_is_one_of_both_switches_one');
rollback to s;
select is(pg_temp.turn_settings('mia', 'robo')::jsonb ->> 'tools', 'true', 'nothing was switched');
select is(pg_temp.error_as('adam', 'select set_chat_tools({a}, false)'), 'ok', 'an admin does');
select is(pg_temp.turn_settings('mia', 'robo')::jsonb ->> 'tools', 'false', 'and a turn reads it');
select is(pg_temp.as_user('owner', $$select count(*) from mcp_interaction_logs where item = 'set_chat_tools' and phase <> 'denied' and user_id = {adam}$$), '1',
  'it is recorded');
select is(pg_temp.as_user('writer:mia', $$update organizations set chat_tools = true returning 1$$), null, 'T1_whatever_a_function_forgets');
select is(pg_temp.turn_settings('mia', 'robo')::jsonb ->> 'tools', 'false', 'T1_no_member_changes_it');
select pg_temp.create_as('hello', 'ann', $$select post_chat_message({chat}, 'hello')$$), pg_temp.keep_id('one', gen_random_uuid()) \g /dev/null
create function pg_temp.record_call(p_place integer) returns text language sql as $$
  select pg_temp.as_user('engine', format('select weir.record_chat_call({one}, {robo}, {hello}, %s, %L)', p_place, '{}'));
$$;
select is(pg_temp.as_user('engine', $$select state from weir.begin_chat_turn({one}, {ann}, {robo}, {hello}, '1 minute')$$), 'begun', 'a turn without tools');
select is(pg_temp.record_call(0), 'WR003', 'makes no call');
select is(pg_temp.error_as('ann', 'select set_chat_tools({a}, true)'), 'ok', 'an owner switches it on');
select is(pg_temp.record_call(0), '', 'then it does');
select is(pg_temp.error_as('ann', 'select set_chat_tools({a}, false)'), 'ok', 'and off in the middle of a turn');
select is(pg_temp.record_call(0), '', 'what was begun is kept when it ends');
select is(pg_temp.record_call(1), 'WR003', 'and nothing further begins');

-- The operator's
select pg_temp.as_user('ann', 'select set_chat_tools({a}, true)'), weir.set_setting('chat_tools', 'false') \g /dev/null
select is(pg_temp.turn_settings('mia', 'robo')::jsonb ->> 'tools', 'false', 'the operator switches it off for all');
select is(pg_temp.record_call(1), 'WR003', 'whatever an organization wants');
select weir.set_setting('chat_tools', 'true') \g /dev/null
select is(pg_temp.record_call(1), '', 'and on');
select is(pg_temp.turn_settings('mia', 'robo')::jsonb ->> 'tools', 'true', 'where the organization has it on');
select is(pg_temp.as_user(who, $$select weir.set_setting('chat_tools', 'false')$$), '42501', format('%s does not', who)) from unnest(array['ann', 'engine', 'gateway', 'service']) who;
select * from finish();
rollback;
