-- How a published writing function asks who may, and how it refuses. It returns the error and does not raise it, because an exception would
-- undo the record of the denial.

-- An act is what a published function does, who may do it, and on what. Its refusals and its success record it. A function fills in the
-- ids as it finds them; without an organization a refusal is only counted. The workspace is not recorded: one permission needs it.
create type weir.act as (
  kind text, item text, permission text, denial text, organization_id uuid, agent_id uuid, instance_id uuid, workspace_id uuid
);
revoke all on type weir.act from public;
grant usage on type weir.act to weir_writer, weir_system;

-- Makes an act by named arguments, since most acts lack most of them.
create function weir.act(
  p_kind text, p_item text, p_permission text default null, p_denial text default null, p_organization_id uuid default null,
  p_agent_id uuid default null, p_instance_id uuid default null, p_workspace_id uuid default null) returns weir.act
language sql immutable parallel safe
  return row(p_kind, p_item, p_permission, p_denial, p_organization_id, p_agent_id, p_instance_id, p_workspace_id)::weir.act;
revoke all on function weir.act(text, text, text, text, uuid, uuid, uuid, uuid) from public;
grant execute on function weir.act(text, text, text, text, uuid, uuid, uuid, uuid) to weir_writer, weir_system;

-- Records a denial and returns it as an error. A member's denial is a row in the audit log of the organization that they named, also
-- while the member is suspended. Anybody else's is only counted, so that an outsider cannot fill another organization's audit log.
-- Definer: no person may write the audit log. The actor is the verified token's and never a parameter.
create function weir.refuse(p_act weir.act, p_code text, p_message text, p_hint text default null) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_reason constant text := case p_code
    when 'WR001' then 'invalid_argument' when 'WR002' then 'unauthenticated' when 'WR003' then 'forbidden'
    when 'WR004' then 'not_found' when 'WR005' then 'conflict' when 'WR006' then 'quota_exceeded'
    when 'WR008' then 'rate_limited' when 'WR010' then 'not_supported' else 'error' end;
begin
  if exists (select from public.organization_members m
             where m.organization_id = p_act.organization_id and m.user_id = weir.actor_id()
               and m.status in ('active', 'suspended')) then
    perform weir.record_event(p_act.kind, p_act.organization_id, v_reason, p_act.agent_id, p_act.instance_id, p_act.item, p_message);
  else
    perform weir.record_security_events(array[v_reason], array[''], array[null::inet], array[1]);
  end if;
  return weir.error(p_code, p_message, p_hint);
end;
$$;
revoke all on function weir.refuse(weir.act, text, text, text) from public;
grant execute on function weir.refuse(weir.act, text, text, text) to weir_writer;

-- Turns an error that a writing function has caught into a refusal. The names of constraints state their rule, so they can be shown
-- to the caller. All else that is caught is a refusal of row-level security, hence WR003.
create function weir.refuse_violation(p_act weir.act, p_sqlstate text, p_constraint text) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  return case p_sqlstate
    when '23505' then weir.refuse(p_act, 'WR005', 'this is already there', p_constraint)
    when '23503' then weir.refuse(p_act, 'WR004', 'what this refers to does not exist')
    when '23514' then weir.refuse(p_act, 'WR001', replace(p_constraint, '_', ' '))
    when '23502' then weir.refuse(p_act, 'WR001', 'a required value is missing')
    else weir.refuse(p_act, 'WR003', 'this is not allowed')
  end;
end;
$$;
revoke all on function weir.refuse_violation(weir.act, text, text) from public;
grant execute on function weir.refuse_violation(weir.act, text, text) to weir_writer;

-- Records that an act was done, in the words in which its refusal would be recorded.
create function weir.record_act(p_act weir.act, p_detail text default null, p_grant_id uuid default null) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  perform weir.record_event(p_act.kind, p_act.organization_id, p_agent_id => p_act.agent_id, p_instance_id => p_act.instance_id,
                            p_item => p_act.item, p_detail => p_detail, p_grant_id => p_grant_id);
end;
$$;
revoke all on function weir.record_act(weir.act, text, uuid) from public;
grant execute on function weir.record_act(weir.act, text, uuid) to weir_writer, weir_system;

