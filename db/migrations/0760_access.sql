-- Questions about access: why a call would be denied, whether it would be admitted, and what an agent may use.

-- Whether the next call would exceed a limit of the grant. Admission counts and compares in one statement; this only reads.
create function weir.limit_reached(p_grant_id uuid, p_limits jsonb) returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return exists (
    select from jsonb_each_text(case when jsonb_typeof(p_limits) = 'object' then p_limits else '{}' end) l(period, amount)
    left join weir.grant_usage u on u.grant_id = p_grant_id and u.period = l.period
         and u.window_start >= date_trunc(substr(l.period, 5), clock_timestamp(), 'UTC')
    where coalesce(u.used, 0) >= l.amount::bigint);
end;
$$;

revoke all on function weir.limit_reached from public;
grant execute on function weir.limit_reached to weir_system;

set local role weir_system;

-- Whether a call would be admitted now, and each check with its result. For an admin of the agent's organization it decides for the agent,
-- and for a person who may use the agent it decides for that person. Everybody else gets WR004, as for an agent that does not exist. Null
-- p_tool: whether the agent may use the server at all. Nothing is called, and nothing counts against a limit. Definer: weir.decide reads
-- grants that the caller may not see.
create function weir.explain_mcp_access(p_agent_id uuid, p_instance_id uuid, p_tool text, p_arguments jsonb) returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan
as $$
declare
  v_actor constant uuid := weir.actor_id();
  v_agent record;
  v_admin boolean;
  v_decision weir.call_decision;
  v_checks constant text[] := array['platform_stopped', 'organization_inactive', 'organization_stopped', 'agent_inactive',
    'agent_stopped', 'member_inactive', 'user_forbidden',
    'instance_unknown', 'no_grant', 'grant_expired', 'item_not_granted', 'definition_not_approved', 'argument_rule',
    'server_stopped', 'catalog_blocked', 'unavailable', 'limit'];
begin
  perform weir.require_sign_in();
  select a.id, a.organization_id, a.user_id into v_agent from public.agents a
  where a.id = p_agent_id and a.deleted_at is null and a.organization_id = any(array(select weir.my_organizations()));
  v_admin := exists (select from weir.my_organizations('admin') o where o = v_agent.organization_id);
  if v_agent.id is null or not (v_admin or weir.may_use_agent(v_actor, v_agent.id, v_agent.user_id)) then
    raise exception using errcode = 'WR004', message = 'there is no such agent';
  end if;
  if p_instance_id is null or not exists (
      select from public.mcp_server_instances i where i.id = p_instance_id and i.organization_id = v_agent.organization_id) then
    raise exception using errcode = 'WR004', message = 'there is no such server';
  elsif octet_length(p_tool) > 4096 then
    raise exception using errcode = 'WR001', message = 'tool must be at most 4 KiB';
  elsif weir.bounds_error(p_arguments, 524288) is not null then
    raise exception using errcode = 'WR001', message = 'arguments ' || weir.bounds_error(p_arguments, 524288);
  end if;
  v_decision := (weir.decide(
    array[null::text], array[null::bytea], array[case when not v_admin then v_actor end], array[p_agent_id],
    array[case when p_tool is null then 'context_request' else 'tool_execution' end], array[p_instance_id],
    array[p_tool], array[p_arguments::text], null, true)).calls[1];
  -- A caller who may read the grant gets its values too.
  if v_decision.failures[1] = 'argument_rule' and (v_admin or p_agent_id = any(array(select weir.my_agents()))) then
    select weir.argument_detail(e.entries, weir.argument_failure(e.entries, p_arguments::text), true) into v_decision.detail
    from public.agent_mcp_permissions g
    cross join lateral (select weir.granted_entries(g.permissions, 'tool_execution', p_tool) as entries offset 0) e
    where g.id = v_decision.grant_id;
  end if;
  if v_decision.failures = '{}' and weir.limit_reached(v_decision.grant_id, v_decision.limits) then
    v_decision.failures := array['limit'];
  end if;
  return jsonb_build_object(
    'allowed', v_decision.failures <@ array['unavailable'],
    'reason', v_decision.failures[1],
    'available', not 'unavailable' = any(v_decision.failures),
    'grant_id', v_decision.grant_id,
    'detail', v_decision.detail,
    -- In the order of admission. Checks after the one that failed are made too, except for rules and limits, which depend on all checks
    -- before them.
    'checks', (select jsonb_agg(jsonb_build_object('check', c.name, 'passed',
                        case when c.name = any(v_decision.failures) then false
                             when c.name = 'argument_rule' and not v_decision.failures <@ array['unavailable'] then null
                             when c.name = 'limit' and v_decision.failures <> '{}' then null
                             else true end) order by c.position)
               from unnest(v_checks) with ordinality c(name, position)));
