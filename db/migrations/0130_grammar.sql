-- The closed grammar of a grant's permissions. There is no jsonpath and no free regular expression in it: what a tenant
-- writes here is evaluated for each call, by everybody's database.
--
--   {"tools":     {"read_file": {"args": {"path": {"type": "string", "under": "/data"}}, "other": "deny"}, "list_*": {}},
--    "resources": ["file:///data/*"], "prompts": ["*"], "limits": {"per_minute": 60, "per_day": 5000}}
--
-- Each *_error function answers null for what is well formed, else where and why. They are immutable, because a check
-- constraint keeps the same grammar for who writes the table directly.

-- A regular expression of a subset that neither compiles nor matches in more than a moment: no back references, no
-- look-around, no embedded options, braces only behind a single character or class.
create function weir.pattern_error(p_pattern text) returns text
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  if length(p_pattern) not between 1 and 200 then
    return 'must have 1 to 200 characters';
  elsif p_pattern ~ '\(\?|\*\*\*|\\[^dswDSW[:punct:]]|\\$|\){|[*+?}]{|\[\[[.=]' then
    return 'has a construct that is not supported';
  elsif (select count(*) from regexp_matches(p_pattern, '\{', 'g')) > 8
     or exists (select from regexp_matches(p_pattern, '\{([^}]*)\}?', 'g') m
                where m[1] !~ '^[0-9]{1,2}(,[0-9]{0,2})?$') then
    return 'may repeat at most eight times with braces, each at most 99';
  end if;
  perform '' ~ p_pattern;
  return null;
exception
  when invalid_regular_expression then
    return 'is not a regular expression';
end;
$$;

-- One rule for one value; `each` holds a rule for the elements.
create function weir.rule_error(p_rule jsonb, p_path text, p_depth integer default 0) returns text
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_key text;
  v_value jsonb;
  v_type text;
  v_error text;
