-- How the rules of a grant are applied to the arguments of a call.

-- Whether a text matches a glob. `*` stands for any text, and all other characters for themselves, so the % and _ of `like` are escaped.
-- Only weir_system and weir_writer may execute the functions of this file, and they call them from functions that set their own
-- search_path.
-- A plpgsql function keeps the types of its variables from when it was first compiled. So if a person could call one with a search_path of
-- their own, it would stay manipulated for the session (decision 0008).
create function weir.matches_glob(p_value text, p_glob text) returns boolean
language sql immutable parallel safe
begin atomic
  select p_value like replace(replace(replace(replace(p_glob, '\', '\\'), '%', '\%'), '_', '\_'), '*', '%');
end;

-- Whether a path or URI is p_base or below it. It compares whole segments: /database is not under /data, and neither is /data/../etc,
-- /data\..\etc or /data/%2e%2e/etc (weir.is_clean_path).
create function weir.is_under(p_value text, p_base text) returns boolean
language plpgsql immutable parallel safe
as $$
begin
  return (starts_with(p_value, rtrim(p_base, '/') || '/') or rtrim(p_value, '/') = rtrim(p_base, '/')) and weir.is_clean_path(p_value);
end;
$$;

-- Whether a URI climbs: whether it could name a place above the one that its text names. It climbs if it has a dot segment, plain or
-- encoded, an encoded slash, backslash or `%`, white space or a control character. A server may decode once more than Weir does, so encoded
-- percent signs count too.
create function weir.climbs(p_uri text) returns boolean
language sql immutable parallel safe
  return p_uri ~ '(^|/)\.{1,2}([/?#]|$)|[\\\x01-\x20\x7f-\x9f]|%(2[eEfF5]|5[cC]|0|1|7[fF])';

-- An exact URI, or "*", is matched as it is. For any other glob the URI may not climb (weir.climbs), because it would leave the part that
-- the glob names.
create function weir.matches_uri_glob(p_uri text, p_glob text) returns boolean
language sql immutable parallel safe
begin atomic
  select p_uri = p_glob
      or p_glob = '*'
      or (strpos(p_glob, '*') > 0
          and weir.matches_glob(p_uri, p_glob)
          and not weir.climbs(p_uri));
end;

-- A context request names a resource by its URI or a prompt by its name. A text that begins with a scheme is decided as a URI; a caller
-- that means a prompt of such a name asks with `prompt_get`.
create function weir.is_uri(p_item text) returns boolean
language sql immutable parallel safe
  return p_item ~ '^[A-Za-z][A-Za-z0-9+.-]*:';

-- What a grant says of an item: null if it grants nothing of it (denied), else the entries whose argument rules must all hold; an empty
-- array for an item that has no arguments. An exact name takes precedence over a glob; of several globs all must hold, so a broad glob
-- cannot widen a narrow one.
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
  -- Context as such (without an item) is granted by any grant.
  elsif p_kind = 'context_request' and p_item is null then
    if jsonb_typeof(p_permissions) = 'object' then
      return '{}'::jsonb[];
    end if;
  elsif p_kind = 'resource_read' or (p_kind = 'context_request' and weir.is_uri(p_item)) then
    v_entry := p_permissions -> 'resources';
    -- As matches_uri_glob for each entry, but weir.climbs runs once.
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

-- Where a value breaks a rule, as a JSON path, or null. A condition for another type of value denies, and so does an unknown condition: a
-- rule that is not evaluated permits nothing.
-- A number is compared and never printed: 1e131000 is a few bytes, and 131,001 digits as text.
-- There is one small test for each condition and no query over the rule: a query costs ten times as much, and each expression is prepared
-- again in each transaction, so those for conditions that are absent should be short.
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
  -- Texts only; `under` and `matches` read 4,096 characters at most, the number that weir.rule_cost counts with.
  if p_rule ?| '{prefix,under,matches}' then
    v_text := case when v_type = 'string' then p_value #>> '{}' end;
    v_holds := v_holds and v_text is not null
      and case when p_rule ? 'under' then length(v_text) <= 4096 and weir.is_under(v_text, p_rule ->> 'under') else true end
      and case when p_rule ? 'prefix' then starts_with(v_text, p_rule ->> 'prefix') else true end
      and case when p_rule ? 'matches' then length(v_text) <= 4096 and v_text ~ ('^(?:' || (p_rule ->> 'matches') || ')$') else true end;
  end if;
  if p_rule ? 'in' then
    -- `@>` finds a scalar in an array only as an element. For objects and arrays it would accept a part, so these are compared as a whole
    -- too.
    v_holds := v_holds and case when v_type in ('object', 'array')
                                then p_rule -> 'in' @> jsonb_build_array(p_value)
                                     and exists (select from jsonb_array_elements(p_rule -> 'in') i where i = p_value)
                                else p_rule -> 'in' @> p_value end;
  end if;
  if p_rule ? 'each' then
    -- Limits the work that one call can cause; weir.rule_cost counts with these numbers.
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

-- Where a call's arguments break the entries of its grant, as a JSON path of at most 200 characters, or null. Arguments are passed as text,
-- exactly as they will be forwarded, and become jsonb only here. Arguments that cannot become a jsonb object of at most 64 KiB are denied.
-- A missing argument that has a rule is denied.
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
      -- Nested `each` multiplies, so all values together are limited too. Their number is estimated by the commas, and a comma inside a
      -- text counts as well.
      if octet_length(p_arguments) > 256 and length(p_arguments) - length(replace(p_arguments, ',', '')) > 256
         and (jsonb_path_exists(v_args, '$.*.each.each')
              or length(p_arguments) - length(replace(p_arguments, ',', '')) > 1024 and jsonb_path_exists(v_args, '$.*.each')) then
        return '$';
      end if;
      v_names := '{}';
      -- The members as an array, by one function call: a query over them would cost more than the rules.
      v_rules := jsonb_path_query_array(v_args, '$.keyvalue()');
      for v_n in 0 .. jsonb_array_length(v_rules) - 1 loop
        v_name := v_rules -> v_n ->> 'key';
        v_failure := case when v_arguments ? v_name
                          then weir.rule_failure(v_rules -> v_n -> 'value', v_arguments -> v_name, '$.' || v_name)
                          else '$.' || v_name end;
        exit when v_failure is not null;
        v_names := v_names || v_name;
      end loop;
      -- An argument without a rule is denied, unless the entry says `other: allow`.
      if v_failure is null and v_entry ->> 'other' is distinct from 'allow' then
        if jsonb_array_length(v_rules) <= 8 and octet_length(p_arguments) <= 1024 then
          v_failure := '$.' || (jsonb_path_query_first(v_arguments - v_names, '$.keyvalue().key') #>> '{}');
        else
          -- A query costs more to start, and less for many arguments.
          select '$.' || k into v_failure from jsonb_object_keys(v_arguments) k where not v_args ? k limit 1;
        end if;
      end if;
      exit when v_failure is not null;
    end loop;
  exception
    -- Only reading the arguments can raise here (invalid JSON, a number or text that jsonb cannot hold, nesting too deep).
    when others then
      return '$';
  end;
  return left(v_failure, 200);
end;
$$;

-- What a rule permits, in words: `be of type string and be under /data`. The values of `in`, `equals`, `matches` and `prefix` are included
-- with p_full only: they may be secrets of the grant's author, and an agent could guess them step by step.
create function weir.rule_words(p_rule jsonb, p_full boolean) returns text
language sql immutable parallel safe
  return coalesce(concat_ws(' and ',
    'be of type ' || (p_rule ->> 'type'),
    'be at least ' || left(p_rule ->> 'min', 40),
    'be at most ' || left(p_rule ->> 'max', 40),
    'be under ' || left(p_rule ->> 'under', 200),
    case when p_rule ? 'prefix' then case when p_full then 'begin with ' || left(p_rule ->> 'prefix', 100)
                                          else 'begin with the prefix in the grant' end end,
    case when p_rule ? 'equals' then case when p_full then 'be ' || left(p_rule ->> 'equals', 100)
                                          else 'be the value in the grant' end end,
    case when p_rule ? 'in' then case when p_full then 'be one of ' || left(p_rule ->> 'in', 200)
                                      else 'be one of the values in the grant' end end,
    case when p_rule ? 'matches' then case when p_full then 'match ' || left(p_rule ->> 'matches', 200)
                                           else 'match the pattern in the grant' end end,
    case when p_rule ? 'each' then 'be an array of at most 256 values' end), '');

-- A path of weir.argument_failure with what is permitted there, at most 500 characters. Called for denied calls only.
create function weir.argument_detail(p_entries jsonb[], p_path text, p_full boolean) returns text
language plpgsql immutable parallel safe
as $$
declare
  v_entry jsonb;
  v_name text;
  v_rule jsonb;
  v_steps text;
  v_words text;
begin
  if p_path = '$' then
    return '$: the arguments must be a JSON object of at most 64 KiB; where a rule checks arrays, with at most 1024 values in all '
           '(256 for arrays in arrays)';
  end if;
  foreach v_entry in array p_entries loop
    for v_name, v_rule in select a.key, a.value from jsonb_each(v_entry -> 'args') a loop
      v_steps := substr(p_path, length('$.' || v_name) + 1);
      -- The rest of the path are indexes of arrays. A path that was cut cannot be matched with a rule.
      if not starts_with(p_path, '$.' || v_name) or v_steps !~ '^(\[[0-9]+\])*$' or length(p_path) >= 200 then
        continue;
      end if;
      for v_n in 1 .. length(v_steps) - length(replace(v_steps, '[', '')) loop
        v_rule := v_rule -> 'each';
      end loop;
      v_words := nullif(concat_ws(' and ', v_words, nullif(weir.rule_words(v_rule, p_full), '')), '');
    end loop;
    if not coalesce(v_entry -> 'args' ? substr(p_path, 3), false) and v_words is null and v_entry ->> 'other' is distinct from 'allow' then
      v_words := 'be left out: the grant has no rule for it';
    end if;
  end loop;
  return left(p_path || coalesce(': must ' || v_words, ': must be given'), 500);
end;
$$;

-- Whether any entry has rules for arguments. Only then are arguments parsed (argument_failure).
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

revoke all on function weir.matches_glob, weir.is_under, weir.climbs, weir.matches_uri_glob, weir.is_uri, weir.granted_entries,
  weir.rule_failure, weir.argument_failure, weir.rule_words, weir.argument_detail, weir.has_argument_rule from public;
grant execute on function weir.matches_glob, weir.is_under, weir.climbs, weir.matches_uri_glob, weir.is_uri, weir.granted_entries,
  weir.rule_failure, weir.argument_failure, weir.rule_words, weir.argument_detail, weir.has_argument_rule to weir_writer, weir_system;
