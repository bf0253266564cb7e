-- Documents and their chunks.

-- A document of a datastore. Its text is in weir.document_chunks. People cannot update it: a changed text is another document.
create table public.documents (
  id uuid not null default weir.uuid_v7(),
  organization_id uuid not null,
  datastore_id uuid not null,
  title text not null,
  -- The source of the text, as stated at ingestion. It is never fetched.
  source text,
  media_type text not null,
  -- SHA-256 of what was ingested.
  content_hash bytea not null,
  size_bytes integer not null,
  chunk_count integer not null,
  -- indexed: found by its words; embedded: by its meaning too; embedding_failed: by its words only, and status_detail says why.
  status text not null default 'indexed',
  status_detail text,
  embedding_model text,
  -- When a worker takes it next: the end of a lease, the next attempt, or infinity if nothing is left to embed.
  embed_after timestamptz not null default now(),
  embed_attempts integer not null default 0,
  created_by uuid,
  created_at timestamptz not null default now(),
  constraint documents_pkey primary key (id),
  -- The target of the chunks' foreign key.
  constraint documents_organization_datastore_id_key unique (organization_id, datastore_id, id),
  -- Ingesting the same text again is harmless: ingest_document returns the existing document.
  constraint documents_content_is_there_once unique (datastore_id, content_hash),
  constraint documents_title_is_1_to_300_characters check (length(title) between 1 and 300 and title = btrim(title)),
  constraint documents_source_is_1_to_2000_characters check (length(source) between 1 and 2000),
  constraint documents_media_type_is_known check (media_type in ('text/plain', 'text/markdown', 'text/html')),
  constraint documents_content_hash_is_sha256 check (octet_length(content_hash) = 32),
  constraint documents_have_1_to_10000_chunks check (chunk_count between 1 and 10000),
  constraint documents_status_is_known check (status in ('indexed', 'embedded', 'embedding_failed')),
  constraint documents_embedded_by_a_model check (status <> 'embedded' or embedding_model is not null),
  constraint documents_datastore_of_the_organization
    foreign key (organization_id, datastore_id) references public.datastores (organization_id, id) on delete cascade,
  constraint documents_created_by foreign key (created_by) references auth.users (id) on delete set null
);
alter table public.documents enable row level security, force row level security;
revoke all on public.documents from public, anon, authenticated, service_role;
comment on table public.documents is 'tenant: a document of a datastore; its text is in weir.document_chunks';
-- For the foreign key, when a user is deleted.
create index documents_created_by_idx on public.documents (created_by);
-- For weir.claim_embeddings, which takes the first document of each organization.
create index documents_embed_idx on public.documents (organization_id, embed_after) where embed_after < 'infinity';

-- A document is visible with its datastore.
create policy documents_are_seen_with_their_datastore on public.documents for select to authenticated, weir_writer
  using (organization_id = any(array(select weir.my_organizations())) and datastore_id = any(array(select weir.my_datastores())));
-- my_datastores leaves out deleted ones, so nothing is ingested into a datastore that is being deleted.
create policy documents_are_ingested_by_admins on public.documents for insert to weir_writer
  with check (organization_id = any(array(select weir.my_organizations('admin'))) and datastore_id = any(array(select weir.my_datastores()))
              and created_by = (select weir.actor_id()));
-- There is no policy for updates by people: a changed text is another document.
create policy documents_are_deleted_by_admins on public.documents for delete to weir_writer
  using (organization_id = any(array(select weir.my_organizations('admin'))));
-- The engine embeds documents and deletes those of deleted datastores.
create policy documents_are_kept_by_the_engine on public.documents for all to weir_system using (true) with check (true);
grant select on public.documents to authenticated;
grant select,
      insert (id, organization_id, datastore_id, title, source, media_type, content_hash, size_bytes, chunk_count, created_by),
      delete on public.documents to weir_writer;
grant select, update (status, status_detail, embedding_model, embed_after, embed_attempts), delete on public.documents to weir_system;

