-- Kill switches: who may switch, what is denied and why, what is recorded, and that a tenant cannot undo a stop by the platform.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select no_plan();

-- pia is a platform admin and belongs to no organization.
select pg_temp.create_user('pia') \g /dev/null
select weir.add_platform_admin(pg_temp.id_of('pia')) \g /dev/null
create function pg_temp.switched_off(p_agent text default 'robo', p_server text default null) returns text language sql as $$
  select pg_temp.as_user('engine', format('select (weir.switched_off(array[{%s}], array[%s]::uuid[]))[1]', p_agent,
                                          case when p_server is null then 'null' else format('{%s}', p_server) end));
$$;
-- The reason and detail of the last denied call, as an admin of the organization reads them.
create function pg_temp.last_denial() returns text language sql as $$
  select concat_ws(' ', l.reason, l.detail) from mcp_interaction_logs l
  where l.phase = 'denied' and l.kind = 'tool_execution' order by l.recorded_at desc limit 1;
$$;
create function pg_temp.recorded(p_item text, p_organization text default 'a') returns text language sql as $$
  select string_agg(concat_ws(' ', l.detail), '; ' order by l.recorded_at) from mcp_interaction_logs l
  where l.item = p_item and l.decision = 'allowed'
    and l.organization_id = case p_organization when 'platform' then weir.platform_id() else pg_temp.id_of(p_organization) end;
$$;

-- Calls every published function that writes as this person, with the ids of the world for every argument. Returns the number of calls.
create function pg_temp.attack(p_actor text) returns integer language plpgsql as $$
declare
  v_function record;
  v_id text;
  v_tried integer := 0;
begin
  for v_function in
    select p.proname, p.proargnames[1:p.pronargs] as names, p.proargtypes::oid[] as types from pg_proc p
    where p.pronamespace = 'public'::regnamespace and p.provolatile = 'v' and p.proname !~ '^(delete_organization|delete_agent|leave_)'
      and has_function_privilege('authenticated', p.oid, 'EXECUTE')
      and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
  loop
    foreach v_id in array array['robo', 'files', 'a', 'home'] loop
      v_tried := v_tried + 1;
      perform pg_temp.as_user(p_actor, format('select %I(%s)', v_function.proname, (
        select string_agg(case
          when t.type = 'uuid'::regtype then coalesce((select '{' || x.name || '}' from (values
                 ('agent_id', 'robo'), ('server_instance_id', 'files'), ('mcp_server_instance_id', 'files'), ('server_id', 'files'),
                 ('organization_id', 'a'), ('workspace_id', 'home')) x(argument, name) where x.argument = t.name), '{' || v_id || '}')
          when t.type = 'boolean'::regtype then 'true'
          when t.name = 'action' then quote_literal('start')
          when t.name = 'request' then format('jsonb_build_object(''action'', ''deploy'', ''server_instance_id'', {files})')
          when t.type = 'jsonb'::regtype then quote_literal('{"tools": {"*": {}}}')
          when t.type = 'text'::regtype then quote_literal('x')
          else 'null' end, ', ' order by t.n)
        from unnest(v_function.names, v_function.types) with ordinality t(name, type, n))));
    end loop;
  end loop;
  return v_tried;
end;
$$;

-- An agent
select is(pg_temp.error_as(w, $$select set_agent_active({robo}, false)$$), r, format('%s who switches an agent off gets %s', w, r))
from (values ('vic', 'WR003'), ('mel', 'WR003'), ('sam', 'WR004'), ('bob', 'WR004'), ('otto', 'WR004'), ('pia', 'WR004')) t(w, r);
select is(pg_temp.admit_call('list_directory'), 'admitted', 'a refused switch leaves the agent on');
select is(pg_temp.error_as('mia', $$select set_agent_active({robo}, null)$$), 'WR001', 'a switch must be true or false');
savepoint s;
select is(pg_temp.as_user('mia', $$select set_agent_active({robo}, false) ->> 'active'$$), 'false', 'an agent''s owner switches it off');
select is(pg_temp.error_as('ann', q), r, format('while it is off, a person gets %s: %s', r, q))
from (values ('select chat_context({robo}, {home}, {chat})', 'WR003'), ('select open_direct_channel({robo})', 'WR003'),
  ('select chat_context(null, null, {chat})', 'ok')) t(q, r);
