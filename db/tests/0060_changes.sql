-- A revoke takes effect at once because every change takes the organization's lock, is counted and announced. pgTAP has one session, so C#
-- tests what needs two: an admission during an open revoke answers `changing`, a revoke waits for a running admission, and two admissions
-- do not wait for each other.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select no_plan();

-- Whether this transaction holds the exclusive lock of an organization (or of the platform).
create function pg_temp.holds_lock(p_id uuid) returns boolean language sql as $$
  select exists (select from pg_locks l where l.locktype = 'advisory' and l.pid = pg_backend_pid() and l.mode = 'ExclusiveLock'
  and l.objsubid = 1
                   and (l.classid::bigint << 32) | l.objid::bigint = weir.lock_key(p_id));
$$;
-- The world above has taken locks already; direct SQL inserts organization c inside each trial, so that c is new.
create function pg_temp.lock_taken_by(p_sql text) returns text language plpgsql as $$
declare
  v_before bigint;
  v_held boolean;
  v_c constant uuid := weir.uuid_v7();
  v_counted boolean;
begin
  begin
    set local session_replication_role = replica;
    perform pg_temp.keep_id('c', v_c), pg_temp.keep_id('cagent', weir.uuid_v7()), pg_temp.keep_id('cagent2', weir.uuid_v7()),
    pg_temp.keep_id('cserver', weir.uuid_v7()), pg_temp.keep_id('cspace', weir.uuid_v7());
    insert into organizations (id, name, slug) values (v_c, 'C', 'c-' || right(v_c::text, 12));
    insert into organization_members (organization_id, user_id, role) values (v_c, pg_temp.id_of('ann'), 'owner'), (v_c,
    pg_temp.id_of('otto'), 'member');
    insert into agents (id, organization_id, name, user_id) values (pg_temp.id_of('cagent'), v_c, 'C', pg_temp.id_of('ann')),
    (pg_temp.id_of('cagent2'), v_c, 'C2', pg_temp.id_of('ann'));
    insert into agent_api_keys (organization_id, agent_id, name, key_id, secret_hash) values (v_c, pg_temp.id_of('cagent'), 'k',
    'ckey000000000001', sha256('c'));
    insert into workspaces (id, organization_id, name) values (pg_temp.id_of('cspace'), v_c, 'C');
    insert into workspace_members (organization_id, workspace_id, agent_id) values (v_c, pg_temp.id_of('cspace'), pg_temp.id_of('cagent'));
    insert into mcp_server_instances (id, organization_id, instance_name, url, status) values (pg_temp.id_of('cserver'), v_c, 'c',
    'https://c.example', 'running');
    insert into mcp_server_tools (organization_id, instance_id, kind, name, definition_hash, definition, status, announced,
    approved_at) values (v_c, pg_temp.id_of('cserver'), 'tool', 't', sha256('t'), '{}', 'approved', true, now());
    insert into agent_mcp_permissions (organization_id, agent_id, mcp_server_instance_id, permissions, granted_by_id) values (v_c,
    pg_temp.id_of('cagent'), pg_temp.id_of('cserver'), '{}', pg_temp.id_of('ann'));
    set local session_replication_role = origin;
    v_before := weir.change_version();
    execute pg_temp.with_ids(p_sql);
    v_held := pg_temp.holds_lock(v_c);
    v_counted := weir.change_version() > v_before;
    raise exception 'undo' using errcode = 'P0999';
  exception when sqlstate 'P0999' then
    return case when v_held and v_counted then 'locked and counted' else format('locked %s, counted %s', v_held, v_counted) end;
  end;
end;
$$;
select case when (select rolsuper from pg_roles where rolname = current_user) then
  is(pg_temp.lock_taken_by(sql), 'locked and counted', 'A16_' || replace(name, '-', '_') || '_takes_the_lock_and_is_counted')
  else skip('a trial needs a superuser, to make rows without triggers', 1) end
from (values
  ('revoking-a-grant', 'update agent_mcp_permissions set revoked_at = now() where organization_id = {c}'),
  ('deleting-a-grant', 'delete from agent_mcp_permissions where organization_id = {c}'),
  ('making-a-grant', $$insert into agent_mcp_permissions (organization_id, agent_id, mcp_server_instance_id, permissions, granted_by_id)
    values ({c}, {cagent2}, {cserver}, '{}', {ann})$$),
  ('revoking-a-key', 'update agent_api_keys set revoked_at = now() where organization_id = {c}'),
  ('deleting-a-key', 'delete from agent_api_keys where organization_id = {c}'),
  ('deactivating-an-agent', 'update agents set stopped_at = now() where id = {cagent}'),
  ('giving-an-agent-to-another', 'update agents set user_id = {otto} where id = {cagent}'),
  ('deleting-an-agent', 'delete from agents where id = {cagent}'),
  ('suspending-a-member', $$update organization_members set status = 'suspended' where user_id = {otto} and organization_id = {c}$$),
  ('removing-a-member', 'delete from organization_members where organization_id = {c} and user_id = {otto}'),
  ('changing-a-role', $$update organization_members set role = 'viewer' where user_id = {otto} and organization_id = {c}$$),
  ('leaving-a-workspace', 'delete from workspace_members where organization_id = {c}'),
  ('deactivating-an-organization', 'update organizations set platform_stopped_at = now() where id = {c}'),
  ('stopping-an-instance', $$update mcp_server_instances set status = 'stopping' where id = {cserver}$$),
  ('deleting-an-instance', 'delete from mcp_server_instances where id = {cserver}'),
  ('rejecting-a-pin', $$update mcp_server_tools set status = 'rejected' where instance_id = {cserver}$$),
  ('withdrawing-an-announcement', 'update mcp_server_tools set announced = false where instance_id = {cserver}'),
  ('a-new-pin', $$insert into mcp_server_tools (organization_id, instance_id, kind, name, definition_hash, definition, status, announced)
    values ({c}, {cserver}, 'tool', 't', sha256('u'), '{}', 'quarantined', true)$$),
  ('deleting-a-pin', 'delete from mcp_server_tools where instance_id = {cserver}')) t(name, sql);

