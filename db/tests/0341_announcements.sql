-- Announcements besides approvals: resources, lists that failed, definitions that hide text from people, and when an instance's lists are
-- read again.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select no_plan();

-- One answer of files: items as kind/name/version, each with its warning or none.
create function pg_temp.announce_items(p_items text[], p_listed text[] default array['tool', 'prompt', 'template', 'resource'],
  p_warnings text[] default null, p_ttl interval default null, p_generation bigint default 2) returns text language sql as $$
  select format('%s %s %s', new_pins, changed_pins, quarantined)
  from weir.record_definitions(pg_temp.id_of('files'), p_generation,
    array(select split_part(i, '|', 1) from unnest(p_items) i), array(select split_part(i, '|', 2) from unnest(p_items) i),
    array(select sha256(convert_to(i, 'UTF8')) from unnest(p_items) i),
      array(select jsonb_build_object('v', i)::text from unnest(p_items) i),
    null, p_warnings, p_listed, p_ttl);
$$;
create function pg_temp.announced_items(p_kind text) returns text language sql as $$
  select string_agg(t.name || coalesce('(' || t.warning || ')', '') || case t.status when 'approved' then '' else ':' || t.status end,
    ' ' order by t.name)
  from mcp_server_tools t where t.instance_id = pg_temp.id_of('files') and t.kind = p_kind and t.announced;
$$;
create function pg_temp.quarantine_events() returns text language sql as $$
  select string_agg(format('%s %s %s', l.actor_kind, split_part(l.detail, ' ', 1), substr(l.detail, strpos(l.detail, ' ') + 66)),
    ', ' order by l.created_at)
  from mcp_interaction_logs l where l.instance_id = pg_temp.id_of('files') and l.item = 'quarantine' and l.kind = 'lifecycle'
    and l.outcome = 'ok';
$$;
create function pg_temp.holds_lock(p_mode text) returns boolean language sql as $$
  select exists (select from pg_locks l where l.locktype = 'advisory' and l.pid = pg_backend_pid() and l.mode = p_mode and l.objsubid = 1
                   and (l.classid::bigint << 32) | l.objid::bigint = weir.lock_key(pg_temp.id_of('a')));
$$;

-- Resources
select is(pg_temp.announce_items(array['resource|file:///data/a|1', 'resource|file:///data/b|1', 'resource|file:///etc/c|1'],
  array['resource']), '0 0 0',
  'announced resources count as no new definitions');
select is(pg_temp.announced_items('resource'), 'file:///data/a file:///data/b file:///etc/c', 'announced resources are approved');
select is(pg_temp.announced_items('tool'), 'list_directory read_file write_file:quarantined',
  'an announcement of resources alone withdraws no tool');
select pg_temp.announce_items(array['resource|file:///data/a|2'], array['resource']) \g /dev/null
select is(pg_temp.announced_items('resource'), 'file:///data/a', 'a new list of resources replaces the last one');
select is((select count(*) from mcp_server_tools where kind = 'resource'), 1::bigint, 'no resource of a replaced list is kept');
select is((select definition from mcp_server_tools where kind = 'resource'), '{"v": "resource|file:///data/a|2"}',
  'a resource that is announced again has the newest definition');
select throws_ok(pg_temp.with_ids($$update mcp_server_tools set status = 'quarantined' where instance_id = {files} and kind = 'resource'$$),
  '23514', null,
  'a resource cannot be quarantined by direct SQL');
select throws_ok(pg_temp.with_ids(format($$insert into mcp_server_tools (organization_id, instance_id, kind, name, definition_hash,
  definition, status, announced, approved_at)
  values ({a}, {files}, %L, repeat('n', %s), sha256('n'), '{}', 'approved', true, now())$$, k, n)), '23514', null,
    format('a %s''s name has at most %s bytes', k, n - 1))