select is(pg_temp.error_as('bob', q), 'WR004', format('an outsider does not learn that it is off: %s', q))
from unnest(array['select chat_context({robo})', 'select open_direct_channel({robo})']) q;
select is(pg_temp.admit_call('list_directory'), 'agent_stopped', 'an agent that is switched off executes nothing');
select is(pg_temp.last_denial(), 'agent_stopped organization', 'the audit log says that the organization has switched the agent off');
select is(pg_temp.admit_call_as('ann', 'list_directory'), 'agent_stopped', 'nobody acts through an agent that is switched off');
select is(pg_temp.as_user('engine', $$select is_stopped from weir.authenticate_key('robokey000000001', sha256(repeat('r', 43)::bytea))$$),
  'true', 'the key of an agent that is switched off is valid and marked as stopped');
select is(pg_temp.as_user('engine',
  $$select string_agg(kind, ' ') from weir.agent_catalog('robokey000000001', sha256(repeat('r', 43)::bytea), null, null, null)$$),
  'stopped', 'an agent that is switched off has no tools');
select is(pg_temp.as_user('engine', $$select count(*) from weir.find_tools('robokey000000001', sha256(repeat('r', 43)::bytea), null, null,
  'list', 10)$$), '0', 'an agent that is switched off finds no tool');
select is(pg_temp.as_user('engine', $$select weir.principal_organization('robokey000000001', sha256(repeat('r', 43)::bytea), null, null)$$),
  pg_temp.id_of('a')::text, 'an agent that is switched off still counts for its organization');
select is(pg_temp.switched_off(), 'true', 'the open calls of an agent end when it is switched off');
select is(pg_temp.switched_off('bot', 'spy'), 'false', 'the open calls of another agent continue');
update mcp_server_instances set status = 'deleting' where id = pg_temp.id_of('spy');
select is(pg_temp.switched_off('bot', 'spy'), 'true', 'the open calls of a deleted server end');
select is(pg_temp.as_user('ann', $$select stopped_by from agents where id = {robo}$$), pg_temp.id_of('mia')::text,
  'members see who switched an agent off');
select is(pg_temp.error_as('adam', $$select set_agent_active({robo}, true)$$), 'ok',
  'an admin switches on an agent that its owner switched off');
select is(pg_temp.admit_call('list_directory'), 'admitted', 'an agent that is switched on again is admitted');
select is(pg_temp.error_as('adam', $$select set_agent_active({robo}, true)$$), 'ok', 'switching on an agent that is on is harmless');
select is(pg_temp.recorded('set_agent_active'), 'off; on', 'each change of a switch is in the audit log once');
rollback to s;

-- The platform's switch of an agent
select is(pg_temp.error_as(w, $$select set_agent_active({robo}, false, true)$$), 'WR003', format('%s does not act as the platform', w))
from unnest(array['ann', 'mia', 'bob', 'otto']) w;
select is(pg_temp.as_user('anon', $$select set_agent_active({robo}, false, true)$$), '42501',
  'a caller without a token does not act as the platform');
select is(pg_temp.error_as('pia', $$select set_agent_active({nobody}, false, true)$$), 'WR004',
  'an agent that does not exist is not switched');
select is(pg_temp.error_as('pia', $$select set_agent_active({robo}, false, true)$$), 'ok', 'a platform admin switches off an agent');
select is(pg_temp.admit_call('list_directory'), 'agent_stopped', 'an agent that the platform has stopped executes nothing');
select is(pg_temp.last_denial(), 'agent_stopped platform', 'the audit log says that the platform has stopped the agent');
select is(pg_temp.as_user('ann', $$select set_agent_active({robo}, true) ->> 'error'$$), 'WR003',
  'an owner of the organization does not start an agent that the platform has stopped');
select is(pg_temp.error_as('mia', $$select set_agent_active({robo}, false)$$), 'ok', 'the agent''s owner may switch it off as well');
select is(pg_temp.error_as('pia', $$select set_agent_active({robo}, true, true)$$), 'ok', 'a platform admin lifts the platform''s stop');
select is(pg_temp.admit_call('list_directory'), 'agent_stopped', 'the platform does not undo the organization''s own stop');
select is(pg_temp.recorded('set_agent_active'), 'off, by the platform; off; on, by the platform',
  'the organization''s audit log has the acts of the platform');
select is(pg_temp.recorded('set_agent_active', 'platform'), format('off, organization %s; on, organization %s', pg_temp.id_of('a'),
  pg_temp.id_of('a')), 'the platform''s audit log has its acts, with the organization');
rollback to s;

-- A server
select is(pg_temp.error_as(w, $$select set_mcp_server_active({files}, false)$$), r, format('%s who switches a server off gets %s',
  w, r))
