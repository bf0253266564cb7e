-- The grammar of a grant's permissions: what JSON is accepted (weir.permissions_error), and what its rules may cost. It is
-- closed, without jsonpath and without free regular expressions, because every call evaluates what a tenant wrote here, in
-- a database that all tenants share. Each *_error function returns null for what is well formed, else where and why.

-- What the rules of a grant may cost one call, in steps of about 10 ns. It is checked when the grant is made, so that no
-- call has to be cut off: at this maximum the rules add about a millisecond to an admission (docs/performance.md). To find
-- the cost nothing of the tenant's is run; a pattern is read and not compiled.
-- All functions of this file are immutable, because a check constraint holds rows to the same grammar
-- (agent_mcp_permissions, permission_requests), also for who writes the table directly.
create function weir.max_cost() returns numeric
language sql immutable parallel safe
  return 100000;

-- A part of a pattern as an automaton without empty moves, of which only sizes are kept. A position is a place in the
-- pattern that matches one character.
--   empties       whether it matches the empty text
--   first, last   how many positions may begin it, and end it
--   kinds         how many kinds of characters its first positions take together
--   moves, arcs   its moves from position to position, and these times the kinds of characters that make them
--   longest       how many characters it matches at most; null: any number
create type weir.pattern_part as (
  empties boolean, first numeric, last numeric, kinds numeric, moves numeric, arcs numeric, longest integer);
revoke all on type weir.pattern_part from public;
grant usage on type weir.pattern_part to weir_writer, weir_system;

-- a followed by b: each last position of a moves to each first position of b. If one side may be empty, the other side's
-- ends show through.
create function weir.pattern_sequence(a weir.pattern_part, b weir.pattern_part) returns weir.pattern_part
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  return row(a.empties and b.empties, a.first + case when a.empties then b.first else 0::numeric end,
             b.last + case when b.empties then a.last else 0::numeric end, a.kinds + case when a.empties then b.kinds else 0::numeric end,
             a.moves + b.moves + a.last * b.first, a.arcs + b.arcs + a.last * b.kinds, a.longest + b.longest);
end;
$$;

-- a or b: no moves between them.
create function weir.pattern_choice(a weir.pattern_part, b weir.pattern_part) returns weir.pattern_part
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  return row(a.empties or b.empties, a.first + b.first, a.last + b.last, a.kinds + b.kinds, a.moves + b.moves, a.arcs + b.arcs,
             case when a.longest is not null and b.longest is not null then greatest(a.longest, b.longest) end);
end;
$$;

-- a with a quantifier: ? * + or braces, greedy or not (which costs the same). Braces follow one character only, so a is
-- then a single position and the counts multiply; groups in braces could grow with each nesting.
create function weir.pattern_repeat(a weir.pattern_part, p_quantifier text, p_group boolean) returns weir.pattern_part
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_loop weir.pattern_part := row(true, a.first, a.last, a.kinds, a.moves + a.last * a.first, a.arcs + a.last * a.kinds,
                                  case when a.longest = 0 then 0 end);
  v_least integer;
  v_most integer;
  v_ways numeric;
begin
  -- a?
  if p_quantifier like '?%' then
    return row(true, a.first, a.last, a.kinds, a.moves, a.arcs, a.longest);
  -- a*
  elsif p_quantifier like '*%' then
    return v_loop;
  -- A group's + is its text twice, the second time with *. For one character it is only a loop.
  elsif p_quantifier like '+%' and p_group then
    return weir.pattern_sequence(a, v_loop);  -- as PostgreSQL compiles it, at each level
  elsif p_quantifier like '+%' then
    v_loop.empties := false;
    return v_loop;
  end if;
  -- {n}, {n,} and {n,m}: a row of v_most positions. If n and m differ, each may be skipped, which doubles the moves.
  v_least := substring(p_quantifier from '^\{(\d+)')::integer;
  v_most := case when p_quantifier ~ ',\d' then substring(p_quantifier from ',(\d+)')::integer else greatest(v_least, 1) end;
  v_ways := v_most * case when v_least = v_most then 1::numeric else 2::numeric end;
  return row(v_least = 0, a.first, v_most - least(v_least, v_most) + 1::numeric, a.kinds, a.first * v_ways, a.kinds * v_ways,
             case when strpos(p_quantifier, ',}') = 0 then v_most end);
