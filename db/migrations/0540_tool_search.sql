-- Finding tools by words. Candidates are the tools that one agent may use, at most some thousand rows that the primary key finds.
-- There is no index over the words of all tenants: it would find all tenants' rows for a word, to throw most of them away. A
-- misspelled name is found by shared trigrams, which are ours and not pg_trgm's (decision 0014).

-- The words of a name or a sentence: split where a person would read a new word, as in `readFile`, `read_file` and `HTTPServer`.
create function weir.search_words(p_text text) returns text
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  return translate(regexp_replace(regexp_replace(p_text, '([[:lower:][:digit:]])([[:upper:]])', '\1 \2', 'g'),
                                  '([[:upper:]]+)([[:upper:]][[:lower:]])', '\1 \2', 'g'), '_-./:', '     ');
end;
$$;

-- The trigrams of each word, each once, with two blanks before the word and one behind it: a misspelled word keeps most of its
-- own. Loops, because the same as a query takes twenty times as long, and every recorded tool needs it. At most 500 characters of
-- input.
create function weir.trigrams(p_text text) returns text[]
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_word text;
  v_trigrams text[] := '{}'::text[];
begin
  foreach v_word in array regexp_split_to_array(lower(weir.search_words(left(p_text, 500))), '[^[:alnum:]]+') loop
    for v_n in 1 .. case v_word when '' then 0 else length(v_word) + 1 end loop
      v_trigrams := v_trigrams || substr('  ' || v_word || ' ', v_n, 3);
    end loop;
  end loop;
  -- Sorted, and each once.
  return tsvector_to_array(array_to_tsvector(v_trigrams));
end;
$$;

-- The words by which a tool is found, weighted: its name (A), its parameters' names (B), its title and description (C). Null for
-- other kinds. A definition is a server's text: whatever it holds, this raises nothing, or recording the definition would fail.
-- Immutable, for a generated column.
create function weir.tool_terms(p_kind text, p_name text, p_definition text) returns tsvector
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_definition jsonb := '{}'::jsonb;
begin
  if p_kind <> 'tool' then
    return null;
  end if;
  begin
    v_definition := p_definition::jsonb;
  exception
    when data_exception then
      null;  -- found by its name
  end;
  -- A definition that is too large or too deep is found by its name only.
  if weir.bounds_error(v_definition, 1048576) is not null then
    v_definition := '{}'::jsonb;
  end if;
  return setweight(to_tsvector('pg_catalog.english', weir.search_words(p_name)), 'A')
    || setweight(to_tsvector('pg_catalog.english', weir.search_words(coalesce(left((
         select string_agg(k, ' ') from jsonb_object_keys(
           case when jsonb_typeof(v_definition #> '{inputSchema,properties}') = 'object' then v_definition #> '{inputSchema,properties}'
                else '{}' end) k), 16384), ''))), 'B')
    || setweight(to_tsvector('pg_catalog.english',
                             left(concat_ws(' ', v_definition ->> 'title', v_definition ->> 'description'), 16384)), 'C');
end;
$$;
revoke all on function weir.search_words(text), weir.trigrams(text), weir.tool_terms(text, text, text) from public;
-- To the writer too: an approval updates the row, and because the table has BEFORE triggers PostgreSQL computes its generated
-- columns anew, as the writer.
grant execute on function weir.search_words(text), weir.trigrams(text), weir.tool_terms(text, text, text) to weir_system, weir_writer;

alter table public.mcp_server_tools
  -- Generated, so whoever pins a tool, its words are those of its definition.
  add column terms tsvector generated always as (weir.tool_terms(kind, name, definition)) stored,
  add column name_trigrams tsvector
    generated always as (case when kind = 'tool' then array_to_tsvector(weir.trigrams(name)) end) stored;

-- The tools that the agent may call, best first. agent_catalog gives the candidates, so what is found is what the agent is shown,
-- and nothing else decides. A tool matches by any word of the query, a name's word counting more than a parameter's and that more
-- than a description's; and by a name that shares half of its trigrams with the query, or the query with it. A query without a
-- word is answered with the first tools there are. Nothing in a query raises. p_limit is 1 to 50, 10 by default. p_era and
-- p_abilities: only what a client of this era that offers this may be shown; null: all. Definer: an agent is no person; its
-- verified key names the rows.
create function weir.find_tools(
  p_key_id text, p_secret_hash bytea, p_user_id uuid, p_agent_id uuid, p_query text, p_limit integer,
  p_era text default null, p_abilities text[] default null)
returns table (instance_id uuid, instance_name text, status text, name text, definition_hash bytea, rank real)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_text constant text := weir.search_words(left(coalesce(p_query, ''), 500));
  v_trigrams constant text[] := weir.trigrams(v_text);
  v_words tsquery;
  v_word text;
begin
  -- Words are joined by `or`. They are stemmed already, hence `simple`.
  foreach v_word in array tsvector_to_array(to_tsvector('pg_catalog.english', v_text)) loop
    v_words := coalesce(v_words || plainto_tsquery('pg_catalog.simple', v_word), plainto_tsquery('pg_catalog.simple', v_word));
  end loop;
  return query
  select c.instance_id, c.instance_name, c.status, c.item, c.definition_hash, s.rank
  from weir.agent_catalog(p_key_id, p_secret_hash, p_user_id, p_agent_id, null, array['tool']) with ordinality c
  -- Looked up by the primary key, one for each candidate. Shared trigrams are counted by ts_delete, which runs in C.
  cross join lateral (select t.terms, t.name_trigrams,
                             length(t.name_trigrams) - length(ts_delete(t.name_trigrams, v_trigrams)) as shared
                      from public.mcp_server_tools t
                      where t.instance_id = c.instance_id and t.kind = 'tool' and t.name = c.item
                        and t.definition_hash = c.definition_hash offset 0) t
  cross join lateral (select greatest(t.shared::real / nullif(length(t.name_trigrams), 0),
                                      t.shared::real / nullif(cardinality(v_trigrams), 0))
                      as likeness offset 0) l
  -- Likeness adds at most a tenth: a word that is there beats a name that looks like it.
  cross join lateral (select (coalesce(ts_rank('{0.05, 0.1, 0.4, 1}', t.terms, v_words), 0)
                              + coalesce(l.likeness, 0) * 0.1)::real as rank) s
  where c.kind = 'tool' and (p_era is null or p_era = any(c.eras)) and (p_abilities is null or c.needs <@ p_abilities)
    and (v_trigrams = '{}' or t.terms @@ v_words or l.likeness >= 0.5)
  -- Equal ranks keep the catalog's order.
  order by s.rank desc, c.ordinality
  limit least(greatest(coalesce(p_limit, 10), 1), 50);
end;
$$;
revoke all on function weir.find_tools(text, bytea, uuid, uuid, text, integer, text, text[]) from public;
grant execute on function weir.find_tools(text, bytea, uuid, uuid, text, integer, text, text[]) to weir_engine;
grant create on schema weir to weir_system;
alter function weir.find_tools(text, bytea, uuid, uuid, text, integer, text, text[]) owner to weir_system;
revoke create on schema weir from weir_system;
