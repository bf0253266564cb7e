-- Search by words and by meaning in the datastores of an agent.

set local role weir_system;

-- The datastores that this person may search through this agent. The rule is admission's (weir.decide): the organization, the agent, its
-- owner and the person are active, the owner is not a viewer, and the person may use the agent. WR004: no such agent for this person;
-- WR003: the person is a viewer. Definer: an agent is not a person; person and agent of the turn determine the datastores.
create function weir.agent_knowledge(p_user_id uuid, p_agent_id uuid)
returns table (datastore_id uuid, organization_id uuid, name text, backend text, settings jsonb, version bigint, removal_version bigint)
language plpgsql stable security definer rows 5
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_organization_id uuid;
  v_role text;
begin
  select a.organization_id, person.role into v_organization_id, v_role
  from public.agents a
  join public.organizations o on o.id = a.organization_id and o.is_active
  join public.organization_members owner
    on owner.organization_id = a.organization_id and owner.user_id = a.user_id and owner.status = 'active' and owner.role <> 'viewer'
  join public.organization_members person
    on person.organization_id = a.organization_id and person.user_id = p_user_id and person.status = 'active'
  where a.id = p_agent_id and a.is_active and weir.may_use_agent(p_user_id, a.id, a.user_id);
  -- Only a person who may use the agent learns that a viewer may not.
  if v_organization_id is null then
    raise exception using errcode = 'WR004', message = 'there is no such agent';
  elsif v_role = 'viewer' then
    raise exception using errcode = 'WR003', message = 'a viewer may not use an agent: ask an admin for the role member';
  end if;
  return query
    select d.id, d.organization_id, d.name, d.backend, d.settings, d.version, d.removal_version
    from public.agent_datastores l
    join public.datastores d on d.organization_id = l.organization_id and d.id = l.datastore_id and d.deleted_at is null
    where l.organization_id = v_organization_id and l.agent_id = p_agent_id
    order by d.id;
end;
$$;
grant execute on function weir.agent_knowledge to weir_engine;

reset role;

