-- Which model answers for an organization or one of its agents, among those that the operator offers.

-- Null is not set: an agent's value falls back to its organization's, and that to the operator's configuration. Zero is a value: 0 retries
-- is no retry. The keys of providers are the operator's, and no database has them.
create table public.model_settings (
  id uuid not null default weir.uuid_v7(),
  organization_id uuid not null,
  -- Null: the organization's own settings.
  agent_id uuid,
  provider text,
  model text,
  fallback_provider text,
  fallback_model text,
  temperature double precision,
  max_tokens integer,
  timeout_ms integer,
  retries integer,
  -- In the organization's row: whether members may choose for the agents that they own.
  owners_may_choose boolean not null default false,
  -- Null: that user was deleted.
  updated_by uuid,
  updated_at timestamptz not null default now(),
  constraint model_settings_pkey primary key (id),
  -- The organization has one row too, whose agent_id is null.
  constraint model_settings_are_set_once unique nulls not distinct (organization_id, agent_id),
  -- A model is only identified together with its provider: two providers may have one of the same name.
  constraint model_settings_name_a_model_with_its_provider check (num_nulls(provider, model) <> 1),
  constraint model_settings_name_a_fallback_with_its_provider check (num_nulls(fallback_provider, fallback_model) <> 1),
  constraint model_settings_temperature_is_0_to_2 check (temperature between 0 and 2),
  constraint model_settings_max_tokens_is_1_to_1000000 check (max_tokens between 1 and 1000000),
  constraint model_settings_timeout_is_100_ms_to_10_minutes check (timeout_ms between 100 and 600000),
  constraint model_settings_retries_are_0_to_10 check (retries between 0 and 10),
  -- Otherwise an agent's owner could permit themselves to choose.
  constraint model_settings_choice_of_owners_is_the_organization_s check (agent_id is null or not owners_may_choose),
  constraint model_settings_organization foreign key (organization_id) references public.organizations (id) on delete cascade,
  -- Composite, so that an organization cannot have settings of another one's agent.
  constraint model_settings_agent_of_the_organization
    foreign key (organization_id, agent_id) references public.agents (organization_id, id) on delete cascade,
  constraint model_settings_updated_by foreign key (updated_by) references auth.users (id) on delete set null
);
alter table public.model_settings enable row level security, force row level security;
revoke all on public.model_settings from public, anon, authenticated, service_role;
comment on table public.model_settings is 'tenant: which model answers for an organization (agent_id null) and for an agent';
-- For the foreign key, when a user is deleted.
create index model_settings_updated_by_idx on public.model_settings (updated_by);

set local role weir_system;

-- Organizations of the caller that let members choose the models of their own agents. Definer, because policies of model_settings call it,
-- and a policy that reads its own table would recurse.
create function weir.owners_may_choose_models() returns setof uuid
language plpgsql stable security definer rows 3
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    select s.organization_id
    from public.model_settings s
    where s.agent_id is null and s.owners_may_choose and s.organization_id = any(array(select weir.my_organizations('member')));
end;
$$;
grant execute on function weir.owners_may_choose_models to weir_writer;

reset role;

-- Every member may see which model answers.
create policy model_settings_are_seen_by_members on public.model_settings for select to authenticated, weir_writer
  using (organization_id = any(array(select weir.my_organizations())));
-- An admin, for the organization and each agent; a member, for an agent that they own, if the organization permits it. The policies for
-- update and delete have the same rule in `using`, which reads the existing row.
create policy model_settings_are_made_by_admins_and_owners on public.model_settings for insert to weir_writer
  with check (updated_by = (select weir.actor_id())
              and (organization_id = any(array(select weir.my_organizations('admin')))
                   or (organization_id = any(array(select weir.owners_may_choose_models()))
                       and agent_id = any(array(select weir.my_agents())))));
-- A changed row says who changed it.
create policy model_settings_are_changed_by_admins_and_owners on public.model_settings for update to weir_writer
  using (organization_id = any(array(select weir.my_organizations('admin')))
         or (organization_id = any(array(select weir.owners_may_choose_models())) and agent_id = any(array(select weir.my_agents()))))
  with check (updated_by = (select weir.actor_id()));
