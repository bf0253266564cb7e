-- The grammar of a grant's permissions: what is accepted, how much it may cost, and the error that names what was wrong.

-- The error in one rule, for one value of an argument: an object of conditions that must all hold. {} accepts any value. A condition for
-- another type of value does not hold, so the argument is denied.
--   type      {"type": "string"}                   also number, integer, boolean, array, object, null
--   equals    {"equals": "main"}                   any JSON value; numbers by value, so 1 equals 1.0
--   in        {"in": ["red", "green"]}             1 to 100 values
--   min, max  {"min": 0, "max": 1000}              numbers, inclusive
--   prefix    {"prefix": "SELECT "}                1 to 1024 characters
--   under     {"under": "/srv/data"}               a path or URI: this one or any below it (weir.is_under)
--   matches   {"matches": "[a-z]+@example\\.org"}   the whole text, a pattern of weir.pattern_size
--   each      {"each": {"under": "/srv/data"}}     a rule for each element of an array; at most three deep
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
      -- Within these bounds comparing is cheap and no number prints as more than 600 digits.
      when v_key in ('min', 'max') then
        case when v_type = 'number' and v_value between '-1e300' and '1e300' and scale(v_value::numeric) <= 300
          then null else 'must be a number of at most 300 digits on either side of the decimal point' end
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

-- The steps of one rule for p_values values whose texts have p_characters together. `each` counts as 256 elements, also where it is nested,
-- because weir.rule_failure and argument_failure deny larger arrays; the texts that `under` and `matches` read are bounded with their array
-- for the same reason.
create function weir.rule_cost(p_rule jsonb, p_values numeric default 1, p_characters numeric default 4096) returns numeric
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_each constant jsonb := p_rule -> 'each';
begin
  return p_values * (130 + pg_column_size(p_rule) * 0.2 + case when p_rule ?| '{min,max}' then 60 else 0 end
                     + case when p_rule ?| '{equals,in}' then 100 + pg_column_size(p_rule) * 0.8 else 0 end
                     -- Objects and arrays are compared as a whole, by a query.
                     + case when jsonb_path_exists(p_rule, 'strict $.in[*] ? (@.type() == "object" || @.type() == "array")', silent => true)
                            then 1500 else 0 end
                     + case when p_rule ? 'under' then 150 else 0 end)
    + case when p_rule ? 'under' then p_characters else 0 end
    + case when p_rule ? 'matches' then weir.pattern_cost(p_rule ->> 'matches', p_values, p_characters) else 0 end
    + case when v_each is null then 0
           when p_values = 1 then weir.rule_cost(v_each, 256, 8192)
           else weir.rule_cost(v_each, 256, 65536) end;
end;
$$;

-- Whether every segment of a path or URI means itself. It must be absolute, and may have no `.` or `..` segment, backslash, `%`, control
-- character or line separator. An empty segment is allowed only at the end, and in the `://` of a URI.
-- Checked for a grant's `under` when it is made and for an argument at each call, so that a server that decodes or normalizes the path
-- cannot leave the granted directory. No search_path of its own, because it runs for each call (weir.matches_glob says who may execute
-- these).
create function weir.is_clean_path(p_path text) returns boolean
language plpgsql immutable parallel safe
as $$
begin
  -- One expression and one search: this runs for each call.
  return case when starts_with(p_path, '/') then p_path else regexp_replace(p_path, '^[a-z][a-z0-9+.-]*:///?', '/') end
    !~ '^$|^[^/]|//|/\.{1,2}(/|$)|[\\%\x01-\x1f\x7f-\x9f\u2028\u2029]';
end;
$$;

-- The error in a name or a URI in which `*` stands for any text, including an empty one: "read_*", "file:///data/*". At most four, because
-- each adds to the cost of matching.
create function weir.glob_error(p_glob text, p_path text) returns text
language sql immutable parallel safe
begin atomic
  select case
    when p_glob is null or length(p_glob) not between 1 and 1024 or p_glob ~ '[\x01-\x1f\x7f]'
      then p_path || ': must be a text of 1 to 1024 characters'
    when length(p_glob) - length(replace(p_glob, '*', '')) > 4 then p_path || ': may have at most four *'
  end;