from (values ('resource', 2049), ('tool', 1025)) t(k, n);
select lives_ok(pg_temp.with_ids($$insert into mcp_server_tools (organization_id, instance_id, kind, name, definition_hash, definition,
  status, announced, approved_at)
  values ({a}, {files}, 'resource', repeat('n', 2048), sha256('n'), '{}', 'approved', true, now())$$),
    'the name of a resource may have 2048 bytes');
delete from mcp_server_tools where name = repeat('n', 2048);

-- An agent sees resources by their URI, and templates that may make a granted URI. robo has file:///data/*.
savepoint shown;
update mcp_server_instances set first_running_at = clock_timestamp() where id = pg_temp.id_of('files');
select pg_temp.announce_items(array['resource|file:///data/a|1', 'resource|file:///data/../etc/a|1', 'resource|file:///etc/a|1',
  'template|file:///{path}|1', 'template|file:///etc/{name}|1',
  'template|file:///data/{name}.txt|1', 'prompt|grow|1', 'prompt|ungranted|1', 'tool|list_all|1', 'tool|ungranted|1']) \g /dev/null
create function pg_temp.shown_items(p_kinds text[], p_key text default 'robokey000000001',
  p_secret text default repeat('r', 43)) returns text language sql as $$
  select string_agg(c.item, ' ' order by c.item)
  from weir.agent_catalog(p_key, sha256(convert_to(p_secret, 'UTF8')), null, null, null, p_kinds) c where c.item is not null;
$$;
select is(pg_temp.shown_items(array['resource', 'template']), 'file:///data/a file:///data/{name}.txt file:///{path}',
  'A04_a_list_of_resources_and_templates_has_what_the_agent_may_read');
select is(pg_temp.shown_items(null), 'file:///data/a file:///data/{name}.txt file:///{path} grow list_all',
  'a list of all kinds has resources besides tools and prompts');
select is(pg_temp.shown_items(array['tool']), 'list_all', 'a list of tools has no resources');
select is(pg_temp.shown_items(null, 'botkey0000000001', repeat('b', 43)), null,
  'A01_the_list_of_another_organization_s_agent_has_none_of_these_resources');
rollback to shown;
select is(weir.template_is_granted(jsonb_build_object('resources', jsonb_build_array(g)), t), wanted,
  format('the template %s is granted by %s: %s', t, g, wanted)) from (values
  ('file:///data/*', 'file:///data/{name}', true), ('file:///data/*', 'file:///{path}', true), ('file:///data/*', '{+uri}', true),
    ('*', 'file:///{path}', true),
  ('file:///data/*', 'file:///etc/{name}', false), ('file:///data/*', 'file:///database/{name}', false),
    ('file:///data/*', 'file:///data/../{name}', false),
  ('file:///data/*.md', 'file:///data/{name}.txt', false), ('file:///data/*.md', 'file:///data/{name}.md', true),
    ('file:///data/*.md', 'file:///data/{name}', true),
  ('file:///data/*', 'file:///{dir}/b', true), ('file:///data/a', 'file:///data/{name}', true), ('file:///data/a', 'file:///{+path}', true),
  ('file:///data/a', 'file:///etc/{name}', false), ('file:///data/a', 'file:///data/{name}.txt', false),
    ('file:///data/a.txt', 'file:///data/{name}.txt', true),
  ('search://items?q=*', 'search://items{?q}', true), ('search://items', 'search://items{?q}', true),
    ('search://other', 'search://items{?q}', false),
  ('file:///data/{name}', 'file:///data/{name}', true), ('file:///data/a', 'file:///data/a', true),
    ('file:///data/a', 'file:///data/', false), ('http://*/x', 'file:///{path}', false),
  ('file:///data/*', 'file:///{unclosed', false), ('', 'file:///{path}', false)) t(g, t, wanted);
select is(weir.template_is_granted(p, 'file:///{path}'), false, 'no template is granted by the permissions ' || p::text)
  from unnest(array['{}', '{"resources": {}}', '{"resources": []}', '{"tools": {"*": {}}}', 'null']::jsonb[]) p;