-- Whether the caller has a permission on what the act is about. The permissions are a closed set, so that a misspelt one is an error.
-- One `if` for each, because PostgreSQL checks the privileges of all functions in an expression, also of those that it does not call, and
-- weir_system may not execute all of these.
create function weir.may(p_act weir.act, p_permission text) returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  if p_permission = 'signed_in' then
    return weir.actor_id() is not null;
  elsif p_act.organization_id is null then
    return false;
  elsif p_permission = 'see' then
    -- the function has found the object by the caller's policies, and with it the organization
    return true;
  elsif p_permission in ('viewer', 'member', 'admin', 'owner') then
    -- that role or a higher one
    return exists (select from weir.my_organizations(p_permission) o where o = p_act.organization_id);
  elsif p_permission = 'own_agent' then
    return exists (select from weir.my_agents() a where a = p_act.agent_id);
  elsif p_permission = 'manage_agent' then
    return weir.may_manage_agent(p_act.organization_id, p_act.agent_id);
  elsif p_permission = 'add_to_workspace' then
    return weir.may_add_to_workspace(p_act.organization_id, p_act.workspace_id, p_act.agent_id);
  elsif p_permission = 'choose_model' then
    return weir.may_choose_model(p_act.organization_id, p_act.agent_id);
  end if;
  raise exception 'there is no permission %', p_permission;
end;
$$;
revoke all on function weir.may(weir.act, text) from public;
grant execute on function weir.may(weir.act, text) to weir_writer, weir_system;

-- Null if the caller may do the act, or the refusal to return. Every published function that writes asks this before it looks at arguments
-- that may be large. The order of the answers tells a caller nothing about what they do not see:
--   WR002  nobody is signed in
--   WR004  the caller does not see the organization, or p_found says that they do not see an object (p_missing)
--   WR003  the caller does not have the act's permission (its denial)
create function weir.authorize(
  p_act weir.act, p_missing text default 'there is no such organization', p_found boolean default true) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_may boolean;
begin
  if weir.actor_id() is null then
    return weir.refuse(p_act, 'WR002', 'sign in first');
  end if;
  v_may := weir.may(p_act, p_act.permission);
  -- every permission on an organization includes that the caller sees it
  if p_found is not true or not (v_may or weir.may(p_act, 'viewer')) then
    return weir.refuse(p_act, 'WR004', p_missing);
  elsif not v_may then
    return weir.refuse(p_act, 'WR003', p_act.denial);
  end if;
  return null;
end;
$$;
revoke all on function weir.authorize(weir.act, text, boolean) from public;
grant execute on function weir.authorize(weir.act, text, boolean) to weir_writer, weir_system;

-- For published functions that only read. They are stable, so they cannot record a refusal, and raise it.
create function weir.require_sign_in() returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  if weir.actor_id() is null then
    raise exception using errcode = 'WR002', message = 'sign in first';
  end if;
end;
$$;
revoke all on function weir.require_sign_in() from public;
grant execute on function weir.require_sign_in() to weir_writer, weir_system;

-- Takes the organization's lock for an act that weir.authorize has permitted: null, or the refusal to return. The lock blocks calls, so
-- nobody takes it without the permission or with a wrong argument (p_error, WR001). The caller may have lost the permission while they
-- waited for the lock, so it is checked again under it. A function that asks for 'see' only looks its object up again itself.
create function weir.lock_for(p_act weir.act, p_error text default null) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  if p_error is not null then
    return weir.refuse(p_act, 'WR001', p_error);
  end if;
  perform weir.lock_organization(p_act.organization_id);
  if not weir.may(p_act, p_act.permission) then
    return weir.refuse(p_act, 'WR003', p_act.denial);
  end if;
  return null;
end;
$$;
revoke all on function weir.lock_for(weir.act, text) from public;
grant execute on function weir.lock_for(weir.act, text) to weir_writer;

-- What is wrong with a name, or null. The error begins with the argument's name, as every WR001 does. The length is asked before
-- btrim, so that a huge text is refused without being copied.
create function weir.name_error(p_argument text, p_value text) returns text
language sql immutable parallel safe
  return case when p_value is null or length(p_value) > 1000 or length(btrim(p_value)) not between 1 and 100
                or p_value ~ '[[:cntrl:]]'
              then p_argument || ' must be 1 to 100 characters' end;
revoke all on function weir.name_error(text, text) from public;
grant execute on function weir.name_error(text, text) to weir_writer, weir_system;

