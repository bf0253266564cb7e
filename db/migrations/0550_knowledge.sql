-- Knowledge of agents besides their servers: documents in datastores, which are linked to agents. Owners and admins write. A
-- member sees the datastores of the agents that they may use.

alter table public.organizations
  -- Limits of what the organization may store. max_document_bytes counts the texts.
  add column max_datastores integer not null default 50,
  add column max_documents integer not null default 10000,
  add column max_document_bytes bigint not null default 1073741824,
  -- Each chunk is a row, a vector and its place in indexes, however short its text is.
  add column max_document_chunks integer not null default 250000,
  add constraint organizations_knowledge_limits_are_not_negative
    check (least(max_datastores, max_documents, max_document_bytes, max_document_chunks) >= 0);

-- Documents that are searched together. A deleted datastore is invisible at once, and its documents are deleted later in small
-- statements (weir.purge_datastores), so that no transaction deletes a hundred thousand rows.
create table public.datastores (
  id uuid not null default weir.uuid_v7(),
  organization_id uuid not null,
  name text not null,
  -- Where the vectors are. The texts are always here, so that permission is decided here for every passage.
  backend text not null default 'postgres',
  settings jsonb not null default '{}',
  -- Kept by the trigger count_document. Limits are checked against these without counting documents.
  document_count integer not null default 0,
  size_bytes bigint not null default 0,
  chunk_count bigint not null default 0,
  -- Rises with every change of what is found by meaning. removal_version is the version of the last removal. A replica that keeps
  -- vectors compares them: it loads what was added since, and loads everything anew after a removal.
  version bigint not null default 0,
  removal_version bigint not null default 0,
  -- Null: in use.
  deleted_at timestamptz,
  -- Null: the person was deleted.
  created_by uuid,
  created_at timestamptz not null default now(),
  constraint datastores_pkey primary key (id),
  -- The target of composite foreign keys.
  constraint datastores_organization_id_id_key unique (organization_id, id),
  constraint datastores_name_is_1_to_100_characters check (length(name) between 1 and 100 and name = btrim(name)),
  constraint datastores_backend_is_known check (backend in ('postgres', 'pinecone')),
  -- A closed form, because settings name an index at a provider.
  constraint datastores_settings_are_those_of_the_backend check (
    case when weir.bounds_error(settings, 4096) is not null or jsonb_typeof(settings) <> 'object' then false
         when backend = 'postgres' then settings = '{}'
         else settings - 'index' = '{}' and jsonb_typeof(settings -> 'index') is not distinct from 'string'
              and settings ->> 'index' ~ '^[a-z0-9]([a-z0-9-]{0,43}[a-z0-9])?$' end),
  constraint datastores_organization foreign key (organization_id) references public.organizations (id) on delete cascade,
  constraint datastores_created_by foreign key (created_by) references auth.users (id) on delete set null
);
alter table public.datastores enable row level security, force row level security;
revoke all on public.datastores from public, anon, authenticated, service_role;
comment on table public.datastores is 'tenant: documents that belong together, and where their vectors are';
-- A name is free again as soon as its datastore is deleted.
create unique index datastores_name_key on public.datastores (organization_id, lower(name)) where deleted_at is null;
-- For the foreign key, when a user is deleted.
create index datastores_created_by_idx on public.datastores (created_by);
-- For weir.purge_datastores.
create index datastores_deleted_idx on public.datastores (deleted_at) where deleted_at is not null;

-- Which datastores an agent searches. The composite foreign keys keep agent and datastore in one organization. A link ends with
-- either.
create table public.agent_datastores (
  organization_id uuid not null,
  agent_id uuid not null,
  datastore_id uuid not null,
  linked_by uuid,
  created_at timestamptz not null default now(),
  constraint agent_datastores_pkey primary key (agent_id, datastore_id),
  constraint agent_datastores_agent_of_the_organization
    foreign key (organization_id, agent_id) references public.agents (organization_id, id) on delete cascade,
  constraint agent_datastores_datastore_of_the_organization
    foreign key (organization_id, datastore_id) references public.datastores (organization_id, id) on delete cascade,
  constraint agent_datastores_linked_by foreign key (linked_by) references auth.users (id) on delete set null
);
alter table public.agent_datastores enable row level security, force row level security;
revoke all on public.agent_datastores from public, anon, authenticated, service_role;
comment on table public.agent_datastores is 'tenant: which datastores an agent searches';
-- For the foreign key's cascade, and for weir.agent_knowledge.
create index agent_datastores_agent_idx on public.agent_datastores (organization_id, agent_id);
-- For the foreign key's cascade, and for weir.my_datastores.
create index agent_datastores_datastore_idx on public.agent_datastores (organization_id, datastore_id);
-- For the foreign key, when a user is deleted.
create index agent_datastores_linked_by_idx on public.agent_datastores (linked_by);