select isnt(weir.template_is_granted(null, 'file:///{path}'), true, 'no template is granted by null permissions');

-- A change of resources takes only the shared lock, so it does not block calls, and is counted, so that the lists of agent tools are read
-- again. This transaction already holds the locks of the world's organizations, so each trial makes another one, without triggers.
create function pg_temp.lock_taken_by(p_sql text) returns text language plpgsql as $$
declare
  v_before bigint;
  v_result text;
begin
  begin
    set local session_replication_role = replica;
    perform pg_temp.keep_id('a', weir.uuid_v7()), pg_temp.keep_id('files', weir.uuid_v7());
    insert into organizations (id, name, slug) values (pg_temp.id_of('a'), 'C', 'c-' || right(pg_temp.id_of('a')::text, 12));
    insert into mcp_server_instances (id, organization_id, instance_name, url, status, generation)
      values (pg_temp.id_of('files'), pg_temp.id_of('a'), 'c', 'https://c.example', 'running', 2);
    insert into mcp_server_tools (organization_id, instance_id, kind, name, definition_hash, definition, status, announced, approved_at)
    values (pg_temp.id_of('a'), pg_temp.id_of('files'), 'resource', 'file:///a', sha256('resource|file:///a|1'), '{}', 'approved', true,
      now()),
           (pg_temp.id_of('a'), pg_temp.id_of('files'), 'tool', 't', sha256('tool|t|1'), '{}', 'approved', true, now());
    set local session_replication_role = origin;
    v_before := weir.change_version();
    execute p_sql;
    v_result := concat_ws(' ', case when pg_temp.holds_lock('ExclusiveLock') then 'exclusive' when pg_temp.holds_lock('ShareLock')
      then 'shared' else 'none' end,
                          case when weir.change_version() > v_before then 'counted' end);
    raise exception 'undo' using errcode = 'P0999';
  exception when sqlstate 'P0999' then
    return v_result;
  end;
end;
$$;
select case when (select rolsuper from pg_roles where rolname = current_user) then is(pg_temp.lock_taken_by(sql), wanted, name)
  else skip('a trial needs a superuser, to make rows without triggers', 1) end
from (values
  ('none', 'an announcement without changes takes no lock and is not counted',
    $$select pg_temp.announce_items(array['resource|file:///a|1', 'tool|t|1'])$$),
  ('shared counted', 'a new resource takes the shared lock and is counted',
    $$select pg_temp.announce_items(array['resource|file:///b|1', 'tool|t|1'])$$),
  ('shared counted', 'a resource that is no longer announced takes the shared lock and is counted',
    $$select pg_temp.announce_items(array['tool|t|1'])$$),
  ('exclusive counted', 'A26_a_changed_tool_takes_the_exclusive_lock_and_is_counted',
    $$select pg_temp.announce_items(array['resource|file:///a|1', 'tool|t|2'])$$),
  ('exclusive counted', 'A26_a_tool_that_is_no_longer_announced_takes_the_exclusive_lock_and_is_counted',
    $$select pg_temp.announce_items(array['resource|file:///a|1'])$$)) t(wanted, name, sql);

-- A list that failed keeps its last good copy and does not affect others
select is(pg_temp.announce_items(array['tool|read_file|9', 'prompt|new|1'], array['prompt']), '1 0 1',
  'an announced tool is ignored where only prompts were listed');
select is(pg_temp.announced_items('tool'), 'list_directory read_file write_file:quarantined',
  'tools stay announced when only prompts were listed');
select is(pg_temp.announced_items('prompt'), 'new:quarantined', 'prompts that were listed replace the former prompts');
select is(pg_temp.announced_items('resource'), 'file:///data/a', 'resources stay when only prompts were listed');
select is(pg_temp.announce_items(array[]::text[], array[]::text[]), '0 0 0', 'an announcement in which nothing was listed changes nothing');

-- A quarantine is recorded as an event of the system
select is(pg_temp.quarantine_events(), 'system tool new: write_file, system prompt new: new',
  'A26_a_quarantined_name_is_in_the_audit_log_as_an_event_of_the_system');