begin
  if jsonb_typeof(p_rule) is distinct from 'object' then
    return p_path || ': must be an object';
  elsif p_depth > 3 then
    return p_path || ': each may be nested at most three times';
  end if;
  for v_key, v_value in select e.key, e.value from jsonb_each(p_rule) e loop
    v_type := jsonb_typeof(v_value);
    v_error := case
      when v_key = 'type' then
        case when v_value <@ '["string", "number", "integer", "boolean", "array", "object", "null"]' and v_type = 'string'
          then null else 'must be the name of a JSON type or integer' end
      when v_key = 'equals' then null
      when v_key = 'in' then
        case when v_type = 'array' and jsonb_array_length(v_value) between 1 and 100
          then null else 'must be an array of 1 to 100 values' end
      when v_key in ('min', 'max') then
        case when v_type = 'number' then null else 'must be a number' end
      when v_key = 'prefix' then
        case when v_type = 'string' and length(v_value #>> '{}') between 1 and 1024
          then null else 'must be a text of 1 to 1024 characters' end
      when v_key = 'under' then
        case when v_type = 'string' and weir.is_clean_path(v_value #>> '{}') and length(v_value #>> '{}') <= 1024
          then null else 'must be an absolute path or a URI without . or .. segments, backslash, % or control characters' end
      when v_key = 'matches' then
        case when v_type <> 'string' then 'must be a text' else weir.pattern_error(v_value #>> '{}') end
      when v_key = 'each' then weir.rule_error(v_value, p_path || '.each', p_depth + 1)
      else 'is not a rule: type, equals, in, min, max, prefix, under, matches, each'
    end;
    if v_error is not null then
      return case when v_key = 'each' then v_error else p_path || '.' || left(v_key, 64) || ': ' || v_error end;
    end if;
  end loop;
  return null;
end;
$$;

-- A path or URI in which no segment means another place. An empty segment is allowed only at the end, and in the
-- `scheme://` of a URI.
create function weir.is_clean_path(p_path text) returns boolean
language plpgsql immutable parallel safe
as $$
begin
  -- one expression, and one search of the path: this runs for each call
  return case when starts_with(p_path, '/') then p_path else regexp_replace(p_path, '^[a-z][a-z0-9+.-]*:///?', '/') end
    !~ '^$|^[^/]|//|/\.{1,2}(/|$)|[\\%\x01-\x1f\x7f-\x9f\u2028\u2029]';
end;
$$;

-- A name or a URI with `*` for anything.
create function weir.glob_error(p_glob text, p_path text) returns text
language sql immutable parallel safe
begin atomic
  select case
    when p_glob is null or length(p_glob) not between 1 and 1024 or p_glob ~ '[\x01-\x1f\x7f]'
      then p_path || ': must be a text of 1 to 1024 characters'
    when length(p_glob) - length(replace(p_glob, '*', '')) > 4 then p_path || ': may have at most four *'
  end;
end;

-- What is granted for one tool: {} is every argument.
create function weir.tool_grant_error(p_entry jsonb, p_path text) returns text
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_key text;
  v_value jsonb;
  v_error text;
begin
  if jsonb_typeof(p_entry) is distinct from 'object' then
    return p_path || ': must be an object';
  end if;
  for v_key, v_value in select e.key, e.value from jsonb_each(p_entry) e loop
    if v_key = 'args' and jsonb_typeof(v_value) = 'object' then
      for v_key, v_value in select e.key, e.value from jsonb_each(v_value) e loop
        v_error := coalesce(v_error, weir.rule_error(v_value, p_path || '.args.' || left(v_key, 64)));
      end loop;
    elsif not (v_key = 'other' and v_value in ('"deny"', '"allow"')) then
      v_error := p_path || '.' || left(v_key, 64) || ': must be args (an object of rules) or other (deny or allow)';
    end if;
    exit when v_error is not null;
  end loop;
  return v_error;
end;
$$;

create function weir.permissions_error(p_permissions jsonb) returns text
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_error text;
  v_key text;
  v_value jsonb;
begin
  if jsonb_typeof(p_permissions) is distinct from 'object' then
    return '$: must be an object with tools, resources, prompts or limits';
  elsif weir.bounds_error(p_permissions, 131072) is not null then
    return '$: ' || weir.bounds_error(p_permissions, 131072);
  elsif octet_length(p_permissions::text) > 65536 then
    return '$: must be at most 64 KiB';
  end if;
  for v_key, v_value in select e.key, e.value from jsonb_each(p_permissions) e loop
    if v_key = 'tools' and jsonb_typeof(v_value) = 'object' then
      -- all globs that match a name are evaluated, in everybody's admission
      if (select count(*) from jsonb_object_keys(v_value) k where strpos(k, '*') > 0) > 16 then
        return '$.tools: at most 16 names may have a *';
      end if;
      select coalesce(weir.glob_error(t.key, '$.tools.' || left(t.key, 64)),
                      weir.tool_grant_error(t.value, '$.tools.' || left(t.key, 64)))
      into v_error
      from jsonb_each(v_value) t
      where weir.glob_error(t.key, '') is not null or weir.tool_grant_error(t.value, '') is not null
      limit 1;
    elsif v_key in ('resources', 'prompts') and jsonb_typeof(v_value) = 'array' then
      select coalesce(weir.glob_error(case when jsonb_typeof(g.value) = 'string' then g.value #>> '{}' end,
                                      format('$.%s[%s]', v_key, g.ordinality - 1)))
      into v_error
      from jsonb_array_elements(v_value) with ordinality g
      where weir.glob_error(case when jsonb_typeof(g.value) = 'string' then g.value #>> '{}' end, '') is not null
      limit 1;
    elsif v_key = 'limits' and jsonb_typeof(v_value) = 'object' then
      select format('$.limits.%s: must be per_minute, per_hour or per_day with a whole number from 0 to 1000000000', left(l.key, 64))
      into v_error
      from jsonb_each(v_value) l
      where l.key not in ('per_minute', 'per_hour', 'per_day') or l.value::text !~ '^(0|[1-9][0-9]{0,8}|1000000000)$'
      limit 1;
    else
      v_error := '$.' || left(v_key, 64) || ': must be tools (object), resources (array), prompts (array) or limits (object)';
    end if;
    exit when v_error is not null;
  end loop;
  return v_error;
end;
$$;

revoke all on function weir.pattern_error(text), weir.rule_error(jsonb, text, integer), weir.is_clean_path(text),
  weir.glob_error(text, text), weir.tool_grant_error(jsonb, text), weir.permissions_error(jsonb) from public;
grant execute on function weir.pattern_error(text), weir.rule_error(jsonb, text, integer), weir.is_clean_path(text),
  weir.glob_error(text, text), weir.tool_grant_error(jsonb, text), weir.permissions_error(jsonb) to weir_writer, weir_system;