from (values ('vic', 'WR003'), ('mia', 'WR003'), ('sam', 'WR004'), ('bob', 'WR004'), ('otto', 'WR004'), ('pia', 'WR004')) t(w, r);
select is(pg_temp.as_user('adam', $$select set_mcp_server_active({files}, false) ->> 'status'$$), 'stopping',
  'a server that is switched off is stopped');
select is(pg_temp.as_user('owner', $$select count(*) from weir.dtma_operations
  where instance_id = {files} and action = 'stop' and finished_at is null$$), '1', 'the node of a server that is switched off gets a stop');
select is(pg_temp.admit_call('list_directory'), 'server_stopped', 'no call is admitted to a server that is switched off');
select is(pg_temp.last_denial(), 'server_stopped organization', 'the audit log says that the organization has switched the server off');
select is(pg_temp.admit_call('list_directory', p_key => 'botkey0000000001', p_secret => repeat('b', 43)), 'instance_unknown',
  'another organization does not learn that a server is switched off');
select is(pg_temp.admit_call('delete_file'), 'item_not_granted', 'without a grant nobody learns that a server is switched off');
select is(pg_temp.as_user('engine', $$select weir.may_read('robokey000000001', sha256(repeat('r', 43)::bytea), null, null, array[{files}],
  array['file:///data/a'])$$), '{f}', 'subscriptions of a server that is switched off end');
select is(pg_temp.switched_off('robo', 'files'), 'true', 'calls at a server end when it is switched off');
select is(pg_temp.switched_off(), 'false', 'the agent''s open calls of other servers continue');
select is(pg_temp.as_user('mia', $$select validate_mcp_access({robo}, {files})$$), 'false',
  'nobody has access to a server that is switched off');
select is(pg_temp.as_user('ann', $$select explain_mcp_access({robo}, {files}, 'list_directory') ->> 'reason'$$), 'server_stopped',
  'an admin learns that the server is switched off');
select is(pg_temp.error_as('ann', $$select manage_mcp_servers('delete', {a}, null, {files})$$), 'ok',
  'a server that is switched off may be deleted');
rollback to s;
select pg_temp.as_user('adam', $$select set_mcp_server_active({files}, false)$$) \g /dev/null
select is(pg_temp.as_user('adam', $$select set_mcp_server_active({files}, true) ->> 'status'$$), 'deploying',
  'a server that is switched on before it has stopped starts again');
rollback to s;
select pg_temp.as_user('adam', $$select set_mcp_server_active({files}, false)$$),
       weir.apply_report(pg_temp.id_of('files'), 3, 'stopped', null, null) \g /dev/null
select is(pg_temp.error_as('ann', $$select manage_mcp_servers($$ || quote_literal(x) || $$, {a}, null, {files})$$), 'WR005',
  format('a server that is switched off refuses the action %s', x)) from unnest(array['deploy', 'start', 'restart']) x;
select is(pg_temp.as_user('ann', $$select manage_mcp_servers('update', {a}, '{"configuration": {"directory": "/other"}}', {files})
  ->> 'status'$$), 'stopped', 'changing the configuration of a server that is switched off does not start it');
select is(pg_temp.as_user('adam', $$select set_mcp_server_active({files}, true) ->> 'status'$$), 'deploying',
  'a server that ran when it was switched off starts again when it is switched on');
rollback to s;
select pg_temp.as_user('ann', $$select manage_mcp_servers('stop', {a}, null, {files})$$),
       weir.apply_report(pg_temp.id_of('files'), 3, 'stopped', null, null),
       pg_temp.as_user('ann', $$select set_mcp_server_active({files}, false)$$) \g /dev/null
select is(pg_temp.as_user('ann', $$select set_mcp_server_active({files}, true) ->> 'status'$$), 'stopped',
  'a server that did not run when it was switched off does not start when it is switched on');
rollback to s;
-- A later request of an admin replaces what a switch remembers
select weir.block_catalog_server('test-files', null, 'x'),
       pg_temp.as_user('ann', 'select set_mcp_server_active({files}, false)'),
       pg_temp.as_user('ann', 'select set_mcp_server_active({files}, true)'),
       weir.unblock_catalog_server('test-files', null),
       weir.apply_report(pg_temp.id_of('files'), 3, 'stopped', null, null),
       pg_temp.as_user('ann', $$select manage_mcp_servers('deploy', {a}, null, {files})$$),
       pg_temp.as_user('ann', $$select manage_mcp_servers('stop', {a}, null, {files})$$),
       weir.apply_report(pg_temp.id_of('files'), 5, 'stopped', null, null),
       pg_temp.as_user('pia', 'select set_organization_active({a}, false)'),
       pg_temp.as_user('pia', 'select set_organization_active({a}, true)') \g /dev/null