-- The platform
savepoint s;
select weir.withdraw_catalog_server('test-files') \g /dev/null
select ok(pg_temp.holds_lock(weir.platform_id()), 'V12_withdrawing_a_catalog_entry_takes_the_platform_s_lock');
rollback to s;

-- A refresh that finds nothing new does not disturb calls
select case when (select rolsuper from pg_roles where rolname = current_user) then
  isnt(pg_temp.lock_taken_by($$update mcp_server_instances set refreshed_at = now(), refresh_by = null, server_info = '{}'
  where id = {cserver}$$), 'locked and counted', 'a refresh that finds nothing new takes no lock')
  else skip('needs a superuser', 1) end;

-- A caller without the permission takes no lock: an admin of another organization cannot block calls by trying
insert into organization_members (organization_id, user_id, role) values (pg_temp.id_of('b'), pg_temp.id_of('otto'), 'admin');
select case when (select rolsuper from pg_roles where rolname = current_user) then
  is(pg_temp.lock_taken_by(format('select pg_temp.error_as(%L, $q$%s$q$)', who, sql)), outcome,
    format('V8_for_the_caller %s the call %s is: %s', who, sql, outcome))
  else skip('needs a superuser', 1) end
from (values ('otto', $$select manage_mcp_servers('delete', {c}, null, {cserver})$$, 'locked f, counted f'),
             ('ann', $$select manage_mcp_servers('delete', {c}, null, {cserver})$$, 'locked and counted'),
             ('otto', $$select set_member_status({c}, {ann}, 'suspended')$$, 'locked f, counted f'),
             ('ann', $$select set_member_status({c}, {otto}, 'suspended')$$, 'locked and counted')) t(who, sql, outcome);

-- TRUNCATE fires no row trigger. Each table refuses it by its own trigger, and not only because another table refers to it.
select is_empty($$
  select t.name from unnest(array['organizations', 'organization_members', 'agents', 'agent_api_keys', 'workspace_members',
  'agent_mcp_permissions', 'mcp_server_tools', 'mcp_server_catalog', 'mcp_server_instances', 'weir.grant_usage', 'weir.audit_seals',
  'weir.audit_checkpoints']) t(name)
  where not exists (select from pg_trigger g where g.tgrelid = t.name::regclass and g.tgtype & 32 = 32)$$,
    'T12_each_table_that_admission_reads_has_a_trigger_against_truncate');
select throws_ok(format('truncate %s cascade', t), 'WR003', null, 'T12_the_table_' || replace(t, '.', '_') || '_is_not_truncated')
from unnest(array['organizations', 'organization_members', 'agents', 'agent_api_keys', 'workspace_members', 'agent_mcp_permissions',
  'mcp_server_tools', 'mcp_server_catalog',
                  'mcp_server_instances', 'weir.grant_usage', 'weir.audit_seals', 'weir.audit_checkpoints']) t;
select case when (select rolsuper from pg_roles where rolname = current_user) then
  throws_ok($$
    insert into weir.audit_seals (organization_id, sequence, partition_start, merkle_root, row_count, first_xid, last_xid, epoch,
      canon_version, seal_hash)
  values (weir.uuid_v7(), 1, now(), sha256('x'), 1, '1', '1', 1, 1,
  sha256('y')); update weir.audit_seals set row_count = 2$$, 'WR003', null, 'a seal of the audit log is not updated')
  else skip('the migrator sees no seal', 1) end;
select case when (select rolsuper from pg_roles where rolname = current_user) then
  throws_ok($$insert into weir.audit_checkpoints (content, key_id, signature) values ('x', 'x', 'x'); delete from weir.audit_checkpoints$$,
  'WR003', null, 'a checkpoint of the audit log is not deleted')
  else skip('the migrator sees no checkpoint', 1) end;

-- A table that admission reads and that has no trigger would change decisions without the lock
select is_empty($$
  select t.name from unnest(array['organizations', 'organization_members', 'agents', 'agent_api_keys', 'workspace_members',
  'agent_mcp_permissions', 'mcp_server_tools',
                                  'mcp_server_catalog', 'mcp_server_instances']) t(name)
  where (select bit_or(g.tgtype) & (8 + 16) from pg_trigger g where g.tgrelid = t.name::regclass
  and g.tgname like 'b\_%') is distinct from 8 + 16$$,
  'A16_each_table_that_admission_reads_has_a_trigger_for_update_and_delete');
select * from finish();
rollback;