-- Pieces of documents, as a search finds them. In `weir` and not published: people read them through get_document_chunks. Organization and
-- datastore are copied, so that a search needs no join to decide the permission; the composite foreign key keeps them correct. Chunks are
-- deleted with their document.
create table weir.document_chunks (
  id uuid not null default weir.uuid_v7(),
  organization_id uuid not null,
  datastore_id uuid not null,
  document_id uuid not null,
  ordinal integer not null,
  heading text not null default '',
  content text not null,
  -- SHA-256 of what is embedded: title, heading and content (weir.embedded_text).
  content_hash bytea not null,
  -- Includes the datastore's own lexeme, so that the index finds the words of one datastore only.
  terms tsvector not null,
  -- Of length 1, so that a dot product is the cosine. An array and not a vector, because the extension pgvector may be missing.
  embedding real[],
  embedding_model text,
  -- The datastore's version when the embedding was written: a replica loads those above the version that it has.
  embedded_version bigint,
  -- The index of a foreign backend that holds the vector; then embedding is null. Both null: not embedded yet.
  vector_index text,
  constraint document_chunks_pkey primary key (id),
  constraint document_chunks_ordinal_key unique (document_id, ordinal),
  constraint document_chunks_heading_is_at_most_1000_characters check (length(heading) <= 1000),
  constraint document_chunks_content_is_1_byte_to_16_kib check (octet_length(content) between 1 and 16384),
  constraint document_chunks_content_hash_is_sha256 check (octet_length(content_hash) = 32),
  constraint document_chunks_embedding_has_its_model check (num_nonnulls(embedding, vector_index) <= 1
    and (num_nonnulls(embedding, vector_index) = 1) = (embedding_model is not null)),
  constraint document_chunks_embedding_has_its_version check ((embedding is null) = (embedded_version is null)),
  constraint document_chunks_document_of_the_datastore
    foreign key (organization_id, datastore_id, document_id)
    references public.documents (organization_id, datastore_id, id) on delete cascade
);
alter table weir.document_chunks enable row level security, force row level security;
revoke all on weir.document_chunks from public, anon, authenticated, service_role;
comment on table weir.document_chunks is 'tenant: pieces of documents, as a search finds them';
-- Vectors hardly compress: trying costs more than it saves.
alter table weir.document_chunks alter column embedding set storage external;
-- For the foreign key, and for weir.first_chunks, which reads a datastore in the order of its documents.
create index document_chunks_document_idx on weir.document_chunks (organization_id, datastore_id, document_id);
-- For weir.search_documents.
create index document_chunks_terms_idx on weir.document_chunks using gin (terms);
-- For weir.chunk_vectors.
create index document_chunks_embedded_idx on weir.document_chunks (datastore_id, embedded_version) where embedding is not null;
-- For weir.claim_embeddings: the same text is embedded once in an organization. Another organization's embedding is never used, because the
-- time saved would reveal that it has that text.
create index document_chunks_known_idx on weir.document_chunks (organization_id, content_hash) where embedding is not null;

-- Chunks are visible as their documents are, but to weir_writer only: `authenticated` has no USAGE on the schema.
create policy chunks_are_seen_with_their_datastore on weir.document_chunks for select to weir_writer
  using (organization_id = any(array(select weir.my_organizations())) and datastore_id = any(array(select weir.my_datastores())));
-- Chunks are written with their document and never changed by people.
create policy chunks_are_ingested_by_admins on weir.document_chunks for insert to weir_writer
  with check (organization_id = any(array(select weir.my_organizations('admin')))
              and datastore_id = any(array(select weir.my_datastores())));
-- Only the engine reads and writes embeddings.
create policy chunks_are_kept_by_the_engine on weir.document_chunks for all to weir_system using (true) with check (true);
grant select (id, organization_id, datastore_id, document_id, ordinal, heading, content),
      insert (organization_id, datastore_id, document_id, ordinal, heading, content, content_hash, terms)
  on weir.document_chunks to weir_writer;
grant select, update (embedding, embedding_model, embedded_version, vector_index) on weir.document_chunks to weir_system;

-- An outbox: vectors that a foreign backend still stores although their chunk is deleted. No foreign keys, because a removal outlives its
-- chunk, its datastore and its organization.
create table weir.vector_removals (
  organization_id uuid not null,
  vector_index text not null,
  chunk_id uuid not null,
  remove_after timestamptz not null default now(),
  constraint vector_removals_pkey primary key (organization_id, vector_index, chunk_id)
);
alter table weir.vector_removals enable row level security, force row level security;
revoke all on weir.vector_removals from public, anon, authenticated, service_role;
comment on table weir.vector_removals is 'tenant: vectors to delete in a foreign backend (no foreign key: they outlive their chunk)';
-- For weir.claim_vector_removals.
create index vector_removals_after_idx on weir.vector_removals (remove_after);