select pg_temp.announce_items(array['tool|read_file|2'], array['tool']) \g /dev/null
select is(pg_temp.quarantine_events(), 'system tool new: write_file, system prompt new: new, system tool changed: read_file',
  'A26_a_quarantined_change_is_in_the_audit_log_as_an_event_of_the_system');
select pg_temp.announce_items(array['tool|read_file|2'], array['tool']) \g /dev/null
select is(pg_temp.quarantine_events(), 'system tool new: write_file, system prompt new: new, system tool changed: read_file',
  'a quarantined change that is announced again is not in the audit log again');
select pg_temp.announce_items(array(select 'tool|many' || n || '|1' from generate_series(1, 50) n), array['tool']) \g /dev/null
select is((select count(*) from mcp_interaction_logs where instance_id = pg_temp.id_of('files') and item = 'quarantine'), 24::bigint,
  'A33_an_announcement_of_fifty_quarantined_names_makes_twenty_one_rows_in_the_audit_log');
select is((select count(*) from mcp_interaction_logs where instance_id = pg_temp.id_of('files') and item = 'quarantine'
  and detail = '30 more'), 1::bigint,
  'the last row about fifty quarantined names counts the other thirty');

-- A definition that hides text from people is quarantined even while new names are trusted
savepoint trusting;
update mcp_server_instances set first_running_at = clock_timestamp() where id = pg_temp.id_of('files');
select is(pg_temp.announce_items(array['tool|plain|1', 'tool|odd|1', 'prompt|odd|1'], array['tool', 'prompt'],
  array[null, 'bidi at description', 'ansi at title']), '3 0 2',
  'A25_a_definition_that_hides_text_is_quarantined_even_where_new_names_are_trusted');
select is(pg_temp.announced_items('tool'), 'odd(bidi at description):quarantined plain',
  'A25_a_quarantined_definition_that_hides_text_has_its_warning');
select ok(pg_temp.quarantine_events() like '%system tool bidi at description: odd%',
  'A25_the_warning_of_a_quarantined_definition_is_in_the_audit_log');
update mcp_server_instances set generation = 3, approved_generation = 3, first_running_at = null where id = pg_temp.id_of('files');
select is(pg_temp.announce_items(array['tool|plain|2', 'tool|odd|2'], array['tool'], array[null, 'control at description'], null, 3),
  '0 2 1',
  'A25_a_definition_that_hides_text_is_quarantined_even_where_an_update_approves_the_rest');
select is(pg_temp.announced_items('tool'), 'odd(control at description):quarantined plain',
  'A25_the_update_approves_the_definition_that_hides_nothing_and_not_the_other');
select is(pg_temp.announce_items(array['prompt|late|1'], array['prompt'], null, null, 3), '1 0 1',
  'A26_an_update_does_not_approve_what_a_later_announcement_adds');
rollback to trusting;

-- Undecided definitions that are no longer announced are limited in number
select pg_temp.announce_items(array['tool|flood|' || n], array['tool']) from generate_series(1, 260) n \g /dev/null
select is((select count(*) from mcp_server_tools where instance_id = pg_temp.id_of('files') and status = 'quarantined' and not announced
  and kind = 'tool'),
  200::bigint, 'A33_of_undecided_definitions_that_are_no_longer_announced_200_are_kept');
select is((select count(*) from mcp_server_tools where instance_id = pg_temp.id_of('files') and kind = 'tool' and status = 'approved'),
  2::bigint,
  'approved definitions that are no longer announced are kept');
select pg_temp.announce_items(array['tool|flood|260'], array['tool']) \g /dev/null
set local role weir_system;
delete from mcp_server_tools where kind <> 'resource' and (status <> 'quarantined' or announced);
reset role;
select is((select count(*) from mcp_server_tools where instance_id = pg_temp.id_of('files') and kind = 'tool'
  and (announced or status = 'approved')), 3::bigint,
  'A26_the_owner_of_functions_deletes_no_definition_that_was_decided_or_is_announced');

