-- What a server adds to a chat turn: who configures it, what is refused, and what is admitted.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select plan(90);

create function pg_temp.create_server_with(p_more text, p_actor text default 'adam') returns text language sql as $$
  -- {message} is the placeholder of a context, and not an id of these tests
  select pg_temp.as_user(p_actor, replace(format('select manage_mcp_servers(%L, {a}, %L)', 'create',
    jsonb_build_object('instance_name', 'n' || right(weir.uuid_v7()::text, 12), 'url', 'https://x.example') || p_more::jsonb), '{message}',
      '\u007bmessage}'));
$$;

-- An admin configures
select is(pg_temp.create_server_with(c)::jsonb ->> 'error', null, 'a server is created with ' || c)
from unnest(array['{}', '{"context": {}}', '{"context": {"resources": [], "prompts": []}}', '{"context": {"resources": ["note:///a"]}}',
  '{"context": {"resources": ["find:///\u007bmessage}"], "prompts": ["style", "a: b"]}}',
    '{"timeout_ms": 3600000, "max_retries": 5, "retry_backoff_ms": 10000}']) c;
select is(pg_temp.create_server_with(c)::jsonb ->> 'message', m, 'the refusal of a server names the path of the error in ' || c)
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
  ('{"context": {"resources": ["ui://x"]}}',
    'server_config.context.resources[0]: must be a URI of the server itself, not one with the scheme ui or weir'),
  ('{"context": {"resources": ["WEIR://spy/x"]}}',
    'server_config.context.resources[0]: must be a URI of the server itself, not one with the scheme ui or weir'),
  ('{"context": {"resources": ["note:///\u007bID}"]}}', 'server_config.context.resources[0]: {message} is the only placeholder'),
  ('{"timeout_ms": -1}', 'server_config.timeout_ms: must be a number from 0 to 3600000'),
  ('{"timeout_ms": 3600001}', 'server_config.timeout_ms: must be a number from 0 to 3600000'),
  ('{"timeout_ms": "1"}', 'server_config.timeout_ms: must be a number from 0 to 3600000'),
  ('{"timeout_ms": 1.5}', 'server_config.timeout_ms: must be a number from 0 to 3600000'),
  ('{"max_retries": 6}', 'server_config.max_retries: must be a number from 0 to 5'),
  ('{"max_retries": null}', 'server_config.max_retries: must be a number from 0 to 5'),
  ('{"retry_backoff_ms": 10001}', 'server_config.retry_backoff_ms: must be a number from 0 to 10000')) t(c, m);
select is(pg_temp.error_as('mia', $$select manage_mcp_servers('update', {a}, '{"context": {}}', {files})$$), 'WR003',
  'a member does not configure a server''s context');
select is(pg_temp.error_as('bob', $$select manage_mcp_servers('update', {b}, '{"context": {}}', {files})$$), 'WR004',
  'an owner of another organization does not configure a server''s context');

-- Zero is a number and not a default
create function pg_temp.server_settings() returns text language sql as $$
  select concat_ws(' ', i.context_resources, i.context_prompts, coalesce(i.timeout_ms::text, 'none'), i.max_retries, i.retry_backoff_ms)
  from mcp_server_instances i where i.id = pg_temp.id_of('files');