-- A trigger writes removals and workers take them, for all organizations.
create policy removals_are_kept_by_the_engine on weir.vector_removals for all to weir_system using (true) with check (true);
grant select, insert (organization_id, vector_index, chunk_id), update (remove_after), delete on weir.vector_removals to weir_system;

set local role weir_system;

-- Counts a datastore's documents, bytes and chunks. The update locks the datastore's row, so changes of the searchable content are ordered
-- by version. Definer: a person who ingests or deletes a document may not write a datastore.
create function weir.count_document() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if tg_op = 'INSERT' then
    update public.datastores d
    set document_count = d.document_count + 1, size_bytes = d.size_bytes + new.size_bytes,
        chunk_count = d.chunk_count + new.chunk_count, version = d.version + 1
    where d.id = new.datastore_id;
  else
    update public.datastores d
    set document_count = d.document_count - 1, size_bytes = d.size_bytes - old.size_bytes, chunk_count = d.chunk_count - old.chunk_count,
        version = d.version + 1, removal_version = d.version + 1
    where d.id = old.datastore_id;
  end if;
  return null;
end;
$$;

-- A trigger, so that a vector in a foreign backend is removed whatever deletes its chunk, even a cascade. Definer: a person who deletes a
-- document may not write the outbox.
create function weir.remember_removal() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into weir.vector_removals (organization_id, vector_index, chunk_id) values (old.organization_id, old.vector_index, old.id)
  on conflict do nothing;
  return null;
end;
$$;

reset role;

-- After each row: the cascade from a datastore fires it too.
create trigger count_document after insert or delete on public.documents for each row execute function weir.count_document();

-- Only for chunks whose vector is in a foreign backend.
create trigger remember_removal after delete on weir.document_chunks
  for each row when (old.vector_index is not null) execute function weir.remember_removal();

-- A lexeme that stands for the datastore in the terms of its chunks. With it the index separates tenants, so that a common word does not
-- read the rows of all others. It begins with a character that no word has. It only helps the index: every search compares the datastore
-- itself too.
create function weir.datastore_lexeme(p_datastore_id uuid) returns text
language sql immutable parallel safe
begin atomic
  select E'\x01' || p_datastore_id::text;
end;

-- The terms by which a chunk is found: `english` for all of the text, which leaves words of other languages nearly unchanged, and `simple`
-- for title and headings as well, where a word that `english` drops or stems may be a name.
create function weir.chunk_terms(p_datastore_id uuid, p_title text, p_heading text, p_content text) returns tsvector
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  return setweight(to_tsvector('pg_catalog.english', p_title || ' ' || p_heading), 'A')
      || setweight(to_tsvector('pg_catalog.simple', p_title || ' ' || p_heading), 'B')
      || setweight(to_tsvector('pg_catalog.english', p_content), 'C')
      || array_to_tsvector(array[weir.datastore_lexeme(p_datastore_id)]);
end;
$$;