-- weir.set_model_settings removes the old row and inserts the new one.
create policy model_settings_are_removed_by_admins_and_owners on public.model_settings for delete to weir_writer
  using (organization_id = any(array(select weir.my_organizations('admin')))
         or (organization_id = any(array(select weir.owners_may_choose_models())) and agent_id = any(array(select weir.my_agents()))));
-- For weir.model_settings_for and weir.owners_may_choose_models.
create policy model_settings_are_read_by_the_engine on public.model_settings for select to weir_system using (true);
grant select on public.model_settings to authenticated, weir_system;
grant select,
      insert (organization_id, agent_id, provider, model, fallback_provider, fallback_model, temperature, max_tokens, timeout_ms, retries,
        owners_may_choose, updated_by),
      update (provider, model, fallback_provider, fallback_model, temperature, max_tokens, timeout_ms, retries, owners_may_choose,
        updated_by, updated_at),
      delete on public.model_settings to weir_writer;

set local role weir_system;

-- Whether the operator offers a model (setting models, which `weir migrate` and `weir up` write); `offline` is always offered. Definer,
-- because only weir_system reads settings; it answers yes or no.
create function weir.model_is_offered(p_provider text, p_model text) returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return (p_provider = 'offline' and p_model = 'offline')
    or exists (select from weir.settings s where s.name = 'models' and s.value -> p_provider ? p_model);
end;
$$;
grant execute on function weir.model_is_offered to weir_writer;

reset role;

-- What is wrong with settings, or null. p_is_agent: they are an agent's. Only models that the operator offers may be chosen. The ranges are
-- those of the table's constraints, checked first so that the error names the member.
create function weir.model_settings_error(p_settings jsonb, p_is_agent boolean) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_name constant jsonb := '{"type": "string", "minLength": 1, "maxLength": 200}'::jsonb;
  v_error constant text := weir.schema_error(jsonb_build_object('type', 'object', 'properties', jsonb_build_object(
    'provider', v_name, 'model', v_name,
    'fallback', jsonb_build_object('type', 'object', 'required', '["provider", "model"]'::jsonb,
                                   'properties', jsonb_build_object('provider', v_name, 'model', v_name)),
    'temperature', '{"type": "number", "minimum": 0, "maximum": 2}'::jsonb,
    'max_tokens', '{"type": "integer", "minimum": 1, "maximum": 1000000}'::jsonb,
    'timeout_ms', '{"type": "integer", "minimum": 100, "maximum": 600000}'::jsonb,
    'retries', '{"type": "integer", "minimum": 0, "maximum": 10}'::jsonb,
    'owners_may_choose', '{"type": "boolean"}'::jsonb)), p_settings, 'settings');
