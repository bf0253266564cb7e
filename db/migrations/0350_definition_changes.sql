-- Definition changes: how a definition differs from the approved one, and an admin's decision about it.

-- The members that differ between two definitions, each with its old and new value; a side that lacks the member has none. Null if one of
-- the two is no JSON object or is out of bounds (weir.bounds_error): a server wrote it, and printing it may cost far more than its own
-- size. Values are compared as jsonb and shown as they are written: 1e400 has five characters, and jsonb would print it with 401.
create function weir.definition_diff(p_old text, p_new text) returns json
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_old jsonb;
  v_new jsonb;
begin
  begin
    v_old := p_old::jsonb;
    v_new := p_new::jsonb;
  exception
    when data_exception then
      return null;
  end;
  if jsonb_typeof(v_old) is distinct from 'object' or jsonb_typeof(v_new) is distinct from 'object'
     or weir.bounds_error(v_old, 1048576) is not null or weir.bounds_error(v_new, 1048576) is not null then
    return null;
  end if;
  return (
    select coalesce(json_object_agg(m.name, case when m.old is null then json_build_object('new', m.new)
                                                 when m.new is null then json_build_object('old', m.old)
                                                 else json_build_object('old', m.old, 'new', m.new) end order by m.name), '{}')
    from (select name, o.value as old, n.value as new
          -- If a name occurs twice, the last counts, as in jsonb.
          from (select distinct on (e.key) e.key as name, e.value
                from json_each(p_old::json) with ordinality e(key, value, place) order by e.key, e.place desc) o
          full join (select distinct on (e.key) e.key as name, e.value
                     from json_each(p_new::json) with ordinality e(key, value, place) order by e.key, e.place desc) n using (name)
          where v_old -> name is distinct from v_new -> name) m);
end;
$$;

revoke all on function weir.definition_diff from public;
grant execute on function weir.definition_diff to weir_writer;

set local role weir_writer;

-- The definitions that wait for a decision, and those that are announced but not listed, or not to all clients. Every member sees them
-- (policy pins_are_seen_by_members); a server that the caller does not see is WR004. `path` and `reason` say which member is wrong and why.
-- Announced definitions come first. Each row has the last approved definition of its name, so that a person sees what an approval changes.
-- Resources have none, because they need no approval. It writes nothing and raises its refusals.
create function weir.get_mcp_tool_changes(p_server_id uuid)
returns table (kind text, name text, definition_hash text, change text, warning text, announced boolean, first_seen_at timestamptz,
               definition text, approved_hash text, approved_definition text, diff json, path text, reason text, needs text[])
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
  perform weir.require_sign_in();
  if not exists (select from public.mcp_server_instances i where i.id = p_server_id and i.status not in ('deleting', 'deleted')) then
    raise exception using errcode = 'WR004', message = 'there is no such server';
  end if;
  return query
  select t.kind, t.name, encode(t.definition_hash, 'hex'),
         -- What waits for a decision is new or changed, even if only some clients will see it.
         case when t.fault is not null and (t.eras = '{}' or t.status <> 'quarantined') then t.fault
              when old.definition is null then 'new' else 'changed' end,
         t.warning, t.announced, t.first_seen_at, t.definition, encode(old.definition_hash, 'hex'), old.definition,
         weir.definition_diff(old.definition, t.definition), t.fault_path, t.fault_reason, t.needs
  from public.mcp_server_tools t
  left join lateral (select x.definition_hash, x.definition from public.mcp_server_tools x
                     where x.instance_id = t.instance_id and x.kind = t.kind and x.name = t.name and x.status = 'approved'
                       and t.kind <> 'resource'
                     order by x.approved_at desc, x.definition_hash limit 1) old on true
  where t.instance_id = p_server_id
    and (t.status = 'quarantined' or t.fault is not null and (t.announced or t.kind = 'resource') and t.status <> 'rejected')
  order by t.announced desc, t.kind, t.name, t.first_seen_at desc, t.definition_hash;
end;
$$;
grant execute on function weir.get_mcp_tool_changes to authenticated;

