-- Documents: ingested by owners and admins, whole and in one transaction, with the chunks into which their text was cut outside; read by
-- whoever sees the datastore.

-- A lexeme that stands for the datastore in the terms of its chunks. It lets the index tell tenants apart, so that a common word does not
-- read the rows of all others. It begins with a character that no word has. It only helps the index: every search compares the datastore
-- itself too.
create function weir.datastore_lexeme(p_datastore_id uuid) returns text
language sql immutable parallel safe
begin atomic
  select E'\x01' || p_datastore_id::text;
end;

-- What a chunk is found by. `english` for all of the text, which leaves words of other languages nearly as they are. `simple` too for title
-- and headings, where a word that `english` drops or stems may be a name.
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

-- What is wrong with a document's chunks, or null. A chunk is {"text", "heading"?}. The size of all together comes first, before any of
-- them is looked at.
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
  -- Only what is a JSON string is read as text.
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

-- An admin may (policy documents_are_ingested_by_admins). Members who see the datastore get WR003, everybody else WR004. The same chunks
-- again are the same document, whose title and source stay those of the first time; the answer is `created: false`, and there is no row in
-- the audit log. Limits are max_documents, max_document_bytes and max_document_chunks of the organization (WR006). An advisory lock of the
-- organization's documents makes them exact; it is not the organization's lock, which blocks calls. Words are found from this commit on,
-- meanings when a worker has embedded the chunks (weir.claim_embeddings). Null p_media_type: text/plain.
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
  v_act := weir.act('lifecycle', 'ingest_document', 'admin', 'documents are ingested by an owner or admin');
  select d.organization_id into v_act.organization_id from public.datastores d where d.id = p_datastore_id and d.deleted_at is null;
  v_refusal := weir.authorize(v_act, 'there is no such datastore');
  if v_refusal is not null then
    return v_refusal;
  end if;
  -- after the permission, because a large document takes long to check
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
  -- One at a time in an organization, so that quotas hold. Not by the organization's lock, because calls wait for that one.
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
    return weir.refuse(v_act, 'WR006', 'the organization has its maximum of documents',
                       'max_documents, max_document_bytes or max_document_chunks');
  end if;
  insert into public.documents (id, organization_id, datastore_id, title, source, media_type, content_hash, size_bytes, chunk_count, created_by)
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

-- The text that is embedded for a chunk. One function for ingesting and for the worker, so that the chunk's content_hash is of just that.
create function weir.embedded_text(p_title text, p_heading text, p_content text) returns text
language sql immutable parallel safe
begin atomic
  select p_title || E'\n' || p_heading || E'\n\n' || p_content;
end;

-- An admin may (policy documents_are_deleted_by_admins). Members who see the document get WR003, everybody else WR004, as do all for one
-- that was deleted before. Its chunks go with it; the vectors of another backend follow through the outbox (weir.remember_removal).
create function weir.delete_document(p_document_id uuid) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_refusal jsonb;
begin
  v_act := weir.act('lifecycle', 'delete_document', 'admin', 'documents are deleted by an owner or admin');
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

-- A document's text in its order, after the ordinal p_after, or from the beginning. Whoever sees the datastore may (policy
-- documents_are_seen_with_their_datastore); else WR004. Chunks are not published as a table. Null p_limit: 50, at most 200. It writes
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
revoke all on function weir.datastore_lexeme(uuid), weir.chunk_terms(uuid, text, text, text), weir.chunks_error(jsonb),
  weir.embedded_text(text, text, text), weir.ingest_document(uuid, text, jsonb, text, text), weir.delete_document(uuid),
  weir.get_document_chunks(uuid, integer, integer) from public;
grant execute on function weir.datastore_lexeme(uuid), weir.embedded_text(text, text, text) to weir_writer, weir_system;
grant execute on function weir.chunk_terms(uuid, text, text, text), weir.chunks_error(jsonb) to weir_writer;
grant execute on function weir.ingest_document(uuid, text, jsonb, text, text), weir.delete_document(uuid),
  weir.get_document_chunks(uuid, integer, integer) to authenticated;
grant create on schema weir to weir_writer;
alter function weir.ingest_document(uuid, text, jsonb, text, text) owner to weir_writer;
alter function weir.delete_document(uuid) owner to weir_writer;
alter function weir.get_document_chunks(uuid, integer, integer) owner to weir_writer;
revoke create on schema weir from weir_writer;

-- The published names; parameter names are API.
create function public.ingest_document(
  datastore_id uuid, title text, chunks jsonb, source text default null, media_type text default 'text/plain') returns jsonb
language sql volatile begin atomic select weir.ingest_document($1, $2, $3, $4, $5); end;

create function public.delete_document(document_id uuid) returns jsonb
language sql volatile begin atomic select weir.delete_document($1); end;

create function public.get_document_chunks(document_id uuid, "after" integer default null, "limit" integer default 50)
returns table (ordinal integer, heading text, content text)
language sql stable begin atomic select * from weir.get_document_chunks($1, $2, $3); end;
revoke all on function public.ingest_document(uuid, text, jsonb, text, text), public.delete_document(uuid),
  public.get_document_chunks(uuid, integer, integer) from public, anon, authenticated, service_role;
grant execute on function public.ingest_document(uuid, text, jsonb, text, text), public.delete_document(uuid),
  public.get_document_chunks(uuid, integer, integer) to authenticated;
