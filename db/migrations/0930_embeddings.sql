-- Embeddings. Workers compute them outside of any transaction. A document is found by its words from the start.

set local role weir_system;

-- Makes documents due again that another model embedded. Called when a replica starts with a model. Returns how many. Definer, as all
-- functions of this file: workers serve all organizations.
create function weir.reopen_embeddings(p_model text) returns integer
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_count integer;
begin
  update public.documents d set embed_after = clock_timestamp(), embed_attempts = 0
  where d.embed_after = 'infinity' and d.embedding_model is distinct from p_model;
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;
grant execute on function weir.reopen_embeddings to weir_engine;

-- Leases documents that are due, alternating between organizations, and returns at most p_limit of their chunks that have no embedding of
-- this model yet. `known` is the embedding of the same text that the organization already has. A document without such chunks becomes
-- embedded. force_custom_plan and seqscan (decision 0061): it reads everything that is due.
create function weir.claim_embeddings(p_model text, p_limit integer, p_lease interval)
returns table (document_id uuid, organization_id uuid, datastore_id uuid, vector_index text, chunk_id uuid, content text, known real[])
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_custom_plan set enable_seqscan = on
as $$
#variable_conflict use_column
declare
  v_document record;
  v_claimed uuid[] := '{}'::uuid[];
  v_chunks integer := 0;
begin
  -- place: the first document of each organization, then the second, and so on.
  for v_document in
    select d.id, d.chunk_count
    from (select distinct s.organization_id from public.datastores s where s.deleted_at is null) o
    cross join lateral (select x.id, x.chunk_count, row_number() over (order by x.embed_after, x.id) as place
                        from public.documents x
                        where x.organization_id = o.organization_id and x.embed_after <= clock_timestamp()
                        order by x.embed_after, x.id limit p_limit) d
    order by d.place, d.id limit p_limit
  loop
    -- Checked again: another worker may have taken it since.
    update public.documents d set embed_after = clock_timestamp() + p_lease
    where d.id = v_document.id and d.embed_after <= clock_timestamp();
    if found then
      v_claimed := v_claimed || v_document.id;
      v_chunks := v_chunks + v_document.chunk_count;
    end if;
    -- Enough for one answer; a large document's other chunks follow when its first ones are recorded.
    exit when v_chunks >= p_limit;
  end loop;
  -- A document whose chunks all have this model's embedding needs nothing more.
  update public.documents d
  set status = 'embedded', status_detail = null, embedding_model = p_model, embed_attempts = 0, embed_after = 'infinity'
  where d.id = any(v_claimed)
    and not exists (select from weir.document_chunks c where c.document_id = d.id and c.embedding_model is distinct from p_model);
  -- The lease covers documents; their chunks are returned with everything that embedding needs.
  return query
  select c.document_id, c.organization_id, c.datastore_id, s.settings ->> 'index', c.id,
         weir.embedded_text(d.title, c.heading, c.content), k.embedding
  from weir.document_chunks c
  join public.documents d on d.id = c.document_id
  join public.datastores s on s.id = c.datastore_id
  -- Only of the same organization: see document_chunks_known_idx.
  left join lateral (select x.embedding from weir.document_chunks x
                     where x.organization_id = c.organization_id and x.content_hash = c.content_hash and x.embedding is not null
                       and x.embedding_model = p_model limit 1) k on true
  where c.document_id = any(v_claimed) and c.embedding_model is distinct from p_model
  order by array_position(v_claimed, c.document_id), c.ordinal
  limit p_limit;
end;
$$;
grant execute on function weir.claim_embeddings to weir_engine;

-- Records vectors of one datastore's chunks, concatenated in p_values; null if a foreign index (p_vector_index) stores them. Documents
-- without missing vectors become embedded; the others are due again at once. Locks: documents, then the datastore, the order of a deletion.
create function weir.record_embeddings(
  p_organization_id uuid, p_datastore_id uuid, p_model text, p_chunk_ids uuid[], p_values real[], p_vector_index text) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_version bigint;
  v_size constant integer := cardinality(p_values) / nullif(cardinality(p_chunk_ids), 0);
