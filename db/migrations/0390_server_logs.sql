-- The output of a server, for its administrators. Its node stores the lines; the database decides who may read them.

set local role weir_writer;

-- An owner or admin reads a server's log. A node is never called inside a transaction, so Weir's process fetches the lines, after it has
-- called this function, which decides by the caller's policies and records the reading. A call in plain SQL ends here, with WR010. The
-- process sets weir.log_reader to state that it will fetch the lines. The setting grants nothing: a person who sets it by hand gets the
-- same answer and no lines.
create function weir.get_mcp_server_logs(p_instance_id uuid, p_tail integer, p_since timestamptz) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_refusal jsonb;
  v_url text;
begin
  v_act := weir.act('admin_read', 'get_mcp_server_logs', 'admin', 'only an owner or admin reads the log of a server');
  select i.organization_id, i.id, i.url into v_act.organization_id, v_act.instance_id, v_url
  from public.mcp_server_instances i where i.id = p_instance_id and i.status <> 'deleted';
  v_refusal := weir.authorize(v_act, 'there is no such server');
  if v_refusal is not null then
    return v_refusal;
  elsif p_tail is null or p_tail not between 1 and 1000 then
    return weir.refuse(v_act, 'WR001', 'tail must be 1 to 1000');
  elsif not isfinite(p_since) then
    return weir.refuse(v_act, 'WR001', 'since must be a finite time');
  elsif v_url is not null then
    return weir.refuse(v_act, 'WR010', 'Weir has no log of a remote server', 'Read it at the server itself.');
  elsif current_setting('weir.log_reader', true) is distinct from 'on' then
    return weir.refuse(v_act, 'WR010', 'the log is at the server''s node, which SQL cannot read',
                       'Call get_mcp_server_logs through /rest/v1/rpc of Weir.');
  end if;
  perform weir.record_act(v_act);
  return jsonb_build_object('server_instance_id', v_act.instance_id, 'tail', p_tail, 'since', p_since);
end;
$$;
grant execute on function weir.get_mcp_server_logs to authenticated;

reset role;

set local role weir_system;

-- Where the lines of a server's log are, and what the process needs to find values that must be removed from them: the templates of its
-- environment, its configuration, and the schema, which marks values as `writeOnly`. Definer, for the engine, after
-- weir.get_mcp_server_logs has permitted the call.
create function weir.server_log_source(p_instance_id uuid)
returns table (organization_id uuid, node_id uuid, env jsonb, configuration jsonb, configuration_schema jsonb)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
  select i.organization_id, coalesce(i.node_id, i.last_node_id), coalesce(c.env, '{}'), i.configuration,
         coalesce(c.configuration_schema, '{}')
  from public.mcp_server_instances i
  left join public.mcp_server_catalog c on c.id = i.catalog_server_id
  where i.id = p_instance_id and i.status <> 'deleted'
$$;
grant execute on function weir.server_log_source to weir_engine;

reset role;

-- The published name; parameter names are API.
create function public.get_mcp_server_logs(server_instance_id uuid, tail integer default 200, since timestamptz default null) returns jsonb
language sql volatile begin atomic select weir.get_mcp_server_logs($1, $2, $3); end;

revoke all on function public.get_mcp_server_logs from public, anon, authenticated, service_role;
grant execute on function public.get_mcp_server_logs to authenticated;