end;
$$;

-- The size of a regular expression of the closed subset, or an error. The subset: characters, `.`, groups, alternatives,
-- sets, the classes \d \s \w \D \S \W and [:name:], escaped punctuation; * + ? after anything and braces after one
-- character, greedy or not; ^ at the beginning and $ at the end. Not in it are back references, look-around, options and
-- other escapes, because they have no bounded automaton or change what the text means.
--   accepted    [^/]{1,60}\.(txt|md)    \w+@example\.org    \d{4}-\d{2}-\d{2}
--   refused     (a)\1    (?=a)    (?i)a    (ab){2}    a{100}
create function weir.pattern_size(
  p_pattern text, out error text, out classes integer, out kinds numeric, out moves numeric, out arcs numeric, out longest integer)
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_nothing constant weir.pattern_part := row(true, 0::numeric, 0::numeric, 0::numeric, 0::numeric, 0::numeric, 0);
  v_tokens text[];
  v_token text;
  v_colors numeric;
  v_depth integer := 1;
  -- For each open group: its finished alternatives, and what precedes the last atom of the open one.
  v_alternatives weir.pattern_part[] := array[null::weir.pattern_part];
  v_before weir.pattern_part[] := array[v_nothing];
  v_atom weir.pattern_part;
  v_is_atom boolean := false;
  v_is_group boolean := false;