$$;
select is(pg_temp.server_settings(), '{} {} none 1 100', 'S6_a_server_has_default_settings_for_chat');
select is(pg_temp.error_as('adam', $$select manage_mcp_servers('update', {a}, '{"timeout_ms": 0, "max_retries": 0, "retry_backoff_ms": 0,
  "context": {"resources": ["file:///data/a", "file:///etc/b"], "prompts": ["greet"]}}', {files})$$), 'ok',
  'S6_a_server_s_settings_for_chat_may_be_zero');
select is(pg_temp.server_settings(), '{file:///data/a,file:///etc/b} {greet} 0 0 0', 'S6_a_server_s_settings_for_chat_of_zero_stay_zero');
select is(pg_temp.error_as('adam', $$select manage_mcp_servers('update', {a}, '{"context": {"prompts": []}}', {files})$$), 'ok',
  'a part of a server''s context is updated');
select is(pg_temp.server_settings(), '{file:///data/a,file:///etc/b} {} 0 0 0',
  'an update of a part of a server''s context keeps the other members');
select is(pg_temp.as_user('owner', $$select status from mcp_server_instances where id = {files}$$), 'running',
  'an update of a server''s context does not restart the server');

-- The engine reads the settings of a turn
create function pg_temp.turn_settings(p_user text, p_agent text, p_actor text default 'engine') returns text language sql as $$
  select pg_temp.as_user(p_actor, format('select weir.chat_turn_settings({%s}, {%s})', p_user, p_agent));
$$;
select is(pg_temp.turn_settings('mia', 'robo')::jsonb - 'servers', '{"tools": true}', 'a turn has tools by default');
select is((pg_temp.turn_settings('mia', 'robo')::jsonb -> 'servers' -> 0) - 'id',
  '{"name": "files", "priority": 100, "prompts": [], "resources":
  ["file:///data/a", "file:///etc/b"], "timeoutMs": 0, "maxRetries": 0, "retryBackoffMs": 0}',
  'S6_a_turn_has_the_servers_with_their_settings_of_zero');
select is(pg_temp.turn_settings(u, a), 'WR004', format('S1_%s_gets_no_settings_of_a_turn_with %s', u, a))
from (values ('bob', 'robo'), ('mia', 'bot'), ('otto', 'robo'), ('sam', 'robo')) t(u, a);
select is(pg_temp.turn_settings('mia', 'robo', who), '42501', format('M5_%s_does_not_execute_chat_turn_settings', who))
from unnest(array['mia', 'anon', 'gateway', 'service']) who;

-- Admission
select is(pg_temp.admit_call(i, null, 'files', 'context_request'), r, format('a context request for %s: %s', i, r))
from (values ('file:///data/a', 'admitted'), ('file:///etc/passwd', 'item_not_granted'), ('file:///data/../etc/passwd', 'item_not_granted'),
             ('greet', 'admitted'), ('other', 'item_not_granted'), ('grunt', 'definition_not_approved'),
             ('gr:x', 'item_not_granted'), ('read_file', 'item_not_granted')) t(i, r);
select is(pg_temp.admit_call('greet', null, 'spy', 'context_request'), 'instance_unknown',
  'V8_a_context_request_to_another_organization_s_server_is_denied');
select pg_temp.as_user('ann', $$select grant_mcp_access({robo}, {files}, '{"resources": ["*"]}')$$) \g /dev/null
select is(pg_temp.admit_call('greet', null, 'files', 'context_request'), 'item_not_granted',
  'a grant of all resources does not permit a prompt of a context');
select is(pg_temp.admit_call('prompt:greet', null, 'files', 'context_request'), 'admitted',
  'an item of a context with a scheme counts as a resource');

-- The organization's switch
select is(pg_temp.error_as(who, $$select set_chat_tools({a}, false)$$), code,
  format('%s may not switch the organization''s tools in chat: %s', who, code))
from (values ('mia', 'WR003'), ('vic', 'WR003'), ('sam', 'WR004'), ('bob', 'WR004'), ('otto', 'WR004'), ('anon', '42501'),
             ('service', '42501'), ('gateway', '42501'), ('engine', '42501')) t(who, code);
select is(pg_temp.error_as('adam', 'select set_chat_tools({a}, null)'), 'WR001',
  'the organization''s switch of tools in chat cannot be null');
savepoint s;
update organization_members set role = 'admin' where organization_id = pg_temp.id_of('b') and user_id = pg_temp.id_of('mel');
select is(pg_temp.error_as('mel', 'select set_chat_tools({a}, false)'), 'WR003',
  'V8_an_admin_of_b_who_is_a_member_of_a_does_not_switch_a_s_tools_in_chat');
