-- Evaluation of the grammar of 0130, for one call. Nothing here raises for anything that a client may send.
-- These run several times for each call, so they have no search_path of their own (setting one costs as much as the work):
-- only weir_system and weir_writer may execute them, from functions that have set theirs. (A plpgsql function's variables stay as it was
-- first compiled: one that a person could call by a path of their own would stay misled for the session.)

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
begin
  return (starts_with(p_value, rtrim(p_base, '/') || '/') or rtrim(p_value, '/') = rtrim(p_base, '/')) and weir.is_clean_path(p_value);
end;
$$;

-- A URI matched by a glob may not climb out of it: no dot segment, plain or encoded, no encoded slash.
create function weir.climbs(p_uri text) returns boolean
language sql immutable parallel safe
  return p_uri ~ '(^|/)\.{1,2}([/?#]|$)|[\\\x01-\x20\x7f-\x9f]|%(2[eEfF5]|5[cC]|0|1|7[fF])';

create function weir.matches_uri_glob(p_uri text, p_glob text) returns boolean
language sql immutable parallel safe
begin atomic
  select p_uri = p_glob
      or p_glob = '*'
      or (strpos(p_glob, '*') > 0
          and weir.matches_glob(p_uri, p_glob)
          and not weir.climbs(p_uri));
end;

-- A context request names a resource by its URI, or a prompt by its name. What looks like a URI is decided as one; a caller that
-- means a prompt of such a name asks with `prompt_get`.
create function weir.is_uri(p_item text) returns boolean
language sql immutable parallel safe
  return p_item ~ '^[A-Za-z][A-Za-z0-9+.-]*:';

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
  elsif p_kind = 'context_request' and p_item is null then
    if jsonb_typeof(p_permissions) = 'object' then
      return '{}'::jsonb[];
    end if;
  elsif p_kind = 'resource_read' or (p_kind = 'context_request' and weir.is_uri(p_item)) then
    v_entry := p_permissions -> 'resources';
    -- as matches_uri_glob for each, but the URI is looked through once
    if jsonb_typeof(v_entry) = 'array'
       and (v_entry ?| array[p_item, '*']
            or (not weir.climbs(p_item) and exists (select from jsonb_array_elements_text(v_entry) g
                                                    where strpos(g, '*') > 0 and weir.matches_glob(p_item, g)))) then
      return '{}'::jsonb[];
    end if;
  elsif p_kind in ('prompt_get', 'context_request') then
    if jsonb_typeof(p_permissions -> 'prompts') = 'array'
       and exists (select from jsonb_array_elements_text(p_permissions -> 'prompts') g where weir.matches_glob(p_item, g)) then
      return '{}'::jsonb[];
    end if;
  end if;
  return v_entries;
end;
$$;

-- Where a value breaks a rule, or null. A rule for another type than the value's denies, and so does one that is not known.
-- A number is compared and never printed: 1e131000 is a few bytes, and 131,001 digits as text.
-- One small test a property rather than a query over what is there: a query costs ten times as much, and an expression is
-- prepared anew in each transaction, so the ones for rules that are not there should be short.
create function weir.rule_failure(p_rule jsonb, p_value jsonb, p_path text) returns text
language plpgsql immutable parallel safe
as $$
declare
  v_type constant text := jsonb_typeof(p_value);
  v_holds boolean := p_rule - '{type,equals,in,min,max,prefix,under,matches,each}'::text[] = '{}';
  v_text text;
  v_failure text;