-- What is wrong with a document's chunks, or null. A chunk is {"text", "heading"?}. The total size is checked first, before any chunk is
-- read.
create function weir.chunks_error(p_chunks jsonb) returns text
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_place bigint;
begin
  if jsonb_typeof(p_chunks) is distinct from 'array' or jsonb_array_length(p_chunks) not between 1 and 10000 then
    return 'chunks must be an array of 1 to 10000';
  elsif pg_column_size(p_chunks) > 33554432 or pg_column_size(p_chunks #> '{}') > 33554432 then
    return 'chunks must be at most 32 MiB together';
  end if;
  -- Only JSON strings are read as text.
  select c.n into v_place
  from jsonb_array_elements(p_chunks) with ordinality c(chunk, n)
  where case when jsonb_typeof(c.chunk) <> 'object' then true
             when c.chunk - 'text' - 'heading' <> '{}' or jsonb_typeof(c.chunk -> 'text') is distinct from 'string'
                  or coalesce(jsonb_typeof(c.chunk -> 'heading'), 'string') <> 'string' then true
             else octet_length(c.chunk ->> 'text') not between 1 and 16384 or (c.chunk ->> 'text') !~ '\S'
                  or coalesce(length(c.chunk ->> 'heading'), 0) > 1000 end
  order by c.n limit 1;
  return case when v_place is not null
    then format('chunks[%s] must be {"text": 1 byte to 16 KiB, "heading": at most 1000 characters}', v_place - 1)
    else 'chunks ' || weir.bounds_error(p_chunks, 33554432) end;
end;
$$;

-- The text that is embedded for a chunk. Ingestion and the worker use one function, so that the chunk's content_hash is of exactly this
-- text.
create function weir.embedded_text(p_title text, p_heading text, p_content text) returns text
language sql immutable parallel safe
begin atomic
  select p_title || E'\n' || p_heading || E'\n\n' || p_content;
end;

revoke all on function weir.datastore_lexeme, weir.chunk_terms, weir.chunks_error, weir.embedded_text from public;
grant execute on function weir.datastore_lexeme, weir.embedded_text to weir_writer, weir_system;
grant execute on function weir.chunk_terms, weir.chunks_error to weir_writer;

set local role weir_writer;

-- For admins (policy documents_are_ingested_by_admins). Members who see the datastore get WR003, and everybody else gets WR004. The same
-- chunks again are the same document, which keeps the title and source of the first call; the answer is `created: false`, and there is no
-- row in the audit log. Limits are max_documents, max_document_bytes and max_document_chunks of the organization (WR006). An advisory lock
-- for the organization's documents makes them exact; it is not the organization's lock, which blocks calls. The document is found by its
-- words after the commit, and by its meaning when a worker has embedded the chunks (weir.claim_embeddings). A null p_media_type is
-- text/plain.
create function weir.ingest_document(p_datastore_id uuid, p_title text, p_chunks jsonb, p_source text, p_media_type text) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_id uuid := weir.uuid_v7();
  v_title text;
  v_media_type text;
  v_hash bytea;
  v_size bigint;
  v_limits record;
  v_error text;
  v_refusal jsonb;
  v_constraint text;
begin
  v_act := weir.act('lifecycle', 'ingest_document', 'admin', 'only an owner or admin ingests documents');
  select d.organization_id into v_act.organization_id from public.datastores d where d.id = p_datastore_id and d.deleted_at is null;
  v_refusal := weir.authorize(v_act, 'there is no such datastore');
  if v_refusal is not null then
    return v_refusal;
  end if;
  -- After the permission check, because a large document takes long to check.
  v_title := btrim(left(p_title, 1000));
  v_media_type := coalesce(p_media_type, 'text/plain');
  v_error := coalesce(case
    when v_title is null or length(p_title) > 1000 or length(v_title) not between 1 and 300 or v_title ~ '[[:cntrl:]]'
      then 'title must be 1 to 300 characters'
    when length(p_source) not between 1 and 2000 or p_source ~ '[[:cntrl:]]' then 'source must be 1 to 2000 characters'
    when v_media_type not in ('text/plain', 'text/markdown', 'text/html') then 'media_type must be text/plain, text/markdown or text/html'
    end, weir.chunks_error(p_chunks));
  if v_error is not null then
    return weir.refuse(v_act, 'WR001', v_error);
  end if;
  v_hash := sha256(convert_to(p_chunks::text, 'UTF8'));
  v_size := (select sum(octet_length(c ->> 'text')) from jsonb_array_elements(p_chunks) c);
  -- One at a time in an organization, so that the limits hold. Not by the organization's lock, because calls wait for that one.
  perform pg_advisory_xact_lock(hashtextextended('weir.documents ' || v_act.organization_id::text, 0));
  if exists (select from public.documents d where d.datastore_id = p_datastore_id and d.content_hash = v_hash) then
    return (select jsonb_build_object('id', d.id, 'created', false, 'chunks', d.chunk_count, 'status', d.status)
            from public.documents d where d.datastore_id = p_datastore_id and d.content_hash = v_hash);
  end if;
  select o.max_documents, o.max_document_bytes, o.max_document_chunks into v_limits
  from public.organizations o where o.id = v_act.organization_id;
  if exists (select from (select sum(d.document_count) as documents, sum(d.size_bytes) as bytes, sum(d.chunk_count) as chunks
                          from public.datastores d where d.organization_id = v_act.organization_id) u
             where u.documents >= v_limits.max_documents or u.bytes + v_size > v_limits.max_document_bytes
                or u.chunks + jsonb_array_length(p_chunks) > v_limits.max_document_chunks) then
    return weir.refuse(v_act, 'WR006', format(
        'the document exceeds a limit of the organization: max_documents = %s, max_document_bytes = %s or max_document_chunks = %s',
        v_limits.max_documents, v_limits.max_document_bytes, v_limits.max_document_chunks),
                       'Delete documents, or ask the operator to raise the limit.');
  end if;
  insert into public.documents (
    id, organization_id, datastore_id, title, source, media_type, content_hash, size_bytes, chunk_count, created_by)
  values (v_id, v_act.organization_id, p_datastore_id, v_title, p_source, v_media_type, v_hash, v_size,
          jsonb_array_length(p_chunks), weir.actor_id());
  insert into weir.document_chunks (organization_id, datastore_id, document_id, ordinal, heading, content, content_hash, terms)
  select v_act.organization_id, p_datastore_id, v_id, c.n - 1, t.heading, t.content,
         sha256(convert_to(weir.embedded_text(v_title, t.heading, t.content), 'UTF8')),
         weir.chunk_terms(p_datastore_id, v_title, t.heading, t.content)
  from jsonb_array_elements(p_chunks) with ordinality c(chunk, n)
  cross join lateral (select coalesce(c.chunk ->> 'heading', '') as heading, c.chunk ->> 'text' as content) t;
  perform weir.record_act(v_act, v_id::text);
  return jsonb_build_object('id', v_id, 'created', true, 'chunks', jsonb_array_length(p_chunks), 'status', 'indexed');
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint);
end;
$$;
grant execute on function weir.ingest_document to authenticated;