begin
  -- Documents before their datastore, as in a deletion, whose trigger updates the datastore.
  perform from public.documents d
  where d.id in (select c.document_id from weir.document_chunks c where c.id = any(p_chunk_ids)) order by d.id for update;
  update public.datastores s set version = s.version + 1 where s.id = p_datastore_id returning s.version into v_version;
  -- The version is written with each vector, so that a replica finds the vectors that it has not read.
  if p_vector_index is null then
    update weir.document_chunks c
    set embedding = p_values[(n.n - 1) * v_size + 1 : n.n * v_size], embedding_model = p_model, embedded_version = v_version,
        vector_index = null
    from unnest(p_chunk_ids) with ordinality n(id, n)
    where c.id = n.id and c.datastore_id = p_datastore_id;
  else
    update weir.document_chunks c set embedding = null, embedding_model = p_model, embedded_version = null, vector_index = p_vector_index
    where c.id = any(p_chunk_ids) and c.datastore_id = p_datastore_id;
    -- Deleted since it was claimed: the foreign index has a vector without a chunk.
    insert into weir.vector_removals (organization_id, vector_index, chunk_id)
    select p_organization_id, p_vector_index, n from unnest(p_chunk_ids) n
    where not exists (select from weir.document_chunks c where c.id = n)
    on conflict do nothing;
  end if;
  update public.documents d
  set status = case when m.missing then d.status else 'embedded' end, status_detail = case when m.missing then d.status_detail end,
      embedding_model = case when m.missing then d.embedding_model else p_model end, embed_attempts = 0,
      embed_after = case when m.missing then clock_timestamp() else 'infinity' end
  from (select x.id, exists (select from weir.document_chunks c where c.document_id = x.id and c.embedding_model is distinct from p_model)
               as missing
        from public.documents x where x.id in (select c.document_id from weir.document_chunks c where c.id = any(p_chunk_ids))) m
  where d.id = m.id and d.datastore_id = p_datastore_id;
end;
$$;
grant execute on function weir.record_embeddings to weir_engine;

-- Records that documents could not be embedded. They are retried after 5 seconds, then after twice as long each time, at most an hour. A
-- document that is already embedded stays so.
create function weir.record_embedding_failure(p_document_ids uuid[], p_detail text) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  update public.documents d
  set status = case when d.status = 'embedded' then d.status else 'embedding_failed' end, status_detail = weir.cut(p_detail, 500),
      embed_attempts = d.embed_attempts + 1,
      embed_after = clock_timestamp() + least(interval '1 hour', interval '5 seconds' * power(2, least(d.embed_attempts, 12)))
  where d.id = any(p_document_ids);
end;
$$;
grant execute on function weir.record_embedding_failure to weir_engine;

-- Leases vectors to delete from a foreign index. After the lease they are due again, unless forget_vector_removals was called.
create function weir.claim_vector_removals(p_limit integer, p_lease interval)
returns table (organization_id uuid, vector_index text, chunk_id uuid)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_custom_plan set enable_seqscan = on
as $$
#variable_conflict use_column
begin
  return query
  update weir.vector_removals r set remove_after = clock_timestamp() + p_lease
  where (r.organization_id, r.vector_index, r.chunk_id) in (
    select x.organization_id, x.vector_index, x.chunk_id from weir.vector_removals x where x.remove_after <= clock_timestamp()
    order by x.remove_after limit p_limit for update skip locked)
  returning r.organization_id, r.vector_index, r.chunk_id;
end;
$$;
grant execute on function weir.claim_vector_removals to weir_engine;

-- The foreign index has deleted these. Deleting twice is harmless, so a worker whose lease has ended may report too.
create function weir.forget_vector_removals(p_organization_id uuid, p_vector_index text, p_chunk_ids uuid[]) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  delete from weir.vector_removals r
  where r.organization_id = p_organization_id and r.vector_index = p_vector_index and r.chunk_id = any(p_chunk_ids);
end;
$$;
grant execute on function weir.forget_vector_removals to weir_engine;

-- Deletes at most p_limit documents of deleted datastores, and the datastores that have none left. Returns how many documents; the caller
-- repeats. Documents that are locked are left for the next run.
create function weir.purge_datastores(p_limit integer) returns integer
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_custom_plan set enable_seqscan = on
as $$
declare
  -- A parameter for both statements: PostgreSQL keeps the plan of a statement without one, whatever plan_cache_mode says.
  v_now constant timestamptz := clock_timestamp();
  v_count integer;
begin
  delete from public.documents d where d.id in (
    select x.id from public.documents x join public.datastores s on s.organization_id = x.organization_id and s.id = x.datastore_id
    where s.deleted_at <= v_now limit greatest(p_limit, 0) for update of x skip locked);
  get diagnostics v_count = row_count;
  delete from public.datastores s
  where s.deleted_at <= v_now
    and not exists (select from public.documents d where d.organization_id = s.organization_id and d.datastore_id = s.id);
  return v_count;
end;
$$;
grant execute on function weir.purge_datastores to weir_engine;

reset role;