begin
  if length(p_pattern) not between 1 and 200 then
    error := 'must have 1 to 200 characters';
    return;
  end if;
  error := 'has a construct that is not supported';
  -- Tokens. What is no token is left out of the array, so the tokens joined differ from the pattern; that is the check of
  -- the whole alphabet.
  v_tokens := array(
    select m[1] from regexp_matches(p_pattern, '(\[\^?(?:\[:[a-z]{1,9}:\]|\\[dsw[:punct:]]|[^][\\])+\]|\\[dswDSW]|\\[[:punct:]]'
                                               '|[*+?]\??|\{\d{1,2}(?:,\d{0,2})?\}\??|[^][*+?{\\])', 'g') m);
  if array_to_string(v_tokens, '') is distinct from p_pattern then
    return;
  -- Braces multiply positions, so their number is bounded beside their size.
  elsif (select count(*) from unnest(v_tokens) t where t like '{%') > 8 then
    error := 'may repeat at most eight times with braces, each at most 99';
    return;
  end if;
  -- The kinds of characters that the pattern tells apart, at most: each literal is one, and each combination of sets and
  -- classes is one, of which there are no more than edges of ranges. The 1 is every other character.
  select 1 + count(distinct t) filter (where t !~ '^[{.[]|^\\[a-zA-Z]')
           + least(power(2::numeric, least(count(distinct t) filter (where t ~ '^\[|^\\[a-zA-Z]'), 9)),
                   2 * sum(length(t)) filter (where t ~ '^\[|^\\[a-zA-Z]')),
         (count(*) filter (where t ~ '^\\[a-zA-Z]|\[:|^\[.*\\[dsw]'))::integer
  into v_colors, classes from unnest(v_tokens) t;
  -- From left to right with one open atom: a quantifier changes it, everything else first closes it by appending it to the
  -- open sequence. Groups are a stack, v_depth deep.
  for v_n in 1 .. cardinality(v_tokens) loop
    v_token := v_tokens[v_n];
    if v_token ~ '^[*+?{]' then
      -- A quantifier with nothing before it, a second one, or braces after a group.
      if not v_is_atom or (v_is_group and v_token like '{%') then
        return;
      end if;
      v_atom := weir.pattern_repeat(v_atom, v_token, v_is_group);
    end if;
    if v_is_atom then
      v_before[v_depth] := weir.pattern_sequence(v_before[v_depth], v_atom);
      v_is_atom := false;
    end if;
    continue when v_token ~ '^[*+?{]';
    -- The alternative ends here.
    if v_token in ('|', ')') then
      v_alternatives[v_depth] := case when v_alternatives[v_depth] is null then v_before[v_depth]
                                      else weir.pattern_choice(v_alternatives[v_depth], v_before[v_depth]) end;
      v_before[v_depth] := v_nothing;
    end if;
    v_is_group := v_token = ')';
    if v_token = '(' then
      v_depth := v_depth + 1;
      v_alternatives[v_depth] := null;
      v_before[v_depth] := v_nothing;
    elsif v_token = ')' then
      if v_depth = 1 then
        return;
      end if;
      v_atom := v_alternatives[v_depth];
      v_is_atom := true;
      v_depth := v_depth - 1;
    elsif v_token in ('^', '$') then
      -- Allowed only where they change nothing, because the whole pattern is anchored at both ends anyway.
      if v_token = '^' and v_n > 1 or v_token = '$' and v_n < cardinality(v_tokens) then
        return;
      end if;
    elsif v_token <> '|' then
      -- One character: a single position. A set or class may be any of the kinds.
      v_atom := row(false, 1::numeric, 1::numeric, case when v_token ~ '^[.[]|^\\[a-zA-Z]' then v_colors else 1 end,
                    0::numeric, 0::numeric, 1);
      v_is_atom := true;
    end if;
  end loop;
  -- A group that was not closed.
  if v_depth > 1 then
    return;
  end if;
  v_atom := case when v_is_atom then weir.pattern_sequence(v_before[1], v_atom) else v_before[1] end;
  v_atom := case when v_alternatives[1] is null then v_atom else weir.pattern_choice(v_alternatives[1], v_atom) end;
  kinds := v_atom.kinds;
  moves := v_atom.moves;
  arcs := v_atom.arcs;
  longest := v_atom.longest;
  error := null;
end;
$$;

-- The steps of compiling a pattern once and matching p_texts texts that have p_characters together. Compiling counts for
-- each call, because a connection keeps only 32 compiled patterns. The weights were measured (`./weir bench rules`).
create function weir.pattern_cost(p_pattern text, p_texts numeric, p_characters numeric) returns numeric
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_size constant record := weir.pattern_size(p_pattern);
begin
  return 1000 + 50 * length(p_pattern) + 600 * v_size.classes + 190 * v_size.moves + 17 * v_size.arcs
    + p_texts * 100
    -- No more of a text is read than the pattern can match, and one character.
    + least(p_characters, p_texts * (v_size.longest + 1)) * (1 + 0.06 * (v_size.arcs + v_size.kinds));
end;
$$;

-- A pattern on its own must not cost more than all rules of a call may. PostgreSQL is asked to compile it only after that,
-- so a costly pattern is refused before it has cost anything.
create function weir.pattern_error(p_pattern text) returns text
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_error text := (weir.pattern_size(p_pattern)).error;
  v_cost numeric;
begin
  if v_error is not null then
    return v_error;
  end if;
  v_cost := weir.pattern_cost(p_pattern, 0, 0);
  if v_cost > weir.max_cost() then
    return format('costs %s steps, of at most %s: use smaller repetitions and fewer that may match nothing', ceil(v_cost), weir.max_cost());
  end if;
  perform '' ~ p_pattern;
  return null;
exception
  when invalid_regular_expression then
    return 'is not a regular expression';
end;
$$;