-- For owners and admins (policy pins_are_decided_by_admins). Approves or rejects one definition. The definition is named by its hash, so
-- that an admin cannot approve one that the server has changed since. It need not be announced any more, and an earlier decision can be
-- reversed. A definition that cannot be listed to any client is not approved (WR005), because it could not be called. Effective with the
-- next call: the organization's lock waits for the admissions that run.
-- A repeated call answers `changed: false` and leaves no row in the audit log.
create function weir.decide_tool_change(p_server_id uuid, p_kind text, p_name text, p_definition_hash text, p_status text) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_error text;
  v_hash bytea;
  v_pin public.mcp_server_tools;
  v_refusal jsonb;
begin
  if p_definition_hash is null or octet_length(p_definition_hash) > 66 or p_definition_hash !~ '^(\\x)?[0-9a-fA-F]{64}$' then
    v_error := 'definition_hash must be 64 hexadecimal digits';
  end if;
  -- Everybody who sees the server gets the error for a wrong hash, whatever their role.
  v_act := weir.act('lifecycle', case p_status when 'approved' then 'approve_mcp_tool_change' else 'reject_mcp_tool_change' end,
    case when v_error is null then 'admin' else 'see' end, 'only an owner or admin approves or rejects a definition',
    p_instance_id => p_server_id);
  select i.organization_id into v_act.organization_id from public.mcp_server_instances i
  where i.id = p_server_id and i.status not in ('deleting', 'deleted');
  v_refusal := weir.authorize(v_act, 'there is no such server');
  if v_refusal is null then
    v_refusal := weir.lock_for(v_act, v_error);
  end if;
  if v_refusal is not null then
    return v_refusal;
  end if;
  v_hash := decode(right(p_definition_hash, 64), 'hex');
  select t.* into v_pin from public.mcp_server_tools t
  where octet_length(p_kind) <= 16 and octet_length(p_name) <= 2048
    and t.instance_id = p_server_id and t.kind = p_kind and t.kind <> 'resource' and t.name = p_name and t.definition_hash = v_hash;
  if v_pin.instance_id is null then
    return weir.refuse(v_act, 'WR004', 'there is no such definition');
  elsif p_status = 'approved' and v_pin.eras = '{}' and v_pin.needs = '{}' then
    return weir.refuse(v_act, 'WR005',
      format('this definition is %s and cannot be listed, so it cannot be approved: %s', v_pin.fault, v_pin.fault_reason));
  end if;
  if v_pin.status <> p_status then
    update public.mcp_server_tools t
    set status = p_status, approved_at = case p_status when 'approved' then clock_timestamp() end,
        approved_by = case p_status when 'approved' then weir.actor_id() end
    where t.instance_id = p_server_id and t.kind = p_kind and t.name = p_name and t.definition_hash = v_hash;
    perform weir.record_act(v_act, format('%s %s: %s', p_kind, encode(v_hash, 'hex'), left(p_name, 200)));
  end if;
  return jsonb_build_object('server_id', p_server_id, 'kind', p_kind, 'name', p_name, 'definition_hash', encode(v_hash, 'hex'),
                            'status', p_status, 'changed', v_pin.status <> p_status,
                            'announced', v_pin.announced, 'warning', v_pin.warning);
end;
$$;
grant execute on function weir.decide_tool_change to authenticated;

reset role;

-- The published names; parameter names are API.
create function public.get_mcp_tool_changes(server_id uuid)
returns table (kind text, name text, definition_hash text, change text, warning text, announced boolean, first_seen_at timestamptz,
               definition text, approved_hash text, approved_definition text, diff json, path text, reason text, needs text[])
language sql stable begin atomic select * from weir.get_mcp_tool_changes($1); end;
create function public.approve_mcp_tool_change(server_id uuid, kind text, name text, definition_hash text) returns jsonb
language sql volatile begin atomic select weir.decide_tool_change($1, $2, $3, $4, 'approved'); end;
create function public.reject_mcp_tool_change(server_id uuid, kind text, name text, definition_hash text) returns jsonb
language sql volatile begin atomic select weir.decide_tool_change($1, $2, $3, $4, 'rejected'); end;

revoke all on function public.get_mcp_tool_changes, public.approve_mcp_tool_change, public.reject_mcp_tool_change
  from public, anon, authenticated, service_role;
grant execute on function public.get_mcp_tool_changes, public.approve_mcp_tool_change, public.reject_mcp_tool_change to authenticated;