-- Where a value violates a JSON Schema, or null. Only a subset of JSON Schema is supported, and an unknown keyword is an error, so a
-- catalog entry cannot rely on a check that nobody makes. Properties that are not declared are refused. A pattern must match the whole
-- value and is held to the closed grammar of patterns (weir.pattern_error), whose cost is bounded.
create function weir.schema_error(p_schema jsonb, p_value jsonb, p_path text) returns text
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_type constant text := jsonb_typeof(p_value);
  v_key text;
  v_rule jsonb;
  v_error text;
begin
  if jsonb_typeof(p_schema) is distinct from 'object' then
    return p_path || ': the schema is not an object';
  end if;
  for v_key, v_rule in select e.key, e.value from jsonb_each(p_schema) e loop
    v_error := case
      when v_key in ('title', 'description', 'default', 'examples', '$schema', 'additionalProperties') then null
      when v_key = 'type' then
        case when v_rule #>> '{}' = v_type
               or (v_rule = '"integer"' and v_type = 'number' and (p_value #>> '{}')::numeric % 1 = 0) then null
             else 'must be of type ' || (v_rule #>> '{}') end
      when v_key = 'enum' then
        case when exists (select from jsonb_array_elements(v_rule) i where i = p_value) then null
             else 'is not one of the allowed values' end
      when v_key = 'const' then case when p_value = v_rule then null else 'is not the allowed value' end
      when v_key = 'minLength' then
        case when v_type <> 'string' or length(p_value #>> '{}') >= (v_rule #>> '{}')::integer then null else 'is too short' end
      when v_key = 'maxLength' then
        case when v_type <> 'string' or length(p_value #>> '{}') <= (v_rule #>> '{}')::integer then null else 'is too long' end
      when v_key = 'pattern' then
        case when v_type <> 'string' or (length(p_value #>> '{}') <= 4096 and weir.pattern_error(v_rule #>> '{}') is null
                                         and (p_value #>> '{}') ~ ('^(?:' || (v_rule #>> '{}') || ')$')) then null
             else 'does not have the required form' end
      when v_key = 'minimum' then
        case when v_type <> 'number' or (p_value #>> '{}')::numeric >= (v_rule #>> '{}')::numeric then null else 'is too small' end
      when v_key = 'maximum' then
        case when v_type <> 'number' or (p_value #>> '{}')::numeric <= (v_rule #>> '{}')::numeric then null else 'is too large' end
      when v_key = 'minItems' then
        case when v_type <> 'array' or jsonb_array_length(p_value) >= (v_rule #>> '{}')::integer then null else 'has too few items' end
      when v_key = 'maxItems' then
        case when v_type <> 'array' or jsonb_array_length(p_value) <= (v_rule #>> '{}')::integer then null else 'has too many items' end
      when v_key = 'required' and v_type = 'object' then
        (select 'is missing ' || r.name from jsonb_array_elements_text(v_rule) r(name) where not p_value ? r.name limit 1)
      when v_key in ('properties', 'required', 'items') then null
      else 'cannot be checked: the schema has the unknown keyword ' || left(v_key, 64)
    end;
    if v_error is not null then
      return p_path || ': ' || v_error;
    end if;
  end loop;
  if v_type = 'object' then
    for v_key, v_rule in select e.key, e.value from jsonb_each(p_value) e loop
      v_error := case when p_schema -> 'properties' ? v_key
                      then weir.schema_error(p_schema -> 'properties' -> v_key, v_rule, p_path || '.' || v_key)
                      else p_path || '.' || left(v_key, 64) || ': is not a known setting' end;
      exit when v_error is not null;
    end loop;
  elsif v_type = 'array' and p_schema ? 'items' then
    select e.error into v_error
    from jsonb_array_elements(p_value) with ordinality a(item, n),
         lateral (select weir.schema_error(p_schema -> 'items', a.item, p_path || '[' || (a.n - 1) || ']') as error) e
    where e.error is not null limit 1;
  end if;
  return v_error;
end;
$$;
revoke all on function weir.schema_error(jsonb, jsonb, text) from public;
grant execute on function weir.schema_error(jsonb, jsonb, text) to weir_writer, weir_system;
grant create on schema weir to weir_system;
alter function weir.refuse(weir.act, text, text, text) owner to weir_system;
revoke create on schema weir from weir_system;