select is((select i.status || ' ' || i.generation from mcp_server_instances i where i.id = pg_temp.id_of('files')), 'stopped 5',
  'a server that an admin has stopped is not started by a switch');
rollback to s;

-- The platform's switch of a server
select is(pg_temp.error_as('ann', $$select set_mcp_server_active({files}, false, true)$$), 'WR003',
  'an owner does not act as the platform for a server');
select is(pg_temp.error_as('pia', $$select set_mcp_server_active({files}, false, true)$$), 'ok', 'a platform admin switches off a server');
select is(pg_temp.admit_call('list_directory') || ' ' || pg_temp.last_denial(), 'server_stopped server_stopped platform',
  'no call is admitted to a server that the platform has stopped');
select is(pg_temp.error_as('ann', $$select set_mcp_server_active({files}, false)$$) || ' '
  || pg_temp.error_as('ann', $$select set_mcp_server_active({files}, true)$$), 'ok WR003',
  'an owner does not start a server that the platform has stopped, not even by switching it off first');
select is(pg_temp.error_as('pia', $$select set_mcp_server_active({files}, true, true)$$), 'ok',
  'a platform admin lifts the stop of a server');
select is(pg_temp.as_user('ann', $$select status from mcp_server_instances where id = {files}$$), 'stopping',
  'the platform does not start a server that the organization has switched off');
select is(pg_temp.error_as('ann', $$select set_mcp_server_active({files}, true)$$), 'ok',
  'the organization switches on a server that the platform lets run');
select is(pg_temp.as_user('ann', $$select status from mcp_server_instances where id = {files}$$), 'deploying',
  'a server starts when both switches are on');
rollback to s;

-- An organization
select is(pg_temp.error_as(w, $$select set_organization_active({a}, false)$$), 'WR003', format('%s does not stop an organization', w))
from unnest(array['ann', 'adam', 'vic', 'bob', 'otto']) w;
select is(pg_temp.error_as('pia', $$select set_organization_active({nobody}, false)$$), 'WR004',
  'an organization that does not exist is not switched');
select is(pg_temp.error_as('pia', $$select set_organization_active({a}, null)$$), 'WR001',
  'the switch of an organization must be true or false');
select is(pg_temp.error_as('pia', $$select set_organization_active({a}, false)$$), 'ok', 'a platform admin stops an organization');
select is(pg_temp.admit_call('list_directory'), 'organization_stopped', 'a stopped organization executes nothing');
select is(pg_temp.switched_off() || ' ' || pg_temp.switched_off('bot', 'spy'), 'true false',
  'the open calls of a stopped organization end, and no others');
select is(pg_temp.as_user('ann', 'select count(*) from organizations'), '0', 'an owner sees nothing of a stopped organization');
savepoint stopped;
select pg_temp.as_user('pia', 'select set_mcp_server_active({files}, false, true)'),
       pg_temp.as_user('pia', 'select set_mcp_server_active({files}, true, true)') \g /dev/null
select is((select i.status from mcp_server_instances i where i.id = pg_temp.id_of('files')), 'stopping',
  'no server of a stopped organization is started by its own switch');
rollback to stopped;
select is(pg_temp.as_user('owner', $$select count(*) from weir.dtma_operations where instance_id = {files} and action = 'stop'$$), '1',
  'the servers of a stopped organization are stopped');
select is(pg_temp.recorded('set_organization_active') || '; ' || pg_temp.recorded('set_organization_active', 'platform'),
  'off, by the platform; off, organization ' || pg_temp.id_of('a'), 'both audit logs have the stop of an organization');
select is(pg_temp.error_as('pia', $$select set_organization_active({a}, true)$$), 'ok', 'a platform admin starts an organization again');
select is(pg_temp.as_user('ann', $$select status from mcp_server_instances where id = {files}$$), 'deploying',
  'an organization that is switched on again has its servers again');
rollback to s;

-- The platform
select is(pg_temp.error_as(w, $$select set_platform_active(false)$$), 'WR003', format('%s does not stop the platform', w))
from unnest(array['ann', 'bob', 'otto']) w;
select is(pg_temp.as_user(w, $$select weir.switch_platform(false)$$), '42501', format('the role %s does not execute switch_platform',
  w))
