-- What an organization's key may read. A key is not a person: its scopes decide.

-- The closed list of functions that a key may read, each with the scope that it requires. Null: no key may read that.
create function weir.key_scope(p_function text) returns text
language sql immutable parallel safe
  return case p_function when 'read_audit' then 'audit.read' when 'read_servers' then 'servers.read'
                         when 'read_usage' then 'usage.read' end;

-- The organization's servers and their state, without configuration and address. Not a definer; read_with_key has determined the
-- organization.
create function weir.servers_of(p_organization_id uuid) returns jsonb
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select jsonb_build_object('rows', coalesce(jsonb_agg(to_jsonb(r) order by r.priority, r.id), '[]'))
    from (
      select i.id, i.instance_name, i.status, c.slug as catalog_slug, c.version as catalog_version, c.state as catalog_state,
             i.priority, i.region, i.share, i.last_error_code, i.created_at, i.updated_at
      from public.mcp_server_instances i
      left join public.mcp_server_catalog c on c.id = i.catalog_server_id
      where i.organization_id = p_organization_id and i.status <> 'deleted') r);
end;
$$;

-- Usage by the hour, oldest first, including the hours that are not summed yet and the current one. At most 31 days and 10,000 rows; more
-- is an error, so that nothing is cut off silently. Null p_until: now; null p_since: one day before p_until.
create function weir.usage_of(p_organization_id uuid, p_since timestamptz, p_until timestamptz) returns jsonb
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_until constant timestamptz := coalesce(p_until, clock_timestamp());
  v_since constant timestamptz := coalesce(p_since, v_until - interval '1 day');
  v_rows jsonb;
begin
  if not isfinite(v_since) or not isfinite(v_until) or v_until - v_since not between interval '0' and interval '31 days' then
    return weir.error('WR001', 'since must be before until, by at most 31 days');
  end if;
  select coalesce(jsonb_agg(to_jsonb(r) order by r.hour, r.agent_id, r.instance_id), '[]') into v_rows
  from (
    select u.hour, u.agent_id, u.instance_id, u.calls, u.denied, u.failed, u.duration_us
    from public.usage_hourly u
    where u.organization_id = p_organization_id and u.hour >= v_since and u.hour < v_until
    union all
    -- Counted as in weir.roll_up_usage. Denials without a row of their own are in the log a minute later.
    select date_trunc('hour', l.created_at, 'UTC'), l.agent_id, coalesce(l.instance_id, weir.platform_id()),
           count(*) filter (where l.phase = 'requested'), coalesce(sum(l.occurrences) filter (where l.phase = 'denied'), 0),
           count(*) filter (where l.phase = 'completed' and l.outcome <> 'ok'), coalesce(sum(l.duration_us), 0)
    from public.mcp_interaction_logs l
    where l.organization_id = p_organization_id and l.agent_id is not null
      and l.created_at >= greatest(v_since, coalesce((select p.rolled_up_to from weir.usage_progress p), v_since))
      and l.created_at < v_until and date_trunc('hour', l.created_at, 'UTC') >= v_since
      and l.kind in ('tool_execution', 'resource_read', 'prompt_get', 'context_request', 'error')
    group by 1, 2, 3
    -- One more than is permitted shows that there are more.
    limit 10001) r;
  if jsonb_array_length(v_rows) > 10000 then
    return weir.error('WR001', 'since and until: the answer has more than 10,000 rows; ask for less time');
  end if;
  return jsonb_build_object('rows', v_rows);
end;
$$;

revoke all on function weir.key_scope, weir.servers_of, weir.usage_of from public;
grant execute on function weir.key_scope, weir.servers_of, weir.usage_of to weir_system;

set local role weir_system;

-- Reads p_function for a key. p_arguments are the function's named arguments; a null organization is the key's own. Refusals are returned
-- ({"error": "WR…"}) and not raised, so that their rows in the audit log commit. A value of a wrong type raises, for the caller to correct.
-- Volatile, because it records. Definer, for the engine only: a key is not a person, so no policy shows it any row.
create function weir.read_with_key(p_key_id text, p_secret_hash bytea, p_function text, p_arguments jsonb) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_scope constant text := weir.key_scope(p_function);
  v_limit integer;
  v_organization_id uuid;
  v_scopes text[];
  v_filter jsonb;
  v_before jsonb;
  v_error text;
begin
  -- The key is checked first: a caller without a valid one learns nothing else.
  select k.organization_id, k.scopes into v_organization_id, v_scopes from weir.authenticate_organization_key(p_key_id, p_secret_hash) k;
  if not found then
    return weir.error('WR002', 'The key is unknown, expired or revoked.');
  elsif v_scope is null then
    return weir.error('WR010', 'a key of an organization may read only read_audit, read_servers and read_usage');
  elsif weir.bounds_error(p_arguments, 65536) is not null then
    return weir.error('WR001', 'the arguments: the value ' || weir.bounds_error(p_arguments, 65536));
  -- Another organization's id is answered as one that does not exist.
  elsif (p_arguments ->> 'organization_id')::uuid <> v_organization_id then
    return weir.error('WR004', 'there is no such organization');
  elsif v_scope <> all(v_scopes) then
    -- The scope is checked last, so this row is in the audit log of the key's own organization.
    perform weir.record_event('admin_read', v_organization_id, 'forbidden', p_item => p_function, p_key_id => p_key_id);
    return weir.error('WR003', format('this key has no scope %s', v_scope), 'An owner or admin makes another key with that scope.');
  elsif p_function = 'read_servers' then
    return weir.servers_of(v_organization_id);
  elsif p_function = 'read_usage' then
    return weir.usage_of(v_organization_id, (p_arguments ->> 'since')::timestamptz, (p_arguments ->> 'until')::timestamptz);
  end if;
  -- read_audit: an absent argument and a JSON null mean the same.
  v_filter := nullif(p_arguments -> 'filter', 'null');
  v_before := nullif(p_arguments -> 'before', 'null');
  v_limit := coalesce((p_arguments ->> 'limit')::integer, 100);
  v_error := coalesce(case when v_limit not between 1 and 1000 then 'limit must be 1 to 1000' end,
                      weir.audit_filter_error(v_filter), weir.audit_cursor_error(v_before));
  if v_error is not null then
    perform weir.record_event(
      'admin_read', v_organization_id, 'invalid_argument', p_item => p_function, p_detail => v_error, p_key_id => p_key_id);
    return weir.error('WR001', v_error);
  end if;
  -- Recorded before it is read, as for a person (weir.read_audit).
  perform weir.record_event(
    'admin_read', v_organization_id, p_item => p_function, p_detail => weir.cut(v_filter::text, 500), p_key_id => p_key_id);
  return weir.audit_page(v_organization_id, null, v_filter, v_before, v_limit);
end;
$$;
grant execute on function weir.read_with_key to weir_engine;

reset role;
