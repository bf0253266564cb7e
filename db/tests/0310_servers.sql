-- The effects of a change of an instance's row, whoever writes it.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select plan(5);

-- Replicas keep the timeout with an agent's tools. A transaction counts once, so the count begins again for each change here.
create function pg_temp.is_counted(p_change text) returns boolean language plpgsql as $$
declare
  v_version bigint;
begin
  update weir.change_versions v set changed_in = '3'::xid8 where v.organization_id = pg_temp.id_of('a')
  returning v.version into v_version;
  execute pg_temp.with_ids(format('update public.mcp_server_instances set %s where id = {files}', p_change));
  return (select v.version > v_version from weir.change_versions v where v.organization_id = pg_temp.id_of('a'));
end;
$$;
select is(pg_temp.is_counted('timeout_ms = 1234'), true, 'a changed timeout of a server counts as a change of permissions');
select is(pg_temp.is_counted('timeout_ms = 1234'), false, 'a timeout that is set to the same value counts as no change of permissions');
select is(pg_temp.is_counted('refreshed_at = now()'), false, 'reading a server''s lists counts as no change of permissions');

-- Lists that are being read may be from before the restart.
create function pg_temp.lists_are_due_after(p_change text) returns boolean language plpgsql as $$
begin
  update public.mcp_server_instances i
  set refresh_at = clock_timestamp() + interval '1 hour', refresh_lease_until = clock_timestamp() + interval '1 hour'
  where i.id = pg_temp.id_of('files');
  execute pg_temp.with_ids(format('update public.mcp_server_instances set %s where id = {files}', p_change));
  return (select i.refresh_at <= clock_timestamp() and i.refresh_lease_until is null
          from public.mcp_server_instances i where i.id = pg_temp.id_of('files'));
end;
$$;
select is(pg_temp.lists_are_due_after('resets = resets + 1'), true,
  'the lists of a server that was restarted are read again at once, also while a replica reads them');
select is(pg_temp.lists_are_due_after('priority = 7'), false, 'the lists of a server that was not restarted are not read again at once');
select * from finish();
rollback;