begin
  if p_rule ? 'type' then
    v_holds := v_holds and (p_rule ->> 'type' = v_type
      or (p_rule ->> 'type' = 'integer' and v_type = 'number' and p_value::numeric = trunc(p_value::numeric)));
  end if;
  if p_rule ? 'equals' then
    v_holds := v_holds and p_value = p_rule -> 'equals';
  end if;
  if p_rule ?| '{min,max}' then
    v_holds := v_holds and case when v_type = 'number' then
      p_value::numeric between coalesce((p_rule -> 'min')::numeric, '-infinity') and coalesce((p_rule -> 'max')::numeric, 'infinity') end;
  end if;
  if p_rule ?| '{prefix,under,matches}' then
    v_text := case when v_type = 'string' then p_value #>> '{}' end;
    v_holds := v_holds and v_text is not null
      and case when p_rule ? 'under' then length(v_text) <= 4096 and weir.is_under(v_text, p_rule ->> 'under') else true end
      and case when p_rule ? 'prefix' then starts_with(v_text, p_rule ->> 'prefix') else true end
      and case when p_rule ? 'matches' then length(v_text) <= 4096 and v_text ~ ('^(?:' || (p_rule ->> 'matches') || ')$') else true end;
  end if;
  if p_rule ? 'in' then
    -- a scalar is contained in an array only as an element; anything else is compared whole
    v_holds := v_holds and case when v_type in ('object', 'array')
                                then p_rule -> 'in' @> jsonb_build_array(p_value)
                                     and exists (select from jsonb_array_elements(p_rule -> 'in') i where i = p_value)
                                else p_rule -> 'in' @> p_value end;
  end if;
  if p_rule ? 'each' then
    -- a bound on the work that one call can ask of everybody's admission: weir.rule_cost counts with it
    v_holds := v_holds and case when v_type = 'array' then
      jsonb_array_length(p_value) <= 256 and (pg_column_size(p_value) <= 8192 or not p_rule -> 'each' ?| '{under,matches}') end;
    for v_n in 0 .. case when v_holds then jsonb_array_length(p_value) else 0 end - 1 loop
      v_failure := weir.rule_failure(p_rule -> 'each', p_value -> v_n, p_path || '[' || v_n || ']');
      exit when v_failure is not null;
    end loop;
  end if;
  return case when v_holds then v_failure else p_path end;
end;
$$;

-- Where a call's arguments break the entries of its grant, as a JSON path, or null. The text becomes jsonb only here, and
-- whatever cannot become a jsonb object of at most 64 KiB denies.
create function weir.argument_failure(p_entries jsonb[], p_arguments text) returns text
language plpgsql immutable parallel safe
as $$
declare
  v_arguments jsonb;
  v_args jsonb;
  v_names text[];
  v_entry jsonb;
  v_rules jsonb;
  v_name text;
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
      continue when not v_entry ? 'args' and v_entry ->> 'other' is distinct from 'deny';
      v_args := coalesce(v_entry -> 'args', '{}');
      -- `each` within `each` multiplies: a bound on all values together (a comma in a text counts as one too)
      if octet_length(p_arguments) > 256 and length(p_arguments) - length(replace(p_arguments, ',', '')) > 256
         and (jsonb_path_exists(v_args, '$.*.each.each')
              or length(p_arguments) - length(replace(p_arguments, ',', '')) > 1024 and jsonb_path_exists(v_args, '$.*.each')) then
        return '$';
      end if;
      v_names := '{}';
      -- the members as an array, by one function: a query over them would cost more than the rules
      v_rules := jsonb_path_query_array(v_args, '$.keyvalue()');
      for v_n in 0 .. jsonb_array_length(v_rules) - 1 loop
        v_name := v_rules -> v_n ->> 'key';
        v_failure := case when v_arguments ? v_name
                          then weir.rule_failure(v_rules -> v_n -> 'value', v_arguments -> v_name, '$.' || v_name)
                          else '$.' || v_name end;
        exit when v_failure is not null;
        v_names := v_names || v_name;
      end loop;
      if v_failure is null and v_entry ->> 'other' is distinct from 'allow' then
        if jsonb_array_length(v_rules) <= 8 and octet_length(p_arguments) <= 1024 then
          v_failure := '$.' || (jsonb_path_query_first(v_arguments - v_names, '$.keyvalue().key') #>> '{}');
        else
          -- a query costs more to begin, and less for many
          select '$.' || k into v_failure from jsonb_object_keys(v_arguments) k where not v_args ? k limit 1;
        end if;
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

revoke all on function weir.is_uri(text), weir.climbs(text), weir.matches_glob(text, text), weir.is_under(text, text), weir.matches_uri_glob(text, text),
  weir.granted_entries(jsonb, text, text), weir.rule_failure(jsonb, jsonb, text),
  weir.argument_failure(jsonb[], text), weir.has_argument_rule(jsonb[]) from public;
grant execute on function weir.is_uri(text), weir.climbs(text), weir.matches_glob(text, text), weir.is_under(text, text), weir.matches_uri_glob(text, text),
  weir.granted_entries(jsonb, text, text), weir.rule_failure(jsonb, jsonb, text),
  weir.argument_failure(jsonb[], text), weir.has_argument_rule(jsonb[]) to weir_writer, weir_system;
