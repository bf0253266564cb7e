-- The decision: whether this agent may make this call now. Admission, subscriptions and explanations all call weir.decide, and nothing else
-- permits a call. The list of agent tools (weir.agent_catalog) permits nothing.

-- The decision about one call. `failures` has every check that failed, in the order of the checks; the first is the reason, and empty means
-- allowed. `detail` is one of these: the path of the argument that broke a rule with what is permitted there (weir.argument_detail, without
-- values that only readers of the grant may know); the state of an instance that is unavailable; or who switched off the agent or the
-- server (`organization` or `platform`). weir.admit adds `limit` and its detail. endpoint_url is set for an allowed call only. ordinal is
-- the call's index in the arrays that were passed.
create type weir.call_decision as (
  ordinal integer,
  failures text[],
  detail text,
  organization_id uuid,
  agent_id uuid,
  agent_name text,
  key_id text,
  user_id uuid,
  instance_id uuid,
  instance_name text,
  endpoint_url text,
  node_id uuid,
  share text,
  grant_id uuid,
  limits jsonb,
  resets bigint
);

-- All calls of a batch, in one value: a set of rows would cost the caller a statement of its own.
create type weir.decisions as (
  calls weir.call_decision[],  -- in no particular order (see ordinal): sorting costs a lone call a tenth of its decision
  limited boolean              -- whether an allowed call has a limit, which weir.admit must then count
);
revoke all on type weir.call_decision, weir.decisions from public;
grant usage on type weir.call_decision, weir.decisions to weir_system;

-- Whether a person may use an agent: one that they own, or that shares a workspace with them. An agent without an owner has no owner to
-- match. Roles and status are not checked here; callers check those. No search_path of its own, as weir.matches_glob.
create function weir.may_use_agent(p_user_id uuid, p_agent_id uuid, p_owner_id uuid) returns boolean
language plpgsql stable
as $$
begin
  return p_owner_id is not distinct from p_user_id and p_user_id is not null
      or exists (select from public.workspace_members a
                 join public.workspace_members u on u.workspace_id = a.workspace_id
                 where a.agent_id = p_agent_id and u.user_id = p_user_id);
end;
$$;

-- Decides a batch of calls. It only reads; admission records and counts.
-- p_locked: the organizations whose shared lock this transaction holds; a call of any other is `changing`. Null if the answer only informs.
-- p_without_key: the agent is named by its id alone, which only explanations may do.
-- Stable: it reads the snapshot of the statement that calls it, which must therefore come after the statement that took the locks.
-- One index look-up for each call and table: `offset 0` keeps the planner from turning the look-ups into joins of whole tables. It returns
-- one value and not a set of rows, because starting statements is half of what a lone call costs. No search_path of its own, as
-- weir.matches_glob; not a security definer either, because only functions of weir_system call it.
create function weir.decide(
  p_key_ids text[], p_secret_hashes bytea[], p_user_ids uuid[], p_agent_ids uuid[], p_kinds text[], p_instance_ids uuid[],
  p_items text[], p_arguments text[], p_locked uuid[], p_without_key boolean default false) returns weir.decisions
language plpgsql stable
as $$
declare
  v_now constant timestamptz := clock_timestamp();
  v_decisions weir.decisions;