begin
  return case
    when v_error is not null then v_error
    when p_settings ? 'provider' <> p_settings ? 'model' then 'settings: provider and model must be given together'
    when p_settings ? 'model' and not weir.model_is_offered(p_settings ->> 'provider', p_settings ->> 'model')
      then 'settings: this Weir does not offer that model: ask the operator to add it'
    when p_settings ? 'fallback' and not weir.model_is_offered(p_settings #>> '{fallback,provider}', p_settings #>> '{fallback,model}')
      then 'settings.fallback: this Weir does not offer that model: ask the operator to add it'
    when p_is_agent and p_settings ? 'owners_may_choose'
      then 'settings.owners_may_choose: is a setting of the organization, not of an agent'
  end;
end;
$$;

-- Whether the caller may choose for the organization, or for that agent of it if p_agent_id is not null. Not a definer: it reads what the
-- caller may see. The policies of model_settings have the same rule.
create function weir.may_choose_model(p_organization_id uuid, p_agent_id uuid) returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return exists (select from weir.my_organizations('admin') o where o = p_organization_id)
      or (p_agent_id is not null and exists (select from weir.my_agents() a where a = p_agent_id)
          and exists (select from weir.owners_may_choose_models() o where o = p_organization_id));
end;
$$;

revoke all on function weir.model_settings_error, weir.may_choose_model from public;
grant execute on function weir.model_settings_error, weir.may_choose_model to weir_writer;

set local role weir_system;

-- The settings for a turn of that person with that agent: the agent's, else the organization's; null means the operator's configuration.
-- WR004 if there is no such agent, or the person may not use it. Definer, for the engine only: a turn reads them at its beginning, for
-- everybody who may use the agent.
create function weir.model_settings_for(p_user_id uuid, p_agent_id uuid)
returns table (provider text, model text, fallback_provider text, fallback_model text, temperature double precision, max_tokens integer,
               timeout_ms integer, retries integer)
language plpgsql stable security definer rows 1
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    select coalesce(a.provider, o.provider), coalesce(a.model, o.model), coalesce(a.fallback_provider, o.fallback_provider),
           coalesce(a.fallback_model, o.fallback_model), coalesce(a.temperature, o.temperature), coalesce(a.max_tokens, o.max_tokens),
           coalesce(a.timeout_ms, o.timeout_ms), coalesce(a.retries, o.retries)
    from public.agents g
    left join public.model_settings a on a.organization_id = g.organization_id and a.agent_id = g.id
    left join public.model_settings o on o.organization_id = g.organization_id and o.agent_id is null
    where g.id = p_agent_id and weir.may_use_agent(p_user_id, g.id, g.user_id);
  if not found then
    raise exception using errcode = 'WR004', message = 'there is no such agent';
  end if;
end;
$$;
grant execute on function weir.model_settings_for to weir_engine;

reset role;

set local role weir_writer;

-- Replaces the settings of the organization, or of an agent of it if p_agent_id is not null. weir.may_choose_model decides whether the
-- caller may; other members get WR003, and outsiders WR004. A member that is null or absent is not set; `{}` or null settings remove the
-- row. The settings are checked only if the caller may choose. The organization's lock makes removing and inserting one change. The
-- permission is checked again under it, because row-level security would silently remove nothing if the caller had lost it. Each call
-- leaves a row in the audit log, with the settings.
create function weir.set_model_settings(p_organization_id uuid, p_settings jsonb, p_agent_id uuid) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_settings jsonb;
  v_error text;
  v_refusal jsonb;
  v_constraint text;
begin
  v_act := weir.act('lifecycle', 'set_model_settings', 'choose_model',
    'only an owner or admin chooses models; an agent''s owner may if the organization permits it', p_organization_id);
  select a.id into v_act.agent_id from public.agents a
  where a.id = p_agent_id and a.organization_id = p_organization_id and a.deleted_at is null;
  v_refusal := weir.authorize(v_act, 'there is no such organization or agent', v_act.agent_id is not distinct from p_agent_id);
  if v_refusal is not null then
    return v_refusal;
  end if;
  v_error := 'settings ' || weir.bounds_error(p_settings, 4096);
  if v_error is null then
    v_settings := jsonb_strip_nulls(coalesce(nullif(p_settings, 'null'), '{}'));
    v_error := weir.model_settings_error(v_settings, p_agent_id is not null);
  end if;
  v_refusal := weir.lock_for(v_act, v_error);
  if v_refusal is not null then
    return v_refusal;
  end if;
  delete from public.model_settings s where s.organization_id = p_organization_id and s.agent_id is not distinct from p_agent_id;
  if v_settings <> '{}' then
    insert into public.model_settings (
      organization_id, agent_id, provider, model, fallback_provider, fallback_model, temperature, max_tokens, timeout_ms,
      retries, owners_may_choose, updated_by)
    values (p_organization_id, p_agent_id, v_settings ->> 'provider', v_settings ->> 'model', v_settings #>> '{fallback,provider}',
            v_settings #>> '{fallback,model}', (v_settings ->> 'temperature')::double precision,
            (v_settings ->> 'max_tokens')::numeric::integer,
            (v_settings ->> 'timeout_ms')::numeric::integer, (v_settings ->> 'retries')::numeric::integer,
            coalesce((v_settings ->> 'owners_may_choose')::boolean, false), weir.actor_id());
  end if;
  perform weir.record_act(v_act, left(v_settings::text, 500));
  return jsonb_build_object('organization_id', p_organization_id, 'agent_id', p_agent_id, 'settings', v_settings);
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint);
end;
$$;
grant execute on function weir.set_model_settings to authenticated;

reset role;

-- The published name; parameter names are API.
create function public.set_model_settings(organization_id uuid, settings jsonb, agent_id uuid default null) returns jsonb
language sql volatile begin atomic select weir.set_model_settings($1, $2, $3); end;

revoke all on function public.set_model_settings from public, anon, authenticated, service_role;
grant execute on function public.set_model_settings to authenticated;