-- For admins (policy documents_are_deleted_by_admins). Members who see the document get WR003, and everybody else gets WR004, as all do for
-- one that is already deleted. Its chunks are deleted with it; vectors in a foreign backend are deleted through the outbox
-- (weir.remember_removal).
create function weir.delete_document(p_document_id uuid) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_refusal jsonb;
begin
  v_act := weir.act('lifecycle', 'delete_document', 'admin', 'only an owner or admin deletes documents');
  select d.organization_id into v_act.organization_id from public.documents d where d.id = p_document_id;
  v_refusal := weir.authorize(v_act, 'there is no such document');
  if v_refusal is not null then
    return v_refusal;
  end if;
  delete from public.documents d where d.id = p_document_id;
  if found then
    perform weir.record_act(v_act, p_document_id::text);
  end if;
  return jsonb_build_object('id', p_document_id, 'deleted', true);
end;
$$;
grant execute on function weir.delete_document to authenticated;

-- For everybody who sees the datastore (policy documents_are_seen_with_their_datastore); else WR004. A document's text in its order, after
-- the ordinal p_after, or from the beginning. Chunks are not published as a table. p_limit is 50 if null, and at most 200. It writes
-- nothing and raises its refusals.
create function weir.get_document_chunks(p_document_id uuid, p_after integer, p_limit integer)
returns table (ordinal integer, heading text, content text)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
  perform weir.require_sign_in();
  if p_limit is not null and p_limit not between 1 and 200 then
    raise exception using errcode = 'WR001', message = 'limit must be 1 to 200';
  elsif not exists (select from public.documents d where d.id = p_document_id) then
    raise exception using errcode = 'WR004', message = 'there is no such document';
  end if;
  return query
  select c.ordinal, c.heading, c.content from weir.document_chunks c
  where c.document_id = p_document_id and (p_after is null or c.ordinal > p_after)
  order by c.ordinal limit coalesce(p_limit, 50);
end;
$$;
grant execute on function weir.get_document_chunks to authenticated;

reset role;

-- The published names; parameter names are API.
create function public.ingest_document(
  datastore_id uuid, title text, chunks jsonb, source text default null, media_type text default 'text/plain') returns jsonb
language sql volatile begin atomic select weir.ingest_document($1, $2, $3, $4, $5); end;
create function public.delete_document(document_id uuid) returns jsonb
language sql volatile begin atomic select weir.delete_document($1); end;
create function public.get_document_chunks(document_id uuid, "after" integer default null, "limit" integer default 50)
returns table (ordinal integer, heading text, content text)
language sql stable begin atomic select * from weir.get_document_chunks($1, $2, $3); end;

revoke all on function public.ingest_document, public.delete_document, public.get_document_chunks
  from public, anon, authenticated, service_role;
grant execute on function public.ingest_document, public.delete_document, public.get_document_chunks to authenticated;
