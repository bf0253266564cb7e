-- Helpers of the published functions. A published writing function returns its refusals ({"error": "WR..."}) and does not raise
-- them, because an exception would roll back the audit log's row of the denial.

-- Records a denial and returns it as an error. A member's denial is a row in the audit log of the organization that they named, also
-- while the member is suspended. Anybody else's is only counted, so that an outsider cannot fill another organization's audit log.
-- Definer: no person may write the audit log. The actor is the verified token's and never a parameter.
create function weir.refuse(
  p_code text, p_message text, p_kind text, p_organization_id uuid default null, p_agent_id uuid default null,
  p_instance_id uuid default null, p_item text default null, p_hint text default null) returns jsonb
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
             where m.organization_id = p_organization_id and m.user_id = weir.actor_id()
               and m.status in ('active', 'suspended')) then
    perform weir.record_event(p_kind, p_organization_id, v_reason, p_agent_id, p_instance_id, p_item, p_message);
  else
    perform weir.record_security_events(array[v_reason], array[''], array[null::inet], array[1]);
  end if;
  return weir.error(p_code, p_message, p_hint);
end;
$$;
revoke all on function weir.refuse(text, text, text, uuid, uuid, uuid, text, text) from public;
grant execute on function weir.refuse(text, text, text, uuid, uuid, uuid, text, text) to weir_writer;

-- Turns an error that a writing function has caught into a refusal. The names of constraints state their rule, so they can be shown
-- to the caller. All else that is caught is a refusal of row-level security, hence WR003.
create function weir.refuse_violation(
  p_sqlstate text, p_constraint text, p_kind text, p_organization_id uuid default null, p_agent_id uuid default null,
  p_instance_id uuid default null, p_item text default null) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  return case p_sqlstate
    when '23505' then weir.refuse('WR005', 'this is already there', p_kind, p_organization_id, p_agent_id, p_instance_id, p_item,
                                  p_constraint)
    when '23503' then weir.refuse('WR004', 'what this refers to does not exist', p_kind, p_organization_id, p_agent_id,
                                  p_instance_id, p_item)
    when '23514' then weir.refuse('WR001', replace(p_constraint, '_', ' '), p_kind, p_organization_id, p_agent_id, p_instance_id, p_item)
    when '23502' then weir.refuse('WR001', 'a required value is missing', p_kind, p_organization_id, p_agent_id, p_instance_id, p_item)
    else weir.refuse('WR003', 'this is not allowed', p_kind, p_organization_id, p_agent_id, p_instance_id, p_item)
  end;
end;
$$;
revoke all on function weir.refuse_violation(text, text, text, uuid, uuid, uuid, text) from public;
grant execute on function weir.refuse_violation(text, text, text, uuid, uuid, uuid, text) to weir_writer;

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
alter function weir.refuse(text, text, text, uuid, uuid, uuid, text, text) owner to weir_system;
revoke create on schema weir from weir_system;