-- One rule, for one value of an argument: an object of conditions that must all hold. {} accepts any value. A condition for
-- another type of value does not hold, so the argument is denied.
--   type      {"type": "string"}                   also number, integer, boolean, array, object, null
--   equals    {"equals": "main"}                   any JSON value; numbers by value, so 1 equals 1.0
--   in        {"in": ["red", "green"]}             1 to 100 values
--   min, max  {"min": 0, "max": 1000}              numbers, inclusive
--   prefix    {"prefix": "SELECT "}                1 to 1024 characters
--   under     {"under": "/srv/data"}               a path or URI: that place or below it (weir.is_under)
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
          then null else 'must be a number of at most 300 digits on either side of the point' end
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

-- The steps of one rule for p_values values whose texts have p_characters together. `each` counts as 256 elements, also
-- where it is nested, because weir.rule_failure and argument_failure deny more; the texts that `under` and `matches` look
-- at are bounded with their array for the same reason.
create function weir.rule_cost(p_rule jsonb, p_values numeric default 1, p_characters numeric default 4096) returns numeric
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_each constant jsonb := p_rule -> 'each';
begin
  return p_values * (130 + pg_column_size(p_rule) * 0.2 + case when p_rule ?| '{min,max}' then 60 else 0 end
                     + case when p_rule ?| '{equals,in}' then 100 + pg_column_size(p_rule) * 0.8 else 0 end
                     -- Objects and arrays are compared whole, by a query.
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

-- The steps of finding a glob in a list and of matching a text of p_characters. What follows a `*` is searched for at each
-- place of the text, so each `*` and the text behind the first one cost; a final `*` costs nothing.
create function weir.glob_cost(p_glob text, p_characters integer) returns numeric
language sql immutable parallel safe
begin atomic
  select case when strpos(p_glob, '*') = 0 then 60
              else 150 + p_characters * (0.2 * (length(p_glob) - length(replace(p_glob, '*', ''))
                                                - case when p_glob like '%*' then 1 else 0 end)
                                         + 0.14 * length(replace(substr(p_glob, strpos(p_glob, '*')), '*', ''))) end;
end;

-- The steps of one tool's entry. Finding an argument and recording where its rule is costs more than most rules do.
create function weir.entry_cost(p_entry jsonb) returns numeric
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
begin atomic
  select 300 + coalesce(sum(1200 + weir.rule_cost(a.value)), 0) from jsonb_each(p_entry -> 'args') a;
end;

-- Whether no segment of a path or URI means another place. It must be absolute, and may hold no `.` or `..` segment,
-- backslash, `%`, control character or line separator. An empty segment is allowed only at the end, and in the `://` of a
-- URI.
-- Asked of a grant's `under` when it is made and of an argument at each call, so a server that decodes or normalizes the
-- path cannot leave the place. No search_path of its own, because it runs for each call (weir.matches_glob says who may
-- execute these).
create function weir.is_clean_path(p_path text) returns boolean
language plpgsql immutable parallel safe
as $$
begin
  -- One expression and one search: this runs for each call.
  return case when starts_with(p_path, '/') then p_path else regexp_replace(p_path, '^[a-z][a-z0-9+.-]*:///?', '/') end
    !~ '^$|^[^/]|//|/\.{1,2}(/|$)|[\\%\x01-\x1f\x7f-\x9f\u2028\u2029]';
end;
$$;

-- A name or a URI in which `*` stands for any text, also an empty one: "read_*", "file:///data/*". At most four, because
-- each adds to the work of matching.
create function weir.glob_error(p_glob text, p_path text) returns text
language sql immutable parallel safe
begin atomic
  select case
    when p_glob is null or length(p_glob) not between 1 and 1024 or p_glob ~ '[\x01-\x1f\x7f]'
      then p_path || ': must be a text of 1 to 1024 characters'
    when length(p_glob) - length(replace(p_glob, '*', '')) > 4 then p_path || ': may have at most four *'
  end;
end;

-- What is granted of one tool: an object with `args`, `other` or both.
--   {}                                                any arguments
--   {"args": {"path": {"under": "/data"}}}            `path` must be there and hold its rule; no other argument
--   {"args": {"path": {}}, "other": "allow"}          `path` must be there; other arguments as they come
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

-- An error that says the cost, the maximum and what to do about it, or null.
create function weir.cost_error(p_cost numeric, p_path text, p_advice text) returns text
language sql immutable parallel safe
  return case when p_cost > weir.max_cost()
    then format('%s: costs each call up to %s steps, of at most %s: %s', p_path, ceil(p_cost), weir.max_cost(), p_advice) end;

-- `tools`: an object of tool names, or globs of them, and what is granted of each.
-- An exact name has only its own rules, so each is bounded by itself. Of the names with `*` all that match must hold, and
-- all of them may match one tool, so their costs are one sum.
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
  -- Bounds what this check itself costs: each pattern is compiled once by it.
  if (select count(*) from jsonb_path_query(p_tools, '$.*.args.*.**{0 to 4}.matches')) > 100 then
    return '$.tools: at most 100 rules may have matches';
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
  return weir.cost_error(v_sum, '$.tools, all names with a * together', 'use fewer of these, or fewer rules in them');
end;
$$;

-- `resources` and `prompts`: an array of names or URIs, exact or globs. All of them may have to be tried for one call, so
-- their costs are one sum.
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
  return weir.cost_error(v_sum, p_path, 'use fewer, or let less text stand behind a *');
end;
$$;

-- The whole grammar. A grant is an allow-list: a member that is absent grants nothing of its kind, {} grants no tool,
-- resource or prompt, and an unknown member is an error.
--   tools       {"tools": {"read_file": {"args": {"path": {"under": "/data"}}, "other": "deny"}, "list_*": {}}}
--               names of the server's own; an exact name beats globs, and of several globs all must hold
--               (weir.granted_entries, tool_grant_error, rule_error)
--   resources   {"resources": ["file:///data/*", "https://example.org/a"]}
--               URIs; a glob matches no URI that climbs out of it (weir.matches_uri_glob)
--   prompts     {"prompts": ["summarize", "review_*"]}
--   limits      {"limits": {"per_minute": 60, "per_day": 5000}}
--               calls of this grant, of whatever kind, in a minute, an hour or a day of the clock in UTC; 0 is no call
-- At most 64 KiB in all. The error names the JSON path of what is wrong.
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
  -- Bounds come before the value becomes text.
  elsif weir.bounds_error(p_permissions, 131072) is not null then
    return '$: ' || weir.bounds_error(p_permissions, 131072);
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

-- One list, because every function of this file is for the same two roles: people write grants through weir_writer, and
-- weir_system evaluates them. Nobody else may compile a pattern of their own with these.
do $$
declare
  v_function regprocedure;
begin
  foreach v_function in array array[
    'weir.max_cost()', 'weir.pattern_sequence(weir.pattern_part, weir.pattern_part)',
    'weir.pattern_choice(weir.pattern_part, weir.pattern_part)',
    'weir.pattern_repeat(weir.pattern_part, text, boolean)', 'weir.pattern_size(text)', 'weir.pattern_cost(text, numeric, numeric)',
    'weir.pattern_error(text)', 'weir.rule_error(jsonb, text, integer)', 'weir.rule_cost(jsonb, numeric, numeric)',
    'weir.is_clean_path(text)',
    'weir.glob_error(text, text)', 'weir.glob_cost(text, integer)', 'weir.tool_grant_error(jsonb, text)', 'weir.entry_cost(jsonb)',
    'weir.cost_error(numeric, text, text)', 'weir.tools_error(jsonb)', 'weir.globs_error(jsonb, text)',
    'weir.permissions_error(jsonb)'] loop
    execute format('revoke all on function %s from public', v_function);
    execute format('grant execute on function %s to weir_writer, weir_system', v_function);
  end loop;
end;
$$;