from unnest(array['pia', 'anon', 'service', 'gateway', 'engine', 'writer:pia']) w;
select is(pg_temp.error_as('pia', $$select set_platform_active(null)$$), 'WR001', 'the switch of the platform must be true or false');
select is(pg_temp.error_as('pia', $$select set_platform_active(false)$$), 'ok', 'a platform admin stops all calls');
select is(pg_temp.admit_call('list_directory'), 'platform_stopped', 'nothing is executed while the platform is stopped');
select is(pg_temp.switched_off() || ' ' || pg_temp.switched_off('bot', 'spy'), 'true true',
  'all open calls end when the platform is stopped');
select is(pg_temp.as_user('ann', 'select count(*) from organizations'), '1',
  'people still see their organizations while the platform is stopped');
select is((select stopped_by from weir.platform_stop), pg_temp.id_of('pia'), 'the row of the stop names who stopped the platform')
where (select rolsuper from pg_roles where rolname = current_user);
select is(pg_temp.as_user('owner', $$select state from weir.begin_chat_turn(weir.uuid_v7(), {mia}, {robo}, weir.uuid_v7(), '1 minute')$$),
  'stopped', 'no chat turn begins while the platform is stopped');
select is(pg_temp.error_as('pia', $$select set_platform_active(false)$$), 'ok', 'stopping the stopped platform is harmless');
select is(pg_temp.error_as('pia', $$select set_platform_active(true)$$), 'ok', 'a platform admin permits calls again');
select is(pg_temp.admit_call('list_directory'), 'admitted', 'calls are admitted again');
select is(concat_ws(' / ', pg_temp.recorded('set_platform_active'), pg_temp.recorded('set_platform_active', 'b'),
    pg_temp.recorded('set_platform_active', 'platform')),
  concat_ws(' / ', 'off, by the platform; on, by the platform', 'off, by the platform; on, by the platform', 'off; on'),
  'the audit logs of every organization and of the platform have the stop of the platform');
select is(weir.switch_platform(false), true, 'the operator stops all calls over the owner''s connection');
select is(weir.switch_platform(false), false, 'a second stop by the operator returns false');
select is(pg_temp.admit_call('list_directory'), 'platform_stopped', 'the operator''s stop applies to every organization');
rollback to s;

-- The attack: an owner, an admin and the agent's owner try every function against each stop by the platform. All writing functions get the
-- ids of the world for every argument; afterwards the stop still stands.
select pg_temp.as_user('pia', $$select set_agent_active({robo}, false, true)$$),
       pg_temp.as_user('pia', $$select set_mcp_server_active({files}, false, true)$$) \g /dev/null
select cmp_ok(pg_temp.attack(w), '>', 100, format('%s tries every writing function', w)) from unnest(array['ann', 'mia', 'bob']) w;
select is((select count(*) from agents where id = pg_temp.id_of('robo') and platform_stopped_at is not null and not is_active)
        + (select count(*) from mcp_server_instances where id = pg_temp.id_of('files') and platform_stopped_at is not null
             and not is_active and status = 'stopping'), 2::bigint,
  'after every writing function was called by an owner the platform''s stops of an agent and of a server stand')
where (select rolsuper from pg_roles where rolname = current_user);
select is(pg_temp.admit_call('list_directory'), 'agent_stopped', 'after every writing function was called nothing is executed');
select is(pg_temp.as_user('writer:ann', format('update %s set %s = null', t, c)), '42501',
  format('the role of the published functions does not write %s.%s', t, c))
from (values ('agents', 'platform_stopped_at'), ('agents', 'platform_stopped_by'), ('mcp_server_instances', 'platform_stopped_at'),
             ('mcp_server_instances', 'platform_stopped_by'), ('organizations', 'platform_stopped_at')) t(t, c);
select is(pg_temp.as_user('writer:ann', 'delete from weir.platform_stop'), '42501',
  'the role of the published functions does not delete the stop of the platform');
rollback to s;
select pg_temp.as_user('pia', $$select set_organization_active({a}, false)$$), pg_temp.attack('ann'), pg_temp.attack('adam') \g /dev/null
select is(pg_temp.admit_call('list_directory'), 'organization_stopped',
  'after every writing function was called the organization is stopped');
rollback to s;

select is(pg_temp.admit_call('list_directory'), 'admitted', 'the call is admitted if nothing is switched off');
select * from finish();
rollback;