begin
  -- Three levels: the innermost looks rows up and lists what fails, the middle one evaluates the argument rules if nothing else failed, and
  -- this one builds the answer.
  select array_agg(row(
           r.ordinal, case when r.path is null then r.failures else array_prepend('argument_rule', r.failures) end,
           case when r.path is not null then weir.argument_detail(r.entries, r.path, false)
                when r.failures[1] = 'unavailable' then r.status
                when r.failures[1] = 'agent_stopped' then r.agent_stopped_by
                when r.failures[1] = 'server_stopped' then r.server_stopped_by end,
           r.organization_id, r.agent_id, r.agent_name, r.key_id, r.user_id, r.instance_id, r.instance_name,
           case when r.path is null and r.failures = '{}' then r.endpoint_url end, r.node_id, r.share, r.grant_id,
           r.limits, r.resets)::weir.call_decision),
         coalesce(bool_or(r.path is null and r.failures = '{}' and r.limits <> '{}'), false)
  into v_decisions.calls, v_decisions.limited
  from (
    -- Rules are evaluated only if all other checks permit the call, so that no time is spent on the rules of a grant that would not help.
    -- Whether the server is available is not a permission, and does not matter here.
    select d.*, case when (d.failures = '{}' or d.failures = '{unavailable}') and d.entries <> '{}' and weir.has_argument_rule(d.entries)
                     then weir.argument_failure(d.entries, p_arguments[d.ordinal]) end as path
    from (
      select c.ordinal, a.organization_id, a.id as agent_id, a.name as agent_name, k.key_id, c.user_id,
             i.id as instance_id, i.instance_name, i.status, i.share, i.node_id, i.resets,
             case when a.platform_stopped_at is not null then 'platform' else 'organization' end as agent_stopped_by,
             case when i.platform_stopped_at is not null then 'platform' else 'organization' end as server_stopped_by,
             weir.endpoint_url(i.url, n.api_url, i.id) as endpoint_url,
             g.id as grant_id, g.permissions -> 'limits' as limits, e.entries,
             array_remove(array[
        -- 1. who: the key, or the person and the agent
        case when a.id is null then 'key_unknown' end,
        case when not a.organization_id = any(p_locked) then 'changing' end,
        case when k.revoked_at is not null then 'key_revoked' when k.expires_at <= v_now then 'key_expired' end,
        -- What is switched off, the platform first. What is deleted has another reason.
        case when a.id is not null and exists (select from weir.platform_stop p where p.only_row) then 'platform_stopped' end,
        case when o.deleted_at is not null then 'organization_inactive' when not o.is_active then 'organization_stopped' end,
        case when a.deleted_at is not null then 'agent_inactive' when not a.is_active then 'agent_stopped' end,
        -- 2. for whom: the agent's owner is responsible for it; a person who acts through it must be active too
        case when owner.status is distinct from 'active'
               or c.user_id is not null and person.status is distinct from 'active' then 'member_inactive' end,
        case when owner.role = 'viewer' or person.role = 'viewer'
               or c.user_id is not null and not weir.may_use_agent(c.user_id, a.id, a.user_id)
               or k.key_id is not null and c.agent_id <> a.id then 'user_forbidden' end,
        -- 3. what: an instance of the agent's organization
        case when c.instance_id is null then 'unknown'
             when i.id is null then 'instance_unknown' end,
        -- 4. by which grant
        case when g.id is null or g.not_before > v_now then 'no_grant' when g.expires_at <= v_now then 'grant_expired' end,
        case when e.entries is null then 'item_not_granted' end,
        -- 5. whether the definition that the server announces is approved
        case when pin.approved is null
               and (c.kind in ('tool_execution', 'prompt_get') or c.kind = 'context_request' and not weir.is_uri(c.item))
             then 'definition_not_approved' end,
        -- 6. the argument rules: the middle level evaluates them, if 1 to 5 permit the call
        -- 7. whether the server is switched off, or the platform has blocked what it runs: after the grant, so that nobody else learns that
        --    the server exists
        case when not i.is_active then 'server_stopped' end,
        case when cat.state = 'blocked' then 'catalog_blocked' end,
        -- 8. whether the server is available: not a permission, so it comes last
        case when i.status not in ('running', 'degraded') then 'unavailable' end], null) as failures
      from (select n as ordinal, p_key_ids[n] as key_id, p_secret_hashes[n] as secret_hash, p_user_ids[n] as user_id,
                   p_agent_ids[n] as agent_id, p_kinds[n] as kind, p_instance_ids[n] as instance_id, p_items[n] as item
            from generate_series(1, cardinality(p_kinds)) n offset 0) c
      -- The hash is compared here, so a known id with another secret is an unknown key.
      left join lateral (select x.key_id, x.agent_id, x.revoked_at, x.expires_at from public.agent_api_keys x
                         where x.key_id = c.key_id and x.secret_hash = c.secret_hash offset 0) k on true
      -- The agent is the key's, never the one that the caller names besides a key.
      left join lateral (select x.id, x.organization_id, x.name, x.user_id, x.is_active, x.platform_stopped_at, x.deleted_at
                         from public.agents x
                         where x.id = case when c.key_id is not null then k.agent_id
                                           when c.user_id is not null or p_without_key then c.agent_id end
                         offset 0) a on true
      left join lateral (select x.is_active, x.deleted_at from public.organizations x where x.id = a.organization_id offset 0) o on true
      left join lateral (select x.role, x.status from public.organization_members x
                         where x.organization_id = a.organization_id and x.user_id = a.user_id offset 0) owner on true
      left join lateral (select x.role, x.status from public.organization_members x
                         where x.organization_id = a.organization_id and x.user_id = c.user_id offset 0) person on true
      -- Of the agent's organization only, so another tenant's instance does not exist here.
      left join lateral (select x.id, x.instance_name, x.status, x.share, x.node_id, x.url, x.catalog_server_id, x.resets,
                                x.is_active, x.platform_stopped_at
                         from public.mcp_server_instances x
                         where x.id = c.instance_id and x.organization_id = a.organization_id
                           and x.status not in ('deleting', 'deleted') offset 0) i on true
      left join lateral (select x.state from public.mcp_server_catalog x where x.id = i.catalog_server_id offset 0) cat on true
      left join lateral (select x.api_url from weir.dtma_nodes x where x.id = i.node_id offset 0) n on true
      left join lateral (select x.id, x.permissions, x.not_before, x.expires_at from public.agent_mcp_permissions x
                         where x.agent_id = a.id and x.mcp_server_instance_id = i.id and x.revoked_at is null offset 0) g on true
      -- The most frequent cases are decided here, without calling a function: a tool by its exact name, and context as such.
      left join lateral (select case when c.kind = 'tool_execution' and g.permissions -> 'tools' -> c.item is not null
                                     then array[g.permissions -> 'tools' -> c.item]
                                     when c.kind = 'context_request' and c.item is null and jsonb_typeof(g.permissions) = 'object'
                                     then '{}'
                                     when g.id is not null
                                     then weir.granted_entries(g.permissions, c.kind, c.item) end as entries offset 0) e on true
      -- A join and not `exists`, which the planner would turn into one scan of all definitions of all tenants.
      left join lateral (select true as approved from public.mcp_server_tools x
                         where x.instance_id = i.id and x.kind = case c.kind when 'tool_execution' then 'tool' else 'prompt' end
                           and x.name = c.item and x.announced and x.status = 'approved' limit 1) pin on true
      offset 0) d
    offset 0) r;
  return v_decisions;
end;
$$;

revoke all on function weir.may_use_agent, weir.decide from public;
grant execute on function weir.decide to weir_system;
grant execute on function weir.may_use_agent to weir_system, weir_writer;
