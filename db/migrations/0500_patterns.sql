-- Regular expressions in grants. Tenants write them and every admission runs them, so the cost of a pattern is computed before it is
-- accepted, by a grammar without constructs that backtrack without limit. All functions of the grammar are immutable, because check
-- constraints of agent_mcp_permissions and permission_requests call it, so that it applies to direct SQL too.

-- The maximum cost of a grant's rules for one call, in steps of about 10 ns. It is checked when the grant is made, so that no call has to
-- be cut off: at this maximum the rules add about a millisecond to an admission (docs/performance.md). The cost is computed by reading a
-- pattern, without compiling or running it.
create function weir.max_cost() returns numeric
language sql immutable parallel safe
  return 100000;

revoke all on function weir.max_cost from public;
grant execute on function weir.max_cost to weir_writer, weir_system;

-- A part of a pattern as an automaton without empty moves, of which only sizes are kept. A position is a place in the pattern that matches
-- one character.
--   empties       whether it matches the empty text
--   first, last   how many positions may begin it, and end it
--   kinds         how many kinds of characters its first positions take together
--   moves, arcs   its moves from position to position, and these times the kinds of characters that make them
--   longest       how many characters it matches at most; null: any number
create type weir.pattern_part as (
  empties boolean, first numeric, last numeric, kinds numeric, moves numeric, arcs numeric, longest integer);
revoke all on type weir.pattern_part from public;
grant usage on type weir.pattern_part to weir_writer, weir_system;

-- The part a followed by b: each last position of a moves to each first position of b. If one side may be empty, the first or last
-- positions of the other side count too.
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

-- The alternatives a and b: there are no moves between them.
create function weir.pattern_choice(a weir.pattern_part, b weir.pattern_part) returns weir.pattern_part
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  return row(a.empties or b.empties, a.first + b.first, a.last + b.last, a.kinds + b.kinds, a.moves + b.moves, a.arcs + b.arcs,
             case when a.longest is not null and b.longest is not null then greatest(a.longest, b.longest) end);
end;
$$;

-- The part a with a quantifier: ? * + or braces, greedy or not (which costs the same). Braces follow one character only, so a is then a
-- single position and the counts multiply; groups in braces could grow with each nesting.
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
  -- A group with + is the group twice, the second time with *. For one character it is only a loop.
  elsif p_quantifier like '+%' and p_group then
    return weir.pattern_sequence(a, v_loop);  -- as PostgreSQL compiles it, at each level
  elsif p_quantifier like '+%' then
    v_loop.empties := false;
    return v_loop;
  end if;
  -- {n}, {n,} and {n,m}: a sequence of v_most positions. If n and m differ, each may be skipped, which doubles the moves.
  v_least := substring(p_quantifier from '^\{(\d+)')::integer;
  v_most := case when p_quantifier ~ ',\d' then substring(p_quantifier from ',(\d+)')::integer else greatest(v_least, 1) end;
  v_ways := v_most * case when v_least = v_most then 1::numeric else 2::numeric end;
  return row(v_least = 0, a.first, v_most - least(v_least, v_most) + 1::numeric, a.kinds, a.first * v_ways, a.kinds * v_ways,
             case when strpos(p_quantifier, ',}') = 0 then v_most end);
end;
$$;

-- The size of a regular expression of the closed subset, or an error. The subset: characters, `.`, groups, alternatives, sets, the classes
-- \d \s \w \D \S \W and [:name:], escaped punctuation; * + ? after anything and braces after one character, greedy or not; ^ at the
-- beginning and $ at the end. Excluded are back references, look-around, options and other escapes, because they have no bounded automaton
-- or change what the text means.
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
  -- Tokens. Text that is not a token is left out of the array, so the joined tokens then differ from the pattern; this checks the whole
  -- alphabet.
  v_tokens := array(
    select m[1] from regexp_matches(p_pattern, '(\[\^?(?:\[:[a-z]{1,9}:\]|\\[dsw[:punct:]]|[^][\\])+\]|\\[dswDSW]|\\[[:punct:]]'
                                               '|[*+?]\??|\{\d{1,2}(?:,\d{0,2})?\}\??|[^][*+?{\\])', 'g') m);
  if array_to_string(v_tokens, '') is distinct from p_pattern then
    return;
  -- Braces multiply positions, so their number is bounded besides their size.
  elsif (select count(*) from unnest(v_tokens) t where t like '{%') > 8 then
    error := 'may have at most eight repetitions in braces, each of at most 99';
    return;
  end if;
  -- An upper bound of the kinds of characters that the pattern tells apart: each literal is one, and each combination of sets and classes
  -- is one, of which there are no more than edges of ranges. The 1 stands for every other character.
  select 1 + count(distinct t) filter (where t !~ '^[{.[]|^\\[a-zA-Z]')
           + least(power(2::numeric, least(count(distinct t) filter (where t ~ '^\[|^\\[a-zA-Z]'), 9)),
                   2 * sum(length(t)) filter (where t ~ '^\[|^\\[a-zA-Z]')),
         (count(*) filter (where t ~ '^\\[a-zA-Z]|\[:|^\[.*\\[dsw]'))::integer
  into v_colors, classes from unnest(v_tokens) t;
  -- From left to right with one open atom: a quantifier changes it; every other token first closes it by appending it to the open sequence.
  -- Groups are a stack, v_depth deep.
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
      -- Permitted only where they change nothing, because the whole pattern is anchored at both ends anyway.
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

-- The steps of compiling a pattern once and matching p_texts texts that have p_characters together. Compiling counts for each call, because
-- a connection keeps only 32 compiled patterns. The weights were measured (`./weir bench rules`).
create function weir.pattern_cost(p_pattern text, p_texts numeric, p_characters numeric) returns numeric
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_size constant record := weir.pattern_size(p_pattern);
begin
  return 1000 + 50 * length(p_pattern) + 600 * v_size.classes + 190 * v_size.moves + 17 * v_size.arcs
    + p_texts * 100
    -- At most one character more of a text is read than the pattern can match.
    + least(p_characters, p_texts * (v_size.longest + 1)) * (1 + 0.06 * (v_size.arcs + v_size.kinds));
end;
$$;

-- What is wrong with a pattern, or null. A single pattern must not cost more than the limit for all rules of a call. PostgreSQL compiles it
-- only after that check, so a costly pattern is refused before it has cost anything.
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
    return format('costs %s steps, and the limit is %s: use smaller repetitions, and fewer that may match nothing',
                  ceil(v_cost), weir.max_cost());
  end if;
  perform '' ~ p_pattern;
  return null;
exception
  when invalid_regular_expression then
    return 'is not a regular expression';
end;
$$;

revoke all on function weir.pattern_sequence, weir.pattern_choice, weir.pattern_repeat, weir.pattern_size, weir.pattern_cost,
  weir.pattern_error from public;
grant execute on function weir.pattern_sequence, weir.pattern_choice, weir.pattern_repeat, weir.pattern_size, weir.pattern_cost,
  weir.pattern_error to weir_writer, weir_system;