end;

-- The steps of finding a glob in a list and of matching a text of p_characters. The text after a `*` is searched for at each position, so
-- each `*` and the text after the first one cost; a final `*` costs nothing.
create function weir.glob_cost(p_glob text, p_characters integer) returns numeric
language sql immutable parallel safe
begin atomic
  select case when strpos(p_glob, '*') = 0 then 60
              else 150 + p_characters * (0.2 * (length(p_glob) - length(replace(p_glob, '*', ''))
                                                - case when p_glob like '%*' then 1 else 0 end)
                                         + 0.14 * length(replace(substr(p_glob, strpos(p_glob, '*')), '*', ''))) end;
end;

-- The error in what is granted of one tool: an object with `args`, `other` or both.
--   {}                                                any arguments
--   {"args": {"path": {"under": "/data"}}}            `path` must be present and hold its rule; no other argument
--   {"args": {"path": {}}, "other": "allow"}          `path` must be present; any other arguments
--   {"other": "deny"}                                 no argument at all
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

-- The steps of one tool's entry. Finding an argument and building the path of its rule costs more than most rules do.
create function weir.entry_cost(p_entry jsonb) returns numeric
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
begin atomic
  select 300 + coalesce(sum(1200 + weir.rule_cost(a.value)), 0) from jsonb_each(p_entry -> 'args') a;
end;

-- An error that states the cost, the limit and what to do about it, or null.
create function weir.cost_error(p_cost numeric, p_path text, p_advice text) returns text
language sql immutable parallel safe
  return case when p_cost > weir.max_cost()
    then format('%s: costs each call up to %s steps, and the limit is %s: %s', p_path, ceil(p_cost), weir.max_cost(), p_advice) end;

-- The error in `tools`: an object of tool names, or globs of them, and what is granted of each.
-- An exact name has only its own rules, so each is limited separately. Of the names with `*` all that match must hold, and all of them may
-- match one tool, so the limit applies to the sum of their costs.
create function weir.tools_error(p_tools jsonb) returns text
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_name text;
  v_entry jsonb;
  v_path text;
  v_error text;
  v_cost numeric;
  v_globs integer := 0;
  v_sum numeric := 0::numeric;
begin
  -- Limits the cost of this check itself, which compiles each pattern once.
  if (select count(*) from jsonb_path_query(p_tools, '$.*.args.*.**{0 to 4}.matches')) > 100 then
    return '$.tools: at most 100 rules may use matches';
  end if;
  for v_name, v_entry in select t.key, t.value from jsonb_each(p_tools) t loop
    v_path := '$.tools.' || left(v_name, 64);
    v_error := coalesce(weir.glob_error(v_name, v_path), weir.tool_grant_error(v_entry, v_path));
    if v_error is not null then
      return v_error;
    end if;
    v_cost := weir.entry_cost(v_entry);
    v_error := weir.cost_error(v_cost, v_path, 'use fewer rules, smaller patterns or fewer values');
    if v_error is not null then
      return v_error;
    end if;
    v_sum := v_sum + weir.glob_cost(v_name, 256) + case when strpos(v_name, '*') > 0 then v_cost else 0 end;
    v_globs := v_globs + case when strpos(v_name, '*') > 0 then 1 else 0 end;
  end loop;
  if v_globs > 16 then
    return '$.tools: at most 16 names may have a *';
  end if;
  return weir.cost_error(v_sum, '$.tools, all names with a * together', 'use fewer names with a *, or fewer rules in them');
end;
$$;

-- The error in `resources` or `prompts`: an array of names or URIs, exact or globs. One call may have to try all of them, so the limit
-- applies to the sum of their costs.
create function weir.globs_error(p_globs jsonb, p_path text) returns text
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_glob text;
  v_n bigint;
  v_error text;
  v_sum numeric := 0::numeric;