-- When an instance's lists are read again
create function pg_temp.claim_refresh() returns boolean language sql as $$
  select exists (select from weir.instances_to_refresh(pg_temp.id_of('node'), 100, '30 seconds', '5 minutes')
    where instance_id = pg_temp.id_of('files'));
$$;
create function pg_temp.seconds_to_refresh() returns integer language sql as $$
  select round(extract(epoch from refresh_at - refreshed_at))::integer from mcp_server_instances where id = pg_temp.id_of('files');
$$;
select pg_temp.announce_items(array['tool|t|1'], array['tool'], null, '1 minute') \g /dev/null
select is(pg_temp.seconds_to_refresh(), 60, 'a server is asked again after the time for which it states that its lists are valid');
select pg_temp.announce_items(array['tool|t|1'], array['tool'], null, '1 millisecond') \g /dev/null
select is(pg_temp.seconds_to_refresh(), 5, 'a server is asked again after five seconds at the earliest');
select pg_temp.announce_items(array['tool|t|1'], array['tool']) \g /dev/null
select is(pg_temp.seconds_to_refresh(), null, 'a server that states no time has no time of the next refresh');
select is(pg_temp.claim_refresh(), false, 'a server that was just asked is not claimed for a refresh');
select is(pg_temp.as_user('engine', 'select weir.refresh_soon({files})'), 'true', 'a server whose list changed must be asked soon');
select is(pg_temp.as_user('engine', 'select weir.refresh_soon({files})'), 'false',
  'a server that must be asked soon is not marked again');
select is(pg_temp.seconds_to_refresh(), 1, 'a server whose list changed is asked a second after the last time');
-- That second may be over by now on a slow machine.
update mcp_server_instances set refresh_at = refresh_at + interval '1 hour' where id = pg_temp.id_of('files');
select is(pg_temp.claim_refresh(), false, 'a server whose list changed is not claimed before that second is over');
update mcp_server_instances set refreshed_at = refreshed_at - interval '3 seconds', refresh_at = null where id = pg_temp.id_of('files');
select is(pg_temp.as_user('engine', 'select weir.refresh_soon({files})'), 'true',
  'a server that was asked three seconds ago must be asked soon when its list changes');
select is(pg_temp.claim_refresh(), true, 'a server that was asked three seconds ago is claimed at once');
select is(pg_temp.claim_refresh(), false, 'a server that one replica has claimed is claimed by no other');
select is(pg_temp.as_user('engine', 'select weir.refresh_soon({files})'), 'true',
  'a server whose list changes while it is asked is marked again');
select pg_temp.announce_items(array['tool|t|1'], array['tool'], null, '1 minute') \g /dev/null
select is(pg_temp.seconds_to_refresh(), 1, 'a change while a server is asked leads to another refresh after a second');
update mcp_server_instances set refreshed_at = refreshed_at - interval '6 minutes', refresh_at = null where id = pg_temp.id_of('files');
select is(pg_temp.claim_refresh(), true, 'a server whose list is older than five minutes is claimed without a mark');
select is((select refresh_at = refresh_lease_until from mcp_server_instances where id = pg_temp.id_of('files')), true,
  'a claimed server must be asked again when the lease ends');
update mcp_server_instances set status = 'stopping' where id = pg_temp.id_of('files');
select is(pg_temp.as_user('engine', 'select weir.refresh_soon({files})'), 'false', 'a stopping server is not marked for a refresh');
select is(pg_temp.as_user('engine', 'select weir.refresh_soon({nobody})'), 'false',
  'a server that does not exist is not marked for a refresh');
select is(pg_temp.as_user(w, 'select weir.refresh_soon({files})'), '42501', 'refresh_soon is not executed by ' || w)
  from unnest(array['ann', 'anon', 'service', 'gateway', 'writer:ann']) w;
select * from finish();
rollback;