end;
$$;
grant execute on function weir.explain_mcp_access to authenticated;

-- Whether a person may use a server through an agent; whether the server runs does not matter. A null p_user_id stands for no person. Only
-- an admin may ask for another person. If the caller may not know the answer, it is false and not an error. Definer, as explain_mcp_access.
create function weir.validate_mcp_access(p_agent_id uuid, p_instance_id uuid, p_user_id uuid) returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan
as $$
declare
  v_actor constant uuid := weir.actor_id();
  v_organization_id uuid;
begin
  select a.organization_id into v_organization_id from public.agents a
  where a.id = p_agent_id and a.deleted_at is null and a.organization_id = any(array(select weir.my_organizations()));
  if v_actor is null or v_organization_id is null or p_user_id is null then
    return false;
  elsif p_user_id <> v_actor and not exists (select from weir.my_organizations('admin') o where o = v_organization_id) then
    return false;
  end if;
  return ((weir.decide(
    array[null::text], array[null::bytea], array[p_user_id], array[p_agent_id],
    array['context_request'], array[p_instance_id], array[null::text], array[null::text], null)).calls[1]).failures
    <@ array['unavailable'];
end;
$$;
grant execute on function weir.validate_mcp_access to authenticated;

-- The servers of an organization, by priority, at most 1,000. Null p_agent_id: all of them, for admins (WR003 for other members). With an
-- agent: the servers that it may use and can reach now, for everybody who may use the agent. It shows Weir's own settings of a server to
-- everybody, and what the catalog entry's schema does not mark `writeOnly` to admins; never the server's own address. endpoint_url is the
-- gateway's, for the agent if there is one. capabilities are what this instance announced, not what its publisher wrote. In the list of all
-- servers, `note` says why a server may have more than is listed. Definer, as explain_mcp_access; its first query decides whether the
-- caller may ask.
create function weir.get_organization_mcp_configs(p_organization_id uuid, p_agent_id uuid)
returns table (id uuid, instance_name text, catalog_server jsonb, configuration jsonb, endpoint_url text, status text, available boolean,
               share text, priority integer, region text, last_error_code text, last_error text, phase text,
               phase_since timestamptz, has_agent_access boolean, access_reason text,
               grant_id uuid, expires_at timestamptz, note text)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_actor constant uuid := weir.actor_id();
  v_agent record;
  v_admin boolean;
  v_ids uuid[];
  v_count integer;
  v_decisions weir.decisions;
  v_public_url constant text := weir.public_url();