-- A lexeme as a query, whatever characters it has. Text from outside never becomes an operator.
create function weir.lexeme_query(p_lexeme text) returns tsquery
language sql immutable parallel safe
begin atomic
  select ('''' || replace(replace(p_lexeme, '\', '\\'), '''', '''''') || '''')::tsquery;
end;

-- A query for any of these lexemes; null if there is none.
create function weir.any_lexeme(p_lexemes text[]) returns tsquery
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_query tsquery;
  v_lexeme text;
begin
  foreach v_lexeme in array p_lexemes loop
    v_query := coalesce(v_query || weir.lexeme_query(v_lexeme), weir.lexeme_query(v_lexeme));
  end loop;
  return v_query;
end;
$$;

-- The first chunks of each datastore, in the order in which its documents were added. With its caller's rights, and part of the caller's
-- plan (a plain SQL body without settings): if the caller stops reading, the rest is not read.
create function weir.first_chunks(p_organization_id uuid, p_datastore_ids uuid[], p_limit integer) returns table (id uuid, terms tsvector)
language sql stable rows 1000
begin atomic
  select c.id, c.terms
  from unnest(p_datastore_ids) d(id)
  cross join lateral (select c.id, c.terms from weir.document_chunks c
                      where c.organization_id = p_organization_id and c.datastore_id = d.id order by c.document_id limit p_limit) c;
end;

revoke all on function weir.lexeme_query, weir.any_lexeme, weir.first_chunks from public;
grant execute on function weir.lexeme_query, weir.any_lexeme, weir.first_chunks to weir_system;

set local role weir_system;

-- Finds by words. First it finds chunks with all of them, in the syntax of a web search: "a phrase", or, -not. If those are fewer than
-- p_limit, it adds chunks with any of them, so that a question in a sentence finds something. A rank is above 0.5 if the whole query
-- matches, and below if a part matches; then it rises with the number of the query's words in the text.
-- The work is bounded: at most 300 chunks with all words, and 150 for each word. A word that is in more than a tenth of a sample is
-- searched in the texts themselves, because the index would return all chunks that have it before the first can be read
-- (docs/performance.md).
-- Definer: an agent is not a person; only the datastores of agent_knowledge are read. p_limit is 1 to 100.
create function weir.search_documents(p_user_id uuid, p_agent_id uuid, p_query text, p_limit integer)
returns table (chunk_id uuid, document_id uuid, datastore text, title text, source text, heading text, content text,
               ordinal integer, score real)
language plpgsql stable security definer rows 10
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_organization_id uuid;
  v_datastores uuid[];
  v_limit constant integer := least(greatest(coalesce(p_limit, 10), 1), 100);
  v_text constant text := left(coalesce(p_query, ''), 1000);
  -- The query without its excluded words, and the excluded words.
  v_wanted constant text := regexp_replace(v_text, '(^|\s)-\S+', ' ', 'g');
  v_unwanted constant text := (select string_agg(m[1], ' ') from regexp_matches(v_text, '(?:^|\s)-(\S+)', 'g') m);
  v_config regconfig := 'pg_catalog.english'::regconfig;
  v_scope tsquery;
  v_all tsquery;
  v_any tsquery;
  v_not tsquery;
  v_words text[] := tsvector_to_array(to_tsvector(v_config, v_wanted));
  v_sample tsvector[];
  v_frequent text[];
  v_found uuid[];
begin
  -- An agent's datastores all belong to one organization.
  select (array_agg(k.organization_id))[1], coalesce(array_agg(k.datastore_id), '{}') into v_organization_id, v_datastores
  from weir.agent_knowledge(p_user_id, p_agent_id) k;
  if v_words = '{}' then
    -- The query has only words that every sentence has: a title may consist of them.
    v_config := 'pg_catalog.simple'::regconfig;
    v_words := tsvector_to_array(to_tsvector(v_config, v_wanted));
  end if;
  if v_datastores = '{}' or v_words = '{}' then
    return;
  end if;
  -- Long words are usually rare, so the twelve longest are used.
  v_words := array(select w from unnest(v_words) w order by length(w) desc, w limit 12);
  -- Every term has its datastore's lexeme: the index itself leaves other tenants' rows out.
  v_scope := weir.any_lexeme(array(select weir.datastore_lexeme(d) from unnest(v_datastores) d));
  v_all := v_scope && websearch_to_tsquery(v_config, v_text);
  v_any := weir.any_lexeme(v_words);
  -- Excluded words are excluded from partial matches too.
  v_not := weir.any_lexeme(tsvector_to_array(to_tsvector(v_config, coalesce(v_unwanted, ''))));
  -- How frequent each word is, by a sample of 100 chunks.
  v_sample := array(select c.terms from weir.first_chunks(v_organization_id, v_datastores, 100) c);
  v_frequent := array(select q.word from unnest(v_words) q(word)
                      where 0.1 < (select avg((s.terms @@ weir.lexeme_query(q.word))::integer) from unnest(v_sample) s(terms)));
  -- All words, by the texts or by the index. 300 chunks are enough to rank.
  if cardinality(v_frequent) = cardinality(v_words) and 0.1 < (select avg((s.terms @@ v_all)::integer) from unnest(v_sample) s(terms)) then
    v_found := array(select c.id from weir.first_chunks(v_organization_id, v_datastores, 2000) c where c.terms @@ v_all limit 300);
  else
    v_found := array(select c.id from weir.document_chunks c
                     where c.terms @@ v_all and c.datastore_id = any(v_datastores) limit 300);
  end if;
  -- Any word: frequent ones by the texts, rare ones by the index.
  if cardinality(v_found) < v_limit then
    v_found := v_found
      || array(select w.id
               from unnest(v_frequent) q(word)
               cross join lateral (select c.id from weir.first_chunks(v_organization_id, v_datastores, 2000) c
                                   where c.terms @@ weir.lexeme_query(q.word) and (v_not is null or not c.terms @@ v_not) limit 150) w)
      || array(select w.id
               from unnest(v_words) q(word)
               cross join lateral (select c.id from weir.document_chunks c
                                   where c.terms @@ (v_scope && weir.lexeme_query(q.word)) and c.datastore_id = any(v_datastores)
                                     and (v_not is null or not c.terms @@ v_not) limit 150) w
               where q.word <> all(v_frequent));
  end if;
  return query
  -- Ranked first; titles and texts are read only for the result.
  with best as materialized (
    select c.id, r.score
    from weir.document_chunks c
    cross join lateral (select ts_rank('{0.05, 0.2, 0.4, 1}', c.terms, v_any, 32) as rank,
                               (length(c.terms) - length(ts_delete(c.terms, v_words)))::real / cardinality(v_words) as share offset 0) m
    cross join lateral (select (case when c.terms @@ v_all then 0.5 + m.rank / 2
                                     else m.share * 0.4 + m.rank * 0.1 end)::real as score offset 0) r
    where c.id = any(v_found)
    order by r.score desc, c.id
    limit v_limit)
  select c.id, c.document_id, s.name, d.title, d.source, c.heading, c.content, c.ordinal, b.score
  from best b
  join weir.document_chunks c on c.id = b.id
  join public.documents d on d.id = c.document_id
  join public.datastores s on s.id = c.datastore_id
  order by b.score desc, c.id;
end;
$$;
grant execute on function weir.search_documents to weir_engine;

-- The texts of chunks that were found elsewhere, in no order. A foreign index or a replica's cache is not authoritative: a chunk that this
-- person may not see through this agent now has no row. Definer, as search_documents.
create function weir.passages(p_user_id uuid, p_agent_id uuid, p_chunk_ids uuid[])
returns table (chunk_id uuid, document_id uuid, datastore text, title text, source text, heading text, content text, ordinal integer)
language plpgsql stable security definer rows 10
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_datastores constant uuid[] := array(select k.datastore_id from weir.agent_knowledge(p_user_id, p_agent_id) k);
begin
  return query
  select c.id, c.document_id, s.name, d.title, d.source, c.heading, c.content, c.ordinal
  from weir.document_chunks c
  join public.documents d on d.id = c.document_id
  join public.datastores s on s.id = c.datastore_id
  where c.id = any(p_chunk_ids) and c.datastore_id = any(v_datastores);
end;
$$;
grant execute on function weir.passages to weir_engine;

-- A datastore's vectors, for a replica that searches them itself: those of one model that were added after version p_after and up to
-- p_until. At most p_limit (null: all), because the rows are built before the first is sent, and a replica caches no more. Definer;
-- agent_knowledge decides about the datastore.
create function weir.chunk_vectors(
  p_user_id uuid, p_agent_id uuid, p_datastore_id uuid, p_model text, p_after bigint, p_until bigint, p_limit bigint default null)
returns table (chunk_id uuid, embedding real[])
language plpgsql stable security definer rows 10000
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
  return query
  select c.id, c.embedding
  from weir.document_chunks c
  where c.datastore_id = p_datastore_id and c.embedded_version > p_after and c.embedded_version <= p_until and c.embedding is not null
    and c.embedding_model = p_model
    and exists (select from weir.agent_knowledge(p_user_id, p_agent_id) k where k.datastore_id = p_datastore_id)
  limit p_limit;
end;
$$;
grant execute on function weir.chunk_vectors to weir_engine;

-- The schema of the extension pgvector, if it is installed and weir_system may use it; else null. Looked up each time: the extension can be
-- installed or dropped at any time.
create function weir.vector_schema() returns text
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return (select n.nspname::text from pg_extension e join pg_namespace n on n.oid = e.extnamespace
          where e.extname = 'vector' and has_schema_privilege('weir_system', n.oid, 'usage'));
end;
$$;
grant execute on function weir.vector_schema to weir_engine;

-- Finds by meaning with pgvector: the nearest by cosine, exactly, without an approximate index. WR010 if pgvector is not installed. The
-- statement is dynamic because the extension's names are in whatever schema it was installed in, and may be missing. Only that schema's
-- name, quoted, becomes part of the statement, and no text of a caller. Definer, as search_documents. p_limit is 1 to 200.
create function weir.search_vectors(p_user_id uuid, p_agent_id uuid, p_model text, p_vector real[], p_limit integer)
returns table (chunk_id uuid, score real)
language plpgsql stable security definer rows 10
set search_path = pg_catalog, pg_temp
as $$
declare
  v_schema constant text := weir.vector_schema();
  v_datastores constant uuid[] := array(
    select k.datastore_id from weir.agent_knowledge(p_user_id, p_agent_id) k where k.backend = 'postgres');
begin
  if v_schema is null then
    raise exception using errcode = 'WR010', message = 'the extension pgvector is not installed, or weir_system may not use its schema';
  end if;
  for chunk_id, score in execute format($statement$
    select c.id, (1 - (c.embedding::%1$I.vector operator(%1$I.<=>) $1::%1$I.vector))::real
    from weir.document_chunks c
    where c.datastore_id = any($2) and c.embedding is not null and c.embedding_model = $3 and cardinality(c.embedding) = cardinality($1)
    order by c.embedding::%1$I.vector operator(%1$I.<=>) $1::%1$I.vector, c.id
    limit $4$statement$, v_schema) using p_vector, v_datastores, p_model, least(greatest(p_limit, 1), 200) loop
    return next;
  end loop;
end;
$$;
grant execute on function weir.search_vectors to weir_engine;

reset role;

-- weir_system needs USAGE on the schema of pgvector, if the extension is installed. On Supabase another role owns it.
do $$
declare
  v_schema name := (select n.nspname from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname = 'vector');
begin
  if v_schema is not null then
    execute format('grant usage on schema %I to weir_system', v_schema);
  end if;
exception
  -- Its owner may grant it. Until then vectors are searched without the extension.
  when insufficient_privilege then
    null;
end;
$$;