update organization_members set role = 'admin' where user_id = pg_temp.id_of('mel');
select pg_temp.as_user('mel', 'select set_chat_tools({a}, false)') \g /dev/null
select is((select string_agg(i.name, ' ') from organizations o join ids i on i.id = o.id where o.chat_tools), 'b',
  'T3_an_admin_of_both_switches_tools_in_chat_for_the_organization_that_they_named');
rollback to s;
select is(pg_temp.turn_settings('mia', 'robo')::jsonb ->> 'tools', 'true', 'a turn has tools after refused switches');
select is(pg_temp.error_as('adam', 'select set_chat_tools({a}, false)'), 'ok', 'an admin switches tools in chat off');
select is(pg_temp.turn_settings('mia', 'robo')::jsonb ->> 'tools', 'false', 'a turn has no tools after they were switched off');
select is(pg_temp.as_user('owner',
  $$select count(*) from mcp_interaction_logs where item = 'set_chat_tools' and phase <> 'denied' and user_id = {adam}$$), '1',
  'switching tools in chat is in the audit log');
select is(pg_temp.as_user('writer:mia', $$update organizations set chat_tools = true returning 1$$), null,
  'T1_the_writer_does_not_switch_tools_in_chat_for_a_member');
select is(pg_temp.turn_settings('mia', 'robo')::jsonb ->> 'tools', 'false',
  'T1_a_turn_has_no_tools_after_a_member_tried_to_switch_them_on');
select pg_temp.create_as('hello', 'ann', $$select post_chat_message({chat}, 'hello')$$),
  pg_temp.keep_id('one', gen_random_uuid()) \g /dev/null
create function pg_temp.record_call(p_place integer) returns text language sql as $$
  select pg_temp.as_user('engine', format('select weir.record_chat_call({one}, {robo}, {hello}, %s, %L)', p_place, '{}'));
$$;
select is(pg_temp.as_user('engine', $$select state from weir.begin_chat_turn({one}, {ann}, {robo}, {hello}, '1 minute')$$), 'begun',
  'a turn begins while tools are switched off');
select is(pg_temp.record_call(0), 'WR003', 'a turn records no call while tools are switched off');
select is(pg_temp.error_as('ann', 'select set_chat_tools({a}, true)'), 'ok', 'an owner switches tools in chat on');
select is(pg_temp.record_call(0), '', 'a turn records a call after tools were switched on');
select is(pg_temp.error_as('ann', 'select set_chat_tools({a}, false)'), 'ok',
  'an owner switches tools in chat off in the middle of a turn');
select is(pg_temp.record_call(0), '', 'a turn records the end of a call that began before tools were switched off');
select is(pg_temp.record_call(1), 'WR003', 'a turn records no new call after tools were switched off');

-- The operator's switch
select pg_temp.as_user('ann', 'select set_chat_tools({a}, true)'), weir.set_setting('chat_tools', 'false') \g /dev/null
select is(pg_temp.turn_settings('mia', 'robo')::jsonb ->> 'tools', 'false', 'a turn has no tools where the operator switched them off');
select is(pg_temp.record_call(1), 'WR003', 'a turn records no new call where the operator switched tools off');
select weir.set_setting('chat_tools', 'true') \g /dev/null
select is(pg_temp.record_call(1), '', 'a turn records a new call where the operator switched tools on again');
select is(pg_temp.turn_settings('mia', 'robo')::jsonb ->> 'tools', 'true',
  'a turn has tools where the operator and the organization have them on');
select is(pg_temp.as_user(who, $$select weir.set_setting('chat_tools', 'false')$$), '42501', format('%s does not execute set_setting', who))
  from unnest(array['ann', 'engine', 'gateway', 'service']) who;
select * from finish();
rollback;
