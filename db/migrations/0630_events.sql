-- How functions and the engine write events into the audit log.

set local role weir_system;

-- Records what happens outside of admission: one row, or only a count if a denial repeats. Definer, for weir_writer's functions; no client
-- may call it. The actor is the token's, or the organization's key that the engine has verified (p_key_id; then there is no token). It is
-- not a parameter, so nobody acts in another's name. Names are copied from the rows of that organization that the ids refer to; an id of
-- another organization is recorded without a name. p_reason null: allowed.
create function weir.record_event(
  p_kind text, p_organization_id uuid, p_reason text default null, p_agent_id uuid default null, p_instance_id uuid default null,
  p_item text default null, p_detail text default null, p_grant_id uuid default null, p_outcome text default 'ok',
  p_key_id text default null) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor constant uuid := weir.actor_id();
  v_actor_kind constant text := case when p_key_id is not null then 'key' when v_actor is null then 'system' else 'user' end;
begin
  -- A denial is counted first; if it gets no row of its own, it ends here.
  if p_reason is not null and cardinality(weir.count_denials(array[row(
       1, p_organization_id, p_kind, p_reason, v_actor_kind, v_actor,
       -- Only ids of this organization count, so that invented ids cannot defeat the grouping of denials.
       (select a.id from public.agents a where a.id = p_agent_id and a.organization_id = p_organization_id), p_key_id,
       (select s.id from public.mcp_server_instances s
        where s.id = p_instance_id and s.organization_id = p_organization_id))::weir.denial])) > 0 then
    return;
  end if;
  insert into public.mcp_interaction_logs (
    created_at, id, phase, organization_id, kind, decision, epoch, actor_kind, user_id, key_id, agent_id, agent_name, instance_id,
    instance_name, item, grant_id, reason, detail, outcome)
  select clock_timestamp(), weir.uuid_v7(), case when p_reason is null then 'completed' else 'denied' end, p_organization_id, p_kind,
         case when p_reason is null then 'allowed' else 'denied' end, i.epoch,
         v_actor_kind, v_actor, p_key_id, p_agent_id,
         (select a.name from public.agents a where a.id = p_agent_id and a.organization_id = p_organization_id), p_instance_id,
         (select s.instance_name from public.mcp_server_instances s where s.id = p_instance_id and s.organization_id = p_organization_id),
         weir.cut(p_item, 4096), p_grant_id, p_reason, weir.cut(p_detail, 500), case when p_reason is null then p_outcome end
  from weir.installation i;
end;
$$;
grant execute on function weir.record_event to weir_writer;

-- Writes the engine's own events (lifecycle, chat, errors) in the format of read_audit: [{interaction_type, organization_id, ...}]. An
-- event with a reason in its error_details is a denial. An organization that does not exist gets no row. Returns {written}; malformed input
-- is answered with {"error": "WR001"}. An id that is already recorded changes nothing, so a batch may be sent again. Definer, for the
-- engine only.
create function weir.audit_mcp_interactions(p_interactions jsonb) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_written integer;
begin
  if jsonb_typeof(p_interactions) is distinct from 'array' then
    return weir.error('WR001', 'interactions: must be an array of objects');
  elsif weir.bounds_error(p_interactions, 4194304) is not null then
    return weir.error('WR001', 'interactions: ' || weir.bounds_error(p_interactions, 4194304));
  end if;
  insert into public.mcp_interaction_logs (
    created_at, id, phase, organization_id, kind, decision, epoch, actor_kind, user_id, agent_id, agent_name, instance_id,
    instance_name, item, request_id, reason, detail, outcome, error_code, duration_us)
  select coalesce(e.created_at, clock_timestamp()), coalesce(e.id, weir.uuid_v7()),
         case when d.reason is null then 'completed' else 'denied' end, o.id, e.interaction_type,
         case when d.reason is null then 'allowed' else 'denied' end, i.epoch,
         case when e.user_id is not null then 'user' when e.agent_id is not null then 'agent' else 'system' end,
         -- Names are copied if the id belongs to the organization; any other id gets no name.
         e.user_id, e.agent_id, (select a.name from public.agents a where a.id = e.agent_id and a.organization_id = o.id),
         e.mcp_server_instance_id,
         (select s.instance_name from public.mcp_server_instances s where s.id = e.mcp_server_instance_id and s.organization_id = o.id),
         weir.cut(e.item, 4096), weir.cut(e.request_id, 256), d.reason, weir.cut(coalesce(d.detail, e.detail), 500),
         case when d.reason is null then coalesce(e.outcome, 'ok') end, weir.cut(d.code, 100), round(e.duration_ms * 1000)::bigint
  from jsonb_to_recordset(p_interactions) as e(
         id uuid, created_at timestamptz, interaction_type text, organization_id uuid, user_id uuid, agent_id uuid,
         mcp_server_instance_id uuid, item text, request_id text, detail text, outcome text, error_details jsonb, duration_ms numeric)
  cross join lateral (select e.error_details ->> 'reason' as reason, e.error_details ->> 'code' as code,
                             e.error_details ->> 'detail' as detail) d
  join public.organizations o on o.id = e.organization_id
  cross join weir.installation i
  -- Admission and the published functions record all other kinds. Here they would be forgeries.
  where e.interaction_type in ('lifecycle', 'credential', 'oauth', 'chat', 'error')
  on conflict do nothing;
  get diagnostics v_written = row_count;
  return jsonb_build_object('written', v_written);
end;
$$;
grant execute on function weir.audit_mcp_interactions to weir_engine;

reset role;

-- The published name. Only the engine may execute it, so that no client forges a row of the audit log.
create function public.audit_mcp_interactions(interactions jsonb) returns jsonb
language sql volatile
begin atomic
  select weir.audit_mcp_interactions($1);
end;

revoke all on function public.audit_mcp_interactions from public, anon, authenticated, service_role;
grant execute on function public.audit_mcp_interactions to weir_engine;
