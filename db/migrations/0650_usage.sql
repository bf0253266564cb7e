-- Usage by the hour, summed from the audit log.

-- Summed from the log after each hour (weir.roll_up_usage), so that usage can be read without reading the log. agent_id and instance_id are
-- copied without foreign keys, because usage outlives both; calls that named no instance have the id of all zeros (weir.platform_id).
create table public.usage_hourly (
  organization_id uuid not null,
  hour timestamptz not null,
  agent_id uuid not null,
  instance_id uuid not null,
  -- calls: admitted; denied; failed: ended with another outcome than `ok`. The time is that of all completed calls, in microseconds.
  calls bigint not null default 0,
  denied bigint not null default 0,
  failed bigint not null default 0,
  duration_us bigint not null default 0,
  -- Begins with the organization, then the hour: usage is read in this order.
  constraint usage_hourly_pkey primary key (organization_id, hour, agent_id, instance_id),
  constraint usage_hourly_is_not_negative check (least(calls, denied, failed, duration_us) >= 0),
  constraint usage_hourly_organization foreign key (organization_id) references public.organizations (id) on delete cascade
);
alter table public.usage_hourly enable row level security, force row level security;
revoke all on public.usage_hourly from public, anon, authenticated, service_role;
comment on table public.usage_hourly is 'tenant: calls by the hour, summed from the audit log (agent and instance are copied ids)';

-- Only admins see what each agent does; members read their own rows of the log (weir.read_audit).
create policy usage_is_seen_by_admins on public.usage_hourly for select to authenticated
  using (organization_id = any(array(select weir.my_organizations('admin'))));
-- A finished hour is not changed: weir_system may only insert.
create policy usage_is_rolled_up_by_the_engine on public.usage_hourly for all to weir_system using (true) with check (true);
grant select on public.usage_hourly to authenticated;
grant select, insert on public.usage_hourly to weir_system;

-- One row: everything before rolled_up_to is in usage_hourly.
create table weir.usage_progress (
  only_row boolean not null default true,
  rolled_up_to timestamptz not null,
  constraint usage_progress_pkey primary key (only_row),
  constraint usage_progress_has_one_row check (only_row),
  constraint usage_progress_is_an_hour check (rolled_up_to = date_trunc('hour', rolled_up_to, 'UTC'))
);
alter table weir.usage_progress enable row level security, force row level security;
revoke all on weir.usage_progress from public, anon, authenticated, service_role;
comment on table weir.usage_progress is 'platform: up to which hour the audit log is summed in usage_hourly';

-- Only roll_up_usage reads and updates it.
create policy usage_progress_is_kept_by_the_engine on weir.usage_progress for all to weir_system using (true) with check (true);
grant select, insert (rolled_up_to), update (rolled_up_to) on weir.usage_progress to weir_system;

set local role weir_system;

-- Sums one hour, if one is due, and returns whether it did anything; the caller repeats until it does not. An hour is due p_grace after its
-- end: the longest that a call may take, plus the five minutes that a replica's clock may be off. One replica at a time; another one does
-- not wait. Calls that named no server of the organization are under the id of all zeros. calls: admitted; denied: not admitted; failed:
-- admitted and not ended with `ok`; duration_us: microseconds of all that ended. Definer: it sums the calls of all organizations.
-- force_custom_plan and seqscan (decision 0061): the hour's rows may be a small or a large part of their partition.
create function weir.roll_up_usage(p_grace interval) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_custom_plan set enable_seqscan = on
as $$
declare
  v_hour timestamptz;
begin
  if not pg_try_advisory_xact_lock(hashtextextended('weir.roll_up_usage', 0)) then
    return false;
  end if;
  select p.rolled_up_to into v_hour from weir.usage_progress p;
  if v_hour is null then
    -- The first time it begins at the audit log's first row, or now.
    insert into weir.usage_progress (rolled_up_to)
    select date_trunc('hour', coalesce((select min(l.created_at) from public.mcp_interaction_logs l), clock_timestamp()), 'UTC')
    on conflict do nothing;
    return true;
  elsif v_hour + interval '1 hour' + greatest(p_grace, interval '5 minutes') > clock_timestamp() then
    return false;
  end if;
  insert into public.usage_hourly (organization_id, hour, agent_id, instance_id, calls, denied, failed, duration_us)
  -- A denial row may stand for many denials; requests and outcomes have a row each.
  select l.organization_id, v_hour, l.agent_id, coalesce(l.instance_id, weir.platform_id()),
         count(*) filter (where l.phase = 'requested'), coalesce(sum(l.occurrences) filter (where l.phase = 'denied'), 0),
         count(*) filter (where l.phase = 'completed' and l.outcome <> 'ok'), coalesce(sum(l.duration_us), 0)
  from public.mcp_interaction_logs l
  -- An organization that was deleted meanwhile has no usage any more.
  join public.organizations o on o.id = l.organization_id
  where l.created_at >= v_hour and l.created_at < v_hour + interval '1 hour' and l.agent_id is not null
    and l.kind in ('tool_execution', 'resource_read', 'prompt_get', 'context_request', 'error')
  group by l.organization_id, l.agent_id, coalesce(l.instance_id, weir.platform_id())
  on conflict do nothing;
  update weir.usage_progress p set rolled_up_to = v_hour + interval '1 hour';
  return true;
end;
$$;
grant execute on function weir.roll_up_usage to weir_engine;

reset role;
