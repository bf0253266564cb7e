-- Evaluation of the grammar of 0130, for one call. Nothing here raises for anything that a client may send.
-- These run several times for each call, so they have no search_path of their own (setting one costs as much as the work):
-- only weir_system and weir_writer may execute them, from functions that have set theirs.

-- `*` stands for anything, all other characters for themselves.
create function weir.matches_glob(p_value text, p_glob text) returns boolean
language sql immutable parallel safe
begin atomic
  select p_value like replace(replace(replace(replace(p_glob, '\', '\\'), '%', '\%'), '_', '\_'), '*', '%');
end;

-- Below a directory or a URI, or that place itself. Not by text alone: /database is not under /data, and neither is
-- /data/../etc, /data\..\etc or /data/%2e%2e/etc.
create function weir.is_under(p_value text, p_base text) returns boolean
language plpgsql immutable parallel safe
as $$
declare
  v_base text := rtrim(p_base, '/');
begin
  return weir.is_clean_path(p_value)
     and (rtrim(p_value, '/') = v_base or starts_with(p_value, v_base || '/'));
end;
$$;

-- A URI matched by a glob may not climb out of it: no dot segment, plain or encoded, no encoded slash.
create function weir.matches_uri_glob(p_uri text, p_glob text) returns boolean
language sql immutable parallel safe
begin atomic
  select p_uri = p_glob
      or p_glob = '*'
      or (strpos(p_glob, '*') > 0
          and weir.matches_glob(p_uri, p_glob)
          and p_uri !~ '(^|/)\.{1,2}([/?#]|$)|[\\\x01-\x20\x7f-\x9f]|%(2[eEfF5]|5[cC]|0|1|7[fF])');
end;

-- What a grant says of an item: null is nothing (denied); else the entries that must all hold. An exact name beats a
-- glob; of several globs all must hold.
create function weir.granted_entries(p_permissions jsonb, p_kind text, p_item text) returns jsonb[]
language plpgsql immutable parallel safe
as $$
declare
  v_entry jsonb;
  v_entries jsonb[];
begin
  if p_kind = 'tool_execution' then
    v_entry := p_permissions -> 'tools' -> p_item;
    if v_entry is not null then
      return array[v_entry];
    elsif jsonb_typeof(p_permissions -> 'tools') = 'object' then
      select array_agg(t.value order by t.key) into v_entries
      from jsonb_each(p_permissions -> 'tools') t
      where strpos(t.key, '*') > 0 and weir.matches_glob(p_item, t.key);
    end if;
  elsif p_kind in ('resource_read', 'context_request') then
    if p_item is null and p_kind = 'context_request' and jsonb_typeof(p_permissions) = 'object' then
      return '{}'::jsonb[];
    elsif jsonb_typeof(p_permissions -> 'resources') = 'array'
       and exists (select from jsonb_array_elements_text(p_permissions -> 'resources') g where weir.matches_uri_glob(p_item, g)) then
      return '{}'::jsonb[];
    end if;
  elsif p_kind = 'prompt_get' then
    if jsonb_typeof(p_permissions -> 'prompts') = 'array'
       and exists (select from jsonb_array_elements_text(p_permissions -> 'prompts') g where weir.matches_glob(p_item, g)) then
      return '{}'::jsonb[];
    end if;
  end if;
  return v_entries;
end;
$$;

-- Where a value breaks a rule, or null. A rule for another type than the value's denies.
create function weir.rule_failure(p_rule jsonb, p_value jsonb, p_path text) returns text
language plpgsql immutable parallel safe
as $$
declare
  v_type text := jsonb_typeof(p_value);
  v_text text := case when v_type = 'string' then p_value #>> '{}' end;
  v_number numeric := case when v_type = 'number' then (p_value #>> '{}')::numeric end;
  v_holds boolean := true;
  v_key text;
  v_limit jsonb;
  v_failure text;
begin
  for v_key, v_limit in select e.key, e.value from jsonb_each(p_rule) e loop
    if v_key = 'each' then
      -- a bound on the work that one call can ask of everybody's admission
      if v_type <> 'array' or jsonb_array_length(p_value) > 256 then
        return p_path;
      end if;
      select f.failure into v_failure
      from jsonb_array_elements(p_value) with ordinality a(item, n),
           lateral (select weir.rule_failure(v_limit, a.item, p_path || '[' || (a.n - 1) || ']') as failure) f
      where f.failure is not null
      order by a.n limit 1;
      if v_failure is not null then
        return v_failure;
      end if;
      continue;
    end if;
    -- apart, because an expression without a subquery is evaluated without a query
    if v_key = 'in' then
      -- a scalar is contained in an array only as an element; anything else is compared whole
      v_holds := case when v_type in ('object', 'array') then exists (select from jsonb_array_elements(v_limit) i where i = p_value)
                      else v_limit @> p_value end;
    else
      v_holds := case v_key
        when 'type' then v_limit #>> '{}' = v_type or (v_limit = '"integer"' and v_number = trunc(v_number))
        when 'equals' then p_value = v_limit
        when 'min' then v_number >= (v_limit #>> '{}')::numeric
        when 'max' then v_number <= (v_limit #>> '{}')::numeric
        when 'prefix' then starts_with(v_text, v_limit #>> '{}')
        when 'under' then weir.is_under(v_text, v_limit #>> '{}')
        when 'matches' then length(v_text) <= 4096 and v_text ~ ('^(?:' || (v_limit #>> '{}') || ')$')
      end;
    end if;
    -- null: the value has no such property (a number asked for its prefix), or the rule is not known
    if v_holds is not true then
      return p_path;
    end if;
  end loop;
  return null;
end;
$$;

-- Where a call's arguments break the entries of its grant, as a JSON path, or null. The text becomes jsonb only here, and
-- whatever cannot become a jsonb object of at most 64 KiB denies.
create function weir.argument_failure(p_entries jsonb[], p_arguments text) returns text
language plpgsql immutable parallel safe
as $$
declare
  v_arguments jsonb;
  v_entry jsonb;
  v_rules jsonb;
  v_failure text;
begin
  if octet_length(p_arguments) > 65536 then
    return '$';
  end if;
  begin
    v_arguments := coalesce(p_arguments, '{}')::jsonb;
    if jsonb_typeof(v_arguments) <> 'object' then
      return '$';
    end if;
    foreach v_entry in array p_entries loop
      v_rules := coalesce(v_entry -> 'args', '{}');
      continue when v_rules = '{}' and v_entry ->> 'other' is distinct from 'deny' and not v_entry ? 'args';
      select coalesce(case when not v_arguments ? r.key then '$.' || r.key end,
                      weir.rule_failure(r.value, v_arguments -> r.key, '$.' || r.key))
      into v_failure
      from jsonb_each(v_rules) r
      where not v_arguments ? r.key or weir.rule_failure(r.value, v_arguments -> r.key, '') is not null
      limit 1;
      if v_failure is null and v_entry ->> 'other' is distinct from 'allow' then
        select '$.' || a.key into v_failure from jsonb_object_keys(v_arguments) a(key) where not v_rules ? a.key limit 1;
      end if;
      exit when v_failure is not null;
    end loop;
  exception
    when others then
      return '$';
  end;
  return left(v_failure, 200);
end;
$$;

-- Whether any entry asks about arguments at all: only then is argument_failure called.
create function weir.has_argument_rule(p_entries jsonb[]) returns boolean
language plpgsql immutable parallel safe
as $$
declare
  v_entry jsonb;
begin
  foreach v_entry in array p_entries loop
    if v_entry ? 'args' or v_entry ->> 'other' = 'deny' then
      return true;
    end if;
  end loop;
  return false;
end;
$$;

revoke all on function weir.matches_glob(text, text), weir.is_under(text, text), weir.matches_uri_glob(text, text),
  weir.granted_entries(jsonb, text, text), weir.rule_failure(jsonb, jsonb, text), weir.argument_failure(jsonb[], text),
  weir.has_argument_rule(jsonb[]) from public;
grant execute on function weir.matches_glob(text, text), weir.is_under(text, text), weir.matches_uri_glob(text, text),
  weir.granted_entries(jsonb, text, text), weir.rule_failure(jsonb, jsonb, text), weir.argument_failure(jsonb[], text),
  weir.has_argument_rule(jsonb[]) to weir_writer, weir_system;