begin
  -- One query for the caller's role and the agent.
  select a.id, a.user_id, m.role into v_agent
  from public.organization_members m
  join public.organizations o on o.id = m.organization_id
  left join public.agents a on a.id = p_agent_id and a.organization_id = m.organization_id and a.deleted_at is null
  where m.organization_id = p_organization_id and m.user_id = v_actor and m.status = 'active' and o.is_active;
  v_admin := v_agent.role in ('admin', 'owner');
  perform weir.require_sign_in();
  if v_admin is null then
    raise exception using errcode = 'WR004', message = 'there is no such organization';
  elsif p_agent_id is null and not v_admin then
    raise exception using errcode = 'WR003', message = 'only an owner or admin lists all servers: give agent_id';
  elsif p_agent_id is not null
        and (v_agent.id is null or not (v_admin or weir.may_use_agent(v_actor, v_agent.id, v_agent.user_id))) then
    raise exception using errcode = 'WR004', message = 'there is no such agent';
  end if;
  -- One statement each for the ids, the decisions and the rows: a single statement would cost twice as much to start as to run.
  v_ids := array(
    select i.id from public.mcp_server_instances i
    where i.organization_id = p_organization_id
      and i.status not in ('deleting', 'deleted')
      and (p_agent_id is null or i.status in ('running', 'degraded'))
    order by i.priority, i.id
    limit 1000);
  v_count := cardinality(v_ids);
  if p_agent_id is not null and v_count > 0 then
    -- One call decides for all servers.
    v_decisions := weir.decide(
      array_fill(null::text, array[v_count]), array_fill(null::bytea, array[v_count]),
      array_fill(case when not v_admin then v_actor end, array[v_count]), array_fill(p_agent_id, array[v_count]),
      array_fill('context_request'::text, array[v_count]), v_ids, array_fill(null::text, array[v_count]),
      array_fill(null::text, array[v_count]), null, true);
  end if;
  return query
  select s.id, s.instance_name,
         case when s.url is not null then jsonb_build_object(
                'id', null, 'slug', null, 'name', s.instance_name, 'display_name', s.instance_name, 'description', '', 'version', null,
                'capabilities', s.capabilities, 'docker_image', null, 'transport', 'http', 'state', null, 'block_reason', null)
              else jsonb_build_object(
                'id', c.id, 'slug', c.slug, 'name', c.name, 'display_name', c.display_name, 'description', c.description,
                'version', c.version, 'capabilities', s.capabilities, 'docker_image', c.docker_image, 'transport', c.transport,
                'state', c.state, 'block_reason', case when v_admin then c.block_reason end) end,
         case when v_admin then weir.readable_configuration(c.configuration_schema, s.configuration) else '{}' end
           || jsonb_build_object('timeout_ms', s.timeout_ms, 'max_retries', s.max_retries, 'retry_backoff_ms', s.retry_backoff_ms,
                                 'priority', s.priority),
         case when p_agent_id is null then s.endpoint_url
              else v_public_url || '/mcp/agents/' || p_agent_id::text || '/' || s.instance_name end,
         s.status, s.status in ('running', 'degraded'), s.share, s.priority, s.region, s.last_error_code,
         case when v_admin then s.last_error else weir.failure_sentence(s.last_error_code) end, s.phase, s.phase_since,
         case when p_agent_id is not null then coalesce(d.failures = '{}', false) end, d.failures[1],
         case when d.failures = '{}' then d.grant_id end, g.expires_at,
         case when p_agent_id is not null then null
              when s.url is null and s.share <> 'session'
              then format(
              'tools that this server has only for clients with elicitation, sampling or roots are not known, because share is %s; '
              'set share to session to list them', s.share)
              when exists (select from public.mcp_server_tools t where t.instance_id = s.id and t.announced and t.fault is not null)
              then 'some items that it announces are not listed to all clients: get_mcp_tool_changes has the reasons' end
  from unnest(v_ids) with ordinality as l(id, position)
  left join unnest(v_decisions.calls) d on d.ordinal = l.position
  join lateral (select i.* from public.mcp_server_instances i
                where i.id = l.id and i.organization_id = p_organization_id offset 0) s on true
  left join lateral (select x.* from public.mcp_server_catalog x where x.id = s.catalog_server_id offset 0) c on true
  left join lateral (select x.expires_at from public.agent_mcp_permissions x
                     where x.id = case when d.failures = '{}' then d.grant_id end offset 0) g on true
  -- A person who is not an admin sees only what the agent was granted.
  where p_agent_id is null or v_admin or d.failures = '{}'
  order by l.position;
end;
$$;
grant execute on function weir.get_organization_mcp_configs to authenticated;

reset role;

-- The published names; parameter names are API.
create function public.explain_mcp_access(agent_id uuid, mcp_server_instance_id uuid, tool text default null, arguments jsonb default null)
returns jsonb
language sql stable begin atomic select weir.explain_mcp_access($1, $2, $3, $4); end;
create function public.validate_mcp_access(agent_id uuid, mcp_server_instance_id uuid, user_id uuid default auth.uid()) returns boolean
language sql stable begin atomic select weir.validate_mcp_access($1, $2, $3); end;
create function public.get_organization_mcp_configs(org_id uuid, agent_id uuid default null)
returns table (id uuid, instance_name text, catalog_server jsonb, configuration jsonb, endpoint_url text, status text, available boolean,
               share text, priority integer, region text, last_error_code text, last_error text, phase text,
               phase_since timestamptz, has_agent_access boolean, access_reason text,
               grant_id uuid, expires_at timestamptz, note text)
language sql stable begin atomic select * from weir.get_organization_mcp_configs($1, $2); end;

revoke all on function public.explain_mcp_access, public.validate_mcp_access, public.get_organization_mcp_configs
  from public, anon, authenticated, service_role;
grant execute on function public.explain_mcp_access, public.validate_mcp_access, public.get_organization_mcp_configs to authenticated;