begin
  for v_glob, v_n in select case when jsonb_typeof(g.value) = 'string' then g.value #>> '{}' end, g.ordinality
                     from jsonb_array_elements(p_globs) with ordinality g loop
    v_error := weir.glob_error(v_glob, format('%s[%s]', p_path, v_n - 1));
    if v_error is not null then
      return v_error;
    end if;
    v_sum := v_sum + weir.glob_cost(v_glob, 2048);
  end loop;
  return weir.cost_error(v_sum, p_path, 'use fewer entries, or less text after a *');
end;
$$;

-- The error in a grant's permissions, or null: the whole grammar. A grant is an allow-list: a member that is absent grants nothing of its
-- kind, {} grants no tool, resource or prompt, and an unknown member is an error.
--   tools       {"tools": {"read_file": {"args": {"path": {"under": "/data"}}, "other": "deny"}, "list_*": {}}}
--               the server's own names; an exact name takes precedence over globs, and of several globs all must hold
--               (weir.granted_entries, tool_grant_error, rule_error)
--   resources   {"resources": ["file:///data/*", "https://example.org/a"]}
--               URIs; a glob matches no URI that leads out of it (weir.matches_uri_glob)
--   prompts     {"prompts": ["summarize", "review_*"]}
--   limits      {"limits": {"per_minute": 60, "per_day": 5000}}
--               calls of this grant, of any kind, in a minute, an hour or a day of the clock in UTC; 0 permits no call
-- At most 64 KiB in all. The error names the JSON path of what is wrong. A list of names is never stored: weir.permissions_of has turned it
-- into an object; any other list is refused here.
create function weir.permissions_error(p_permissions jsonb) returns text
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_error text;
  v_key text;
  v_value jsonb;
begin
  -- Bounds are checked before the value becomes text.
  if weir.bounds_error(p_permissions, 131072) is not null then
    return '$: ' || weir.bounds_error(p_permissions, 131072);
  elsif jsonb_typeof(p_permissions) is distinct from 'object' then
    return coalesce(case when jsonb_typeof(p_permissions) = 'array' then weir.globs_error(p_permissions, '$') end,
                    '$: must be an object with tools, resources, prompts or limits, or a list of tool names');
  elsif octet_length(p_permissions::text) > 65536 then
    return '$: must be at most 64 KiB';
  end if;
  for v_key, v_value in select e.key, e.value from jsonb_each(p_permissions) e loop
    if v_key = 'tools' and jsonb_typeof(v_value) = 'object' then
      v_error := weir.tools_error(v_value);
    elsif v_key in ('resources', 'prompts') and jsonb_typeof(v_value) = 'array' then
      v_error := weir.globs_error(v_value, '$.' || v_key);
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

-- Permissions as they are stored. A list of tool names and patterns becomes the object that grants these tools with any arguments, and
-- nothing else. Absent or empty permissions permit nothing. A wrong value is returned unchanged, for weir.permissions_error.
create function weir.permissions_of(p_permissions jsonb) returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  if p_permissions is null or p_permissions = '[]' then
    return '{}'::jsonb;
  elsif jsonb_typeof(p_permissions) <> 'array' or weir.bounds_error(p_permissions, 131072) is not null
        or weir.globs_error(p_permissions, '$') is not null then
    return p_permissions;
  end if;
  return jsonb_build_object('tools', (select jsonb_object_agg(n, '{}'::jsonb) from jsonb_array_elements_text(p_permissions) n));
end;
$$;

revoke all on function weir.rule_error, weir.rule_cost, weir.is_clean_path, weir.glob_error, weir.glob_cost, weir.tool_grant_error,
  weir.entry_cost, weir.cost_error, weir.tools_error, weir.globs_error, weir.permissions_error, weir.permissions_of from public;
grant execute on function weir.rule_error, weir.rule_cost, weir.is_clean_path, weir.glob_error, weir.glob_cost, weir.tool_grant_error,
  weir.entry_cost, weir.cost_error, weir.tools_error, weir.globs_error, weir.permissions_error, weir.permissions_of
  to weir_writer, weir_system;