-- A document of a datastore. Its text is in weir.document_chunks. There is no update by people: changed text is another document.
create table public.documents (
  id uuid not null default weir.uuid_v7(),
  organization_id uuid not null,
  datastore_id uuid not null,
  title text not null,
  -- Where the text comes from, as its ingester says. Never fetched.
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
  -- When a worker takes it next: the end of a lease, the next try, or infinity, when nothing is left to embed.
  embed_after timestamptz not null default now(),
  embed_attempts integer not null default 0,
  created_by uuid,
  created_at timestamptz not null default now(),
  constraint documents_pkey primary key (id),
  -- The target of the chunks' foreign key.
  constraint documents_organization_datastore_id_key unique (organization_id, datastore_id, id),
  -- Ingesting the same text again is harmless: ingest_document returns the document that is there.
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
-- For weir.claim_embeddings, which takes the first of each organization.
create index documents_embed_idx on public.documents (organization_id, embed_after) where embed_after < 'infinity';

-- Pieces of documents, as they are found. In `weir` and not published: people read them through get_document_chunks. organization
-- and datastore are copied, so that a search needs no join to decide whose they are; the composite foreign key keeps them true.
-- Chunks are deleted with their document.
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
  -- Of length 1, so that a dot product is a cosine. An array and no vector: the extension pgvector need not be there.
  embedding real[],
  embedding_model text,
  -- The datastore's version when the embedding was written: a replica asks for those above the version that it has.
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
comment on table weir.document_chunks is 'tenant: pieces of documents, as they are found';
-- Vectors are noise and do not compress: trying costs more than it saves.
alter table weir.document_chunks alter column embedding set storage external;
-- For the foreign key, and for weir.first_chunks, which reads a datastore in the order of its documents.
create index document_chunks_document_idx on weir.document_chunks (organization_id, datastore_id, document_id);
-- For weir.search_documents.
create index document_chunks_terms_idx on weir.document_chunks using gin (terms);
-- For weir.chunk_vectors.
create index document_chunks_embedded_idx on weir.document_chunks (datastore_id, embedded_version) where embedding is not null;
-- For weir.claim_embeddings: the same text is embedded once in an organization. Another organization's embedding is never taken,
-- because the time saved would tell that it has that text.
create index document_chunks_known_idx on weir.document_chunks (organization_id, content_hash) where embedding is not null;

-- An outbox: vectors that a foreign backend still has although their chunk is gone. No foreign keys, because a removal outlives
-- its chunk, its datastore and its organization.
create table weir.vector_removals (
  organization_id uuid not null,
  vector_index text not null,
  chunk_id uuid not null,
  remove_after timestamptz not null default now(),
  constraint vector_removals_pkey primary key (organization_id, vector_index, chunk_id)
);
alter table weir.vector_removals enable row level security, force row level security;
revoke all on weir.vector_removals from public, anon, authenticated, service_role;
comment on table weir.vector_removals is 'tenant: vectors to delete elsewhere (no foreign key: they outlive what they are of)';
-- For weir.claim_vector_removals.
create index vector_removals_after_idx on weir.vector_removals (remove_after);
-- A trigger writes removals and workers take them, of all organizations.
create policy removals_are_kept_by_the_engine on weir.vector_removals for all to weir_system using (true) with check (true);
grant select, insert (organization_id, vector_index, chunk_id), update (remove_after), delete on weir.vector_removals to weir_system;

-- The datastores whose documents the caller sees: all in organizations where they are an admin; elsewhere those of active agents
-- that they may use. Definer, because policies ask it, and in a policy on its own table it would recurse. `rows 10` keeps the
-- planner from expecting a thousand.
create function weir.my_datastores() returns setof uuid
language plpgsql stable security definer rows 10
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    select d.id from public.datastores d
    where d.deleted_at is null and d.organization_id = any(array(select weir.my_organizations('admin')))
    union
    select d.id
    from public.datastores d
    join public.agent_datastores l on l.organization_id = d.organization_id and l.datastore_id = d.id
    join public.agents a on a.organization_id = l.organization_id and a.id = l.agent_id and a.is_active
    where d.deleted_at is null and d.organization_id = any(array(select weir.my_organizations()))
      and weir.may_use_agent(weir.actor_id(), a.id, a.owner_id);
end;
$$;
revoke all on function weir.my_datastores() from public;
grant execute on function weir.my_datastores() to authenticated, weir_writer;

-- An admin also sees a datastore that is being deleted, and that it is. weir_writer has the same policies as `authenticated`, so
-- its functions see what their caller sees.
create policy datastores_are_seen_by_admins_and_users_of_their_agents on public.datastores for select to authenticated, weir_writer
  using (organization_id = any(array(select weir.my_organizations()))
         and (organization_id = any(array(select weir.my_organizations('admin'))) or id = any(array(select weir.my_datastores()))));
-- The creator is the caller, so nobody makes a datastore in another's name.
create policy datastores_are_created_by_admins on public.datastores for insert to weir_writer
  with check (organization_id = any(array(select weir.my_organizations('admin'))) and created_by = (select weir.actor_id()));
-- An update can only mark a datastore as deleted; weir_writer has no other column, and never clears the mark.
create policy datastores_are_deleted_by_admins on public.datastores for update to weir_writer
  using (organization_id = any(array(select weir.my_organizations('admin'))))
  with check (organization_id = any(array(select weir.my_organizations('admin'))) and deleted_at is not null);
-- The engine counts documents and deletes what was marked, in all organizations.
create policy datastores_are_kept_by_the_engine on public.datastores for all to weir_system using (true) with check (true);
grant select on public.datastores to authenticated;
grant select, insert (id, organization_id, name, backend, settings, created_by), update (deleted_at) on public.datastores to weir_writer;
grant select, update (document_count, size_bytes, chunk_count, version, removal_version), delete on public.datastores to weir_system;

-- A link is seen with its datastore.
create policy links_are_seen_with_their_datastore on public.agent_datastores for select to authenticated, weir_writer
  using (organization_id = any(array(select weir.my_organizations())) and datastore_id = any(array(select weir.my_datastores())));
-- Only admins link: a link gives every user of the agent what is in the datastore.
create policy links_are_made_by_admins on public.agent_datastores for insert to weir_writer
  with check (organization_id = any(array(select weir.my_organizations('admin'))) and linked_by = (select weir.actor_id()));
create policy links_are_undone_by_admins on public.agent_datastores for delete to weir_writer
  using (organization_id = any(array(select weir.my_organizations('admin'))));
-- The engine reads links, and has no privilege to write them.
create policy links_are_read_by_the_engine on public.agent_datastores for all to weir_system using (true) with check (true);
grant select on public.agent_datastores to authenticated;
grant select, insert (organization_id, agent_id, datastore_id, linked_by), delete on public.agent_datastores to weir_writer;
grant select (organization_id, agent_id, datastore_id) on public.agent_datastores to weir_system;

-- A document is seen with its datastore.
create policy documents_are_seen_with_their_datastore on public.documents for select to authenticated, weir_writer
  using (organization_id = any(array(select weir.my_organizations())) and datastore_id = any(array(select weir.my_datastores())));
-- my_datastores has no deleted ones, so nothing is ingested into a datastore that is being deleted.
create policy documents_are_ingested_by_admins on public.documents for insert to weir_writer
  with check (organization_id = any(array(select weir.my_organizations('admin'))) and datastore_id = any(array(select weir.my_datastores()))
              and created_by = (select weir.actor_id()));
-- There is no policy for updates by people: changed text is another document.
create policy documents_are_deleted_by_admins on public.documents for delete to weir_writer
  using (organization_id = any(array(select weir.my_organizations('admin'))));
-- The engine embeds documents and deletes those of deleted datastores.
create policy documents_are_kept_by_the_engine on public.documents for all to weir_system using (true) with check (true);
grant select on public.documents to authenticated;
grant select,
      insert (id, organization_id, datastore_id, title, source, media_type, content_hash, size_bytes, chunk_count, created_by),
      delete
  on public.documents to weir_writer;
grant select, update (status, status_detail, embedding_model, embed_after, embed_attempts), delete on public.documents to weir_system;

-- Chunks are seen as their documents are, but by weir_writer only: `authenticated` has no usage on the schema.
create policy chunks_are_seen_with_their_datastore on weir.document_chunks for select to weir_writer
  using (organization_id = any(array(select weir.my_organizations())) and datastore_id = any(array(select weir.my_datastores())));
-- Chunks are written with their document and never changed by people.
create policy chunks_are_ingested_by_admins on weir.document_chunks for insert to weir_writer
  with check (organization_id = any(array(select weir.my_organizations('admin')))
              and datastore_id = any(array(select weir.my_datastores())));
-- Nobody but the engine reads or writes embeddings.
create policy chunks_are_kept_by_the_engine on weir.document_chunks for all to weir_system using (true) with check (true);
grant select (id, organization_id, datastore_id, document_id, ordinal, heading, content),
      insert (organization_id, datastore_id, document_id, ordinal, heading, content, content_hash, terms)
  on weir.document_chunks to weir_writer;
grant select, update (embedding, embedding_model, embedded_version, vector_index) on weir.document_chunks to weir_system;

-- Counts a datastore's documents, bytes and chunks. The update locks the datastore's row, so changes of what is found are ordered
-- by version. Definer: whoever ingests or deletes a document may write no datastore.
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
revoke all on function weir.count_document() from public;
-- After each row: the cascade from a datastore fires it too.
create trigger count_document after insert or delete on public.documents for each row execute function weir.count_document();

-- A trigger, so that a vector elsewhere is removed whoever deletes its chunk, by a cascade too. Definer: whoever deletes a
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
revoke all on function weir.remember_removal() from public;
-- Only for chunks whose vector is elsewhere.
create trigger remember_removal after delete on weir.document_chunks
  for each row when (old.vector_index is not null) execute function weir.remember_removal();

grant create on schema weir to weir_system;
alter function weir.my_datastores() owner to weir_system;
alter function weir.count_document() owner to weir_system;
alter function weir.remember_removal() owner to weir_system;
revoke create on schema weir from weir_system;
