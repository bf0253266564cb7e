-- Usage and cost of models by the hour.

-- One row for each organization, hour, agent and model. Admins read it. The currency is part of the key, because models.currency is a
-- setting that may change. The agent's id is copied without a foreign key: usage outlives the agent, but not the organization.
create table public.model_usage_hourly (
  organization_id uuid not null,
  -- The start of the hour, in UTC.
  hour timestamptz not null,
  agent_id uuid not null,
  provider text not null,
  model text not null,
  currency text not null,
  -- A turn counts once for each model that it used. requests: those that the model answered, at least in part; failures: attempts that it
  -- did not answer.
  turns bigint not null default 0,
  requests bigint not null default 0,
  failures bigint not null default 0,
  input_tokens bigint not null default 0,
  output_tokens bigint not null default 0,
  -- Millionths of the currency. unpriced_turns counts turns with a model without a price: if it is not zero, the cost is a lower bound.
  cost_micros bigint not null default 0,
  unpriced_turns bigint not null default 0,
  constraint model_usage_hourly_pkey primary key (organization_id, hour, agent_id, provider, model, currency),
  constraint model_usage_hourly_is_not_negative
    check (least(turns, requests, failures, input_tokens, output_tokens, cost_micros, unpriced_turns) >= 0),
  constraint model_usage_hourly_organization foreign key (organization_id) references public.organizations (id) on delete cascade
);
alter table public.model_usage_hourly enable row level security, force row level security;
revoke all on public.model_usage_hourly from public, anon, authenticated, service_role;
comment on table public.model_usage_hourly is
  'tenant: tokens and cost of models by the hour; cost in millionths of the currency (agent is a copied id)';

-- Admins see their organization's usage; only the engine writes it.
create policy model_usage_is_seen_by_admins on public.model_usage_hourly for select to authenticated
  using (organization_id = any(array(select weir.my_organizations('admin'))));
-- The engine adds for all organizations, and cannot delete.
create policy model_usage_is_added_by_the_engine on public.model_usage_hourly for all to weir_system using (true) with check (true);
grant select on public.model_usage_hourly to authenticated;
grant select,
      insert,
      update (turns, requests, failures, input_tokens, output_tokens, cost_micros, unpriced_turns)
  on public.model_usage_hourly to weir_system;

set local role weir_system;

-- Adds one turn's usage, an element of p_usage for each model; called once for each turn. Rows are locked in the order of the key, so that
-- turns of the same agent never deadlock. An agent that was deleted meanwhile gets no row. Definer: the engine adds for any organization.
create function weir.record_model_usage(p_agent_id uuid, p_usage jsonb) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if weir.bounds_error(p_usage, 65536) is not null then
    raise exception using errcode = 'WR001', message = 'usage ' || weir.bounds_error(p_usage, 65536);
  end if;
  -- It does not wait for the disk (decision 0059): a crash of PostgreSQL may lose the usage of the last moments. Otherwise every turn of
  -- the agent would wait for the hour's row while another one waits for the disk.
  perform set_config('synchronous_commit', 'off', true);
  insert into public.model_usage_hourly as h (
    organization_id, hour, agent_id, provider, model, currency, turns, requests, failures, input_tokens,
    output_tokens, cost_micros, unpriced_turns)
  -- The organization is the agent's, not a parameter.
  select a.organization_id, date_trunc('hour', clock_timestamp(), 'UTC'), a.id, u.provider, u.model, u.currency, 1, u.requests, u.failures,
         u.input_tokens, u.output_tokens, coalesce(u.cost_micros, 0), (u.cost_micros is null)::integer
  from public.agents a,
       jsonb_to_recordset(p_usage) u(provider text, model text, currency text, requests bigint, failures bigint, input_tokens bigint,
                                     output_tokens bigint, cost_micros bigint)
  where a.id = p_agent_id
  order by u.provider, u.model
  on conflict (organization_id, hour, agent_id, provider, model, currency) do update set
    turns = h.turns + 1, requests = h.requests + excluded.requests, failures = h.failures + excluded.failures,
    input_tokens = h.input_tokens + excluded.input_tokens, output_tokens = h.output_tokens + excluded.output_tokens,
    cost_micros = h.cost_micros + excluded.cost_micros, unpriced_turns = h.unpriced_turns + excluded.unpriced_turns;
end;
$$;
grant execute on function weir.record_model_usage to weir_engine;

reset role;
