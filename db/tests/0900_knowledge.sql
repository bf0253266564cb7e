-- Datastores, links and documents: by actor. 0920_document_search tests what is found.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select no_plan();

create function pg_temp.ingest_document(p_actor text, p_text text, p_datastore text default 'docs', p_title text default 'Doc',
  p_more text default '') returns text
language sql as $$
  select pg_temp.error_as(p_actor, format('select ingest_document({%s}, %L, %L%s)', p_datastore, p_title,
                                         jsonb_build_array(jsonb_build_object('text', p_text)), p_more));
$$;

-- Admins make datastores
select is(pg_temp.error_as(w, $$select create_datastore({a}, 'Docs')$$), r, format('%s creates no datastore', w))
from (values ('mia', 'WR003'), ('vic', 'WR003'), ('mel', 'WR003'), ('sam', 'WR004'), ('bob', 'WR004'), ('otto', 'WR004')) t(w, r);
select is(pg_temp.as_user(w, $$select create_datastore({a}, 'Docs')$$), '42501', format('M5_%s_does_not_execute_create_datastore', w))
  from unnest(array['anon', 'service', 'gateway', 'engine']) w;
select pg_temp.create_as('docs', 'adam', $$select create_datastore({a}, ' Docs ')$$),
  pg_temp.create_as('hr', 'ann', $$select create_datastore({a}, 'HR')$$),
       pg_temp.create_as('bdocs', 'bob', $$select create_datastore({b}, 'Docs')$$) \g /dev/null
select is(pg_temp.as_user('ann', $$select string_agg(name || ' ' || backend, ', ' order by name) from datastores$$),
  'Docs postgres, HR postgres', 'an owner sees the datastores of all admins');
select is(pg_temp.error_as('ann', $$select create_datastore({a}, 'docs')$$), 'WR005',
  'the name of an existing datastore in another case is a conflict');
select is(pg_temp.error_as('ann', format('select create_datastore({a}, %L, %L, %L)', 'x', b, s)), 'WR001',
  format('M11_a_datastore_is_refused: %s with %s', b, s))
from (values ('oracle', '{}'), ('postgres', '{"index": "x"}'), ('pinecone', '{}'), ('pinecone', '{"index": 1}'),
  ('pinecone', '{"index": "../x"}'),
             ('pinecone', '{"index": "x", "key": "y"}'), ('pinecone', '"x"'), ('postgres', '[]')) t(b, s);
select throws_ok(format($$insert into datastores (organization_id, name, backend, settings) values (%L, 'x', %L, %L)$$, pg_temp.id_of('a'),
  b, s), '23514', null,
  format('T8_a_datastore_is_refused_by_direct_sql: %s with %s', b, s))
from (values ('oracle', '{}'), ('postgres', '{"index": "x"}'), ('pinecone', '{}'), ('pinecone', '"x"')) t(b, s);
select pg_temp.create_as('pines', 'ann', $$select create_datastore({a}, 'Pines', 'pinecone', '{"index": "weir-docs"}')$$) \g /dev/null
savepoint s;
update organizations set max_datastores = 3 where id = pg_temp.id_of('a');
select is(pg_temp.error_as('ann', $$select create_datastore({a}, 'Fourth')$$), 'WR006', 'M12_a_datastore_beyond_max_datastores_is_refused');
select is(pg_temp.error_as('bob', $$select create_datastore({b}, 'Second')$$), 'ok',
  'a second organization has its own limit of datastores');
rollback to s;

-- Links
select is(pg_temp.error_as(w, $$select link_datastore({docs}, {robo})$$), r, format('T1_%s_links_no_datastore', w))
from (values ('mia', 'WR004'), ('vic', 'WR004'), ('sam', 'WR004'), ('bob', 'WR004'), ('otto', 'WR004')) t(w, r);
select is(pg_temp.error_as('ann', format('select link_datastore({%s}, {%s})', d, g)), 'WR004',
  format('T3_an_owner_does_not_link %s to %s', d, g))
from (values ('docs', 'bot'), ('bdocs', 'robo'), ('nobody', 'robo'), ('docs', 'nobody')) t(d, g);
select is(pg_temp.error_as('ann', $$select link_datastore({docs}, {robo})$$), 'ok', 'an owner links a datastore to an agent');
select is(pg_temp.error_as('adam', $$select link_datastore({docs}, {robo})$$), 'ok', 'linking a linked datastore changes nothing');
select is(pg_temp.as_user('owner', $$select concat_ws(' ', count(*), min(linked_by::text) = {ann}::text) from agent_datastores$$), '1 t',
  'a datastore that two people linked names the first');
select is(pg_temp.error_as('mia', $$select link_datastore({docs}, {robo})$$), 'WR003',
  'a member who uses an agent does not link the datastore that they see through it');
select throws_ok(format('insert into agent_datastores (organization_id, agent_id, datastore_id) values (%L, %L, %L)', pg_temp.id_of(o),
  pg_temp.id_of(g), pg_temp.id_of(d)), '23503', null,
  format('T3_no_link_across_tenants_by_direct_sql: %s %s %s', o, g, d))
from (values ('a', 'bot', 'docs'), ('a', 'robo', 'bdocs'), ('b', 'robo', 'bdocs')) t(o, g, d);

-- Who sees datastores
select is(pg_temp.as_user(w, $$select string_agg(name, ' ' order by name) from datastores$$), r,
  format('%s sees these datastores: %s', w, coalesce(r, 'no datastore')))
from (values ('mia', 'Docs'), ('vic', null), ('sam', null), ('bob', 'Docs'), ('mel', null), ('otto', null)) t(w, r);
select is(pg_temp.as_user('bob', $$select id = {bdocs} from datastores$$), 'true',
  'A01_an_owner_of_another_organization_sees_their_own_datastore_of_the_same_name');
select is(pg_temp.as_user(w, $$select count(*) from agent_datastores$$), r, format('%s sees %s links', w, r))
from (values ('ann', '1'), ('mia', '1'), ('vic', '0'), ('bob', '0'), ('otto', '0')) t(w, r);
select is(pg_temp.as_user(w, 'select count(*) from ' || t), '42501', format('%s cannot read %s', w, t))
from unnest(array['anon', 'service', 'gateway', 'engine']) w, unnest(array['datastores', 'agent_datastores', 'documents']) t;
select is(pg_temp.as_user(w, 'select count(*) from weir.document_chunks'), '42501', format('T17_%s_cannot_read_chunks', w))
  from unnest(array['ann', 'anon', 'service', 'gateway', 'engine']) w;
savepoint s;
update agents set stopped_at = now() where id = pg_temp.id_of('robo');
select is(pg_temp.as_user('mia', 'select count(*) from datastores'), '0', 'V12_a_member_sees_no_datastore_through_an_inactive_agent');
rollback to s;
delete from workspace_members where agent_id = pg_temp.id_of('robo');
select is(pg_temp.as_user('mia', 'select count(*) from datastores'), '1', 'an agent''s owner sees its datastores');
update agents set user_id = pg_temp.id_of('ann') where id = pg_temp.id_of('robo');
select is(pg_temp.as_user('mia', 'select count(*) from datastores'), '0',
  'V6_a_member_who_shares_no_workspace_with_an_agent_sees_none_of_its_datastores');
rollback to s;
update organizations set platform_stopped_at = now() where id = pg_temp.id_of('a');
select is(pg_temp.as_user('ann', 'select count(*) from datastores'), '0', 'M3_an_owner_of_an_inactive_organization_sees_no_datastore');
rollback to s;

-- Documents
select is(pg_temp.ingest_document(w, 'words'), r, format('T1_%s_ingests_no_document', w))
from (values ('mia', 'WR003'), ('vic', 'WR004'), ('sam', 'WR004'), ('bob', 'WR004'), ('otto', 'WR004')) t(w, r);
select is(pg_temp.as_user(w, $$select ingest_document({docs}, 'x', '[{"text": "x"}]')$$), '42501',
  format('M5_%s_does_not_execute_ingest_document', w)) from unnest(array['anon', 'service', 'gateway', 'engine']) w;
select is(pg_temp.ingest_document('ann', 'words', 'bdocs'), 'WR004',
  'T3_an_owner_ingests_no_document_into_another_organization_s_datastore');
select is(pg_temp.error_as('ann', format('select ingest_document({docs}, %L, %L)', 'x', c)), 'WR001',
  'these are refused as chunks of a document: ' || format('%s characters, %s', length(c), left(c, 50)))
from unnest(array['[]', '{}', '"x"', '[1]', '[null]', '[{}]', '[{"text": ""}]', '[{"text": "  "}]', '[{"text": 1}]',
  '[{"text": "x", "heading": 1}]', '[{"text": "x", "embedding": []}]',
  '[{"text": "x"}, []]', format('[{"text": "%s"}]', repeat('x', 16385)), format('[{"text": "x", "heading": "%s"}]', repeat('x', 1001)),
  (select jsonb_agg('{"text": "x"}'::jsonb) from generate_series(1, 10001))::text]) c;
select is(pg_temp.ingest_document('ann', 'words', p_title => t), 'WR001',
  'this is refused as the title of a document: ' || format('%s characters, %s', length(t), to_json(left(t, 10))))
  from unnest(array['', '  ', repeat('x', 301), repeat('x', 100000), E'a\nb', E'a\u0007b']) t;
select is(pg_temp.ingest_document('ann', 'words', p_more => m), 'WR001',
  'this is refused as source and media type of a document: ' || to_json(left(m, 40)))
from unnest(array[', '''', ''text/plain''', format(', %L', repeat('x', 2001)), ', e''a\nb''', ', null, ''application/pdf''']) m;
select is(pg_temp.as_user('owner', 'select count(*) from documents'), '0', 'refused documents write nothing');
select pg_temp.create_as('doc', 'ann',
  $$select ingest_document({docs}, ' Leave ', '[{"text": "Twenty days.", "heading": "Holidays"}, {"text": "Two more."}]',
  'https://intranet.example/leave', 'text/markdown')$$) \g /dev/null
select is(pg_temp.as_user('mia',
  $$select concat_ws(' ', title, source, media_type, chunk_count, size_bytes, status, created_by = {ann}) from documents
  where id = {doc}$$),
  'Leave https://intranet.example/leave text/markdown 2 21 indexed t', 'a member who uses a linked agent sees a document''s description');
select is(pg_temp.as_user('ann', $$select concat_ws(' ', document_count, size_bytes) from datastores where id = {docs}$$), '1 21',
  'a datastore counts its documents and bytes');
select is(pg_temp.as_user('ann',
  $$select ingest_document({docs}, 'Other title',
  '[{"text": "Twenty days.", "heading": "Holidays"}, {"text": "Two more."}]')$$)::jsonb ->> 'id', pg_temp.id_of('doc')::text,
  'the same content in the same datastore is the same document');
select is(pg_temp.as_user('ann', $$select concat(count(*), min(title)) from documents$$), '1Leave',
  'a document whose content is ingested again keeps its title');
select is(pg_temp.as_user('ann',
  $$select ingest_document({hr}, 'Leave',
  '[{"text": "Twenty days.", "heading": "Holidays"}, {"text": "Two more."}]')$$)::jsonb ->> 'created', 'true',
  'the same content in another datastore is another document');
select is(pg_temp.as_user(w, 'select count(*) from documents'), r, format('%s sees %s documents', w, r))
from (values ('ann', '2'), ('adam', '2'), ('mia', '1'), ('vic', '0'), ('sam', '0'), ('mel', '0'), ('bob', '0'), ('otto', '0')) t(w, r);
select is(pg_temp.as_user(w, $$select string_agg(concat_ws('/', ordinal, heading, content), ' ' order by ordinal)
  from get_document_chunks({doc})$$), r, format('%s reads these chunks of a document: %s', w, r))
from (values ('ann', '0/Holidays/Twenty days. 1//Two more.'), ('mia', '0/Holidays/Twenty days. 1//Two more.'), ('vic', 'WR004'),
  ('sam', 'WR004'), ('bob', 'WR004'), ('otto', 'WR004'), ('anon', '42501')) t(w, r);
select is(pg_temp.as_user('ann', $$select string_agg(ordinal::text, ' ') from get_document_chunks({doc}, 0, 5)$$), '1',
  'chunks are listed after a given one');
select is(pg_temp.as_user('ann', format('select count(*) from get_document_chunks({doc}, null, %s)', n)), 'WR001',
  format('a page of %s chunks is refused', n)) from unnest(array[0, -1, 201]) n;
savepoint s;
update organizations set max_documents = 2 where id = pg_temp.id_of('a');
select is(pg_temp.ingest_document('ann', 'more'), 'WR006', 'M12_a_document_beyond_max_documents_is_refused');
select is(pg_temp.ingest_document('bob', 'more', 'bdocs'), 'ok', 'a second organization has its own limit of documents');
rollback to s;
update organizations set max_document_bytes = 50 where id = pg_temp.id_of('a');
select is(pg_temp.ingest_document('ann', repeat('x', 8)), 'ok', 'a document within max_document_bytes is ingested');
select is(pg_temp.ingest_document('ann', 'y'), 'WR006', 'M12_a_document_beyond_max_document_bytes_is_refused');
rollback to s;
select is(pg_temp.as_user('ann', $$select sum(chunk_count) from datastores$$),
  (select sum(chunk_count)::text from documents where organization_id = pg_temp.id_of('a')),
  'F05_a_datastore_counts_the_passages_of_its_documents');
update organizations set max_document_chunks = 5 where id = pg_temp.id_of('a');
select is(pg_temp.ingest_document('ann', 'a fifth'), 'ok', 'a document within max_document_chunks is ingested');
select is(pg_temp.ingest_document('ann', 'a sixth'), 'WR006', 'F05_a_document_beyond_max_document_chunks_is_refused');
select is(pg_temp.ingest_document('bob', 'a sixth', 'bdocs'), 'ok', 'a second organization has its own limit of passages');
rollback to s;

-- An admin of b who is a member in a has no more rights in a
savepoint s;
insert into organization_members (organization_id, user_id, role) values (pg_temp.id_of('b'), pg_temp.id_of('mia'), 'admin');
select is(pg_temp.error_as('mia', q), r, 'V8_an_admin_of_b_who_is_a_member_of_a_may_not: ' || q) from (values
  ($$select create_datastore({a}, '')$$, 'WR003'), ($$select link_datastore({docs}, {robo})$$, 'WR003'),
    ($$select unlink_datastore({docs}, {robo})$$, 'WR003'),
  ($$select link_datastore({docs}, {bot})$$, 'WR004'), ($$select unlink_datastore({docs}, {bot})$$, 'WR004'),
    ($$select delete_document({doc})$$, 'WR003'),
  ($$select ingest_document({docs}, 'Leave', '[{"text": "Twenty days.", "heading": "Holidays"}, {"text": "Two more."}]')$$, 'WR003'),
    ($$select delete_datastore({docs})$$, 'WR003')) t(q, r);
rollback to s;
-- An admin of both organizations has separate limits in each
update organization_members set role = 'admin' where user_id = pg_temp.id_of('mel');
update organizations set max_documents = case id when pg_temp.id_of('a') then 2 else 1 end
  where id in (pg_temp.id_of('a'), pg_temp.id_of('b'));
select is(pg_temp.ingest_document('mel', 'more', 'bdocs'), 'ok', 'M12_an_admin_of_both_ingests_a_document_into_b_though_a_is_full');
select is(pg_temp.ingest_document('mel', 'more', 'bdocs'), 'ok', 'an admin of both ingests the same document into b again');
select is(pg_temp.ingest_document('mel', 'yet more', 'bdocs'), 'WR006', 'M12_an_admin_of_both_ingests_no_document_into_b_when_it_is_full');
rollback to s;
update organization_members set role = 'admin' where user_id = pg_temp.id_of('mel');
update organizations set max_documents = case id when pg_temp.id_of('a') then 2 else 1000 end
  where id in (pg_temp.id_of('a'), pg_temp.id_of('b'));
select is(pg_temp.ingest_document('mel', 'more', d), r,
  format('M12_an_admin_of_both_ingests_a_document_by_the_limit_of_the_datastore_s_organization: %s', d))
  from (values ('docs', 'WR006'), ('bdocs', 'ok')) t(d, r);
update organizations set max_datastores = case id when pg_temp.id_of('a') then 3 else 2 end
  where id in (pg_temp.id_of('a'), pg_temp.id_of('b'));
select is(pg_temp.error_as('mel', format('select create_datastore({%s}, %L)', o, 'Of Mel')), r,
  format('M12_an_admin_of_both_creates_a_datastore_by_the_limit_of_its_organization: %s', o))
  from (values ('a', 'WR006'), ('b', 'ok')) t(o, r);
rollback to s;

-- Row-level security below the functions
insert into workspace_members (organization_id, workspace_id, user_id)
  values (pg_temp.id_of('a'), pg_temp.id_of('home'), pg_temp.id_of('sam'));
select is(pg_temp.as_user('writer:' || w, 'select count(*) from weir.my_datastores()'), n,
  format('V7_for_%s there are %s datastores', w, n))
  from (values ('ann', '3'), ('mia', '1'), ('vic', '0'), ('sam', '0'), ('bob', '1')) t(w, n);
rollback to s;
select is(pg_temp.as_user('writer:' || w, 'select count(*) from weir.document_chunks where document_id = {doc}'), n,
  format('T17_the_writer_reads_for_%s %s chunks', w, n))
from (values ('ann', '2'), ('mia', '2'), ('vic', '0'), ('sam', '0'), ('bob', '0'), ('mel', '0')) t(w, n);
select is(pg_temp.as_user('writer:' || w,
  format($$insert into public.documents (organization_id, datastore_id, title, media_type, content_hash, size_bytes, chunk_count,
  created_by)
  values ({%s}, {%s}, 'x', 'text/plain', sha256('x'), 1, 1, {%s}) returning 1$$, o, d, b)), '42501',
    format('the writer inserts no document for %s into %s, %s created by %s', w, o, d, b))
from (values ('mia', 'a', 'docs', 'mia'), ('ann', 'a', 'docs', 'adam'), ('ann', 'b', 'bdocs', 'ann'), ('ann', 'a', 'bdocs', 'ann'),
  ('sam', 'a', 'docs', 'sam'), ('bob', 'a', 'docs', 'bob')) t(w, o, d, b);
select is(pg_temp.as_user('writer:' || w,
  $$insert into weir.document_chunks (organization_id, datastore_id, document_id, ordinal, content, content_hash, terms)
  values ({a}, {docs}, {doc}, 9, 'x', sha256('x'), '')$$), '42501', format('the writer inserts no chunk for %s', w))
    from unnest(array['mia', 'vic', 'sam', 'bob']) w;
select is(pg_temp.as_user('writer:' || w, $$delete from public.documents where id = {doc} returning 1$$), null,
  format('the writer deletes no document for %s', w)) from unnest(array['mia', 'vic', 'sam', 'bob']) w;
select is(pg_temp.as_user('writer:' || w,
  $$insert into public.datastores (organization_id, name, created_by) values ({a}, 'x', {ann}) returning 1$$), '42501',
  format('the writer inserts no datastore in another''s name for %s', w))
from unnest(array['mia', 'vic', 'sam', 'bob', 'adam']) w;
select is(pg_temp.as_user('writer:' || w, $$update public.datastores set deleted_at = now() where id = {docs} returning 1$$), null,
  format('the writer deletes no datastore for %s', w)) from unnest(array['mia', 'vic', 'sam', 'bob']) w;
select is(pg_temp.as_user('writer:ann', $$update public.datastores set deleted_at = null where id = {docs}$$), '42501',
  'the writer does not undo the deletion of a datastore');
select is(pg_temp.as_user('writer:' || w,
  $$insert into public.agent_datastores (organization_id, agent_id, datastore_id, linked_by) values ({a}, {robo}, {hr}, {ann})$$), '42501',
  format('the writer links no datastore in another''s name for %s', w))
from unnest(array['mia', 'vic', 'sam', 'bob', 'adam']) w;
select is(pg_temp.as_user('writer:' || w, 'delete from public.agent_datastores returning 1'), null,
  format('the writer unlinks no datastore for %s', w)) from unnest(array['mia', 'vic', 'sam', 'bob']) w;
select is(pg_temp.as_user('writer:ann', 'update ' || u), '42501', 'the writer may not update ' || u)
from unnest(array['public.documents set title = ''x''', 'public.documents set status = ''embedded''',
  'weir.document_chunks set content = ''x''', 'weir.document_chunks set embedding = ''{1}''',
  'public.datastores set organization_id = organization_id', 'public.datastores set version = 1']) u;
select throws_ok(format($$insert into documents (organization_id, datastore_id, title, media_type, content_hash, size_bytes, chunk_count)
  values (%L, %L, 'x', 'text/plain', sha256('x'), 1, 1)$$,
  pg_temp.id_of('b'), pg_temp.id_of('docs')), '23503', null, 'T3_no_document_across_tenants_by_direct_sql');

-- Deleting
select is(pg_temp.error_as(w, $$select delete_document({doc})$$), r, format('%s deletes no document', w))
from (values ('mia', 'WR003'), ('vic', 'WR004'), ('sam', 'WR004'), ('bob', 'WR004'), ('otto', 'WR004')) t(w, r);
savepoint s;
select is(pg_temp.error_as('adam', $$select delete_document({doc})$$), 'ok', 'an admin deletes a document');
select is(pg_temp.error_as('adam', $$select delete_document({doc})$$), 'WR004', 'a deleted document is not found');
select is(pg_temp.as_user('owner', $$select count(*) from weir.document_chunks where document_id = {doc}$$), '0',
  'the chunks of a deleted document are deleted');
select is(pg_temp.as_user('ann', $$select concat_ws(' ', document_count, size_bytes) from datastores where id = {docs}$$), '0 0',
  'a datastore does not count a deleted document');
rollback to s;
select is(pg_temp.error_as(w, $$select unlink_datastore({docs}, {robo})$$), r, format('%s unlinks no datastore', w))
from (values ('mia', 'WR003'), ('vic', 'WR004'), ('sam', 'WR004'), ('bob', 'WR004')) t(w, r);
select is(pg_temp.error_as('adam', $$select unlink_datastore({docs}, {robo})$$), 'ok', 'an admin unlinks a datastore');
select is(pg_temp.error_as('adam', $$select unlink_datastore({docs}, {robo})$$), 'ok',
  'unlinking a datastore that is not linked changes nothing');
select is(pg_temp.as_user('mia', 'select count(*) from documents'), '0', 'V11_a_member_sees_no_document_of_an_unlinked_datastore');
rollback to s;
select is(pg_temp.error_as(w, $$select delete_datastore({docs})$$), r, format('%s deletes no datastore', w))
from (values ('mia', 'WR003'), ('vic', 'WR004'), ('sam', 'WR004'), ('bob', 'WR004'), ('otto', 'WR004')) t(w, r);
select is(pg_temp.error_as('adam', $$select delete_datastore({docs})$$), 'ok', 'an admin deletes a datastore');
select is(pg_temp.error_as('adam', $$select delete_datastore({docs})$$), 'ok', 'deleting a deleted datastore changes nothing');
select is(pg_temp.as_user('adam', $$select deleted_at is not null from datastores where id = {docs}$$), 'true',
  'S7_a_deleted_datastore_is_marked_until_it_is_purged');
select is(pg_temp.as_user(w, 'select count(*) from documents where datastore_id = {docs}'), '0',
  format('%s sees no document of a deleted datastore', w)) from unnest(array['adam', 'mia']) w;
select is(pg_temp.ingest_document('ann', 'more'), 'WR004', 'no document is ingested into a deleted datastore');
select is(pg_temp.error_as('ann', $$select create_datastore({a}, 'Docs')$$), 'ok', 'the name of a deleted datastore is free');
select is(pg_temp.as_user('engine', 'select weir.purge_datastores(10)'), '1', 'a purge of datastores deletes a document of a deleted one');
select is(pg_temp.as_user('owner', $$select count(*) from datastores where id = {docs}$$), '0',
  'a purge of datastores deletes an empty deleted one');
select is(pg_temp.as_user('engine', 'select weir.purge_datastores(10)'), '0', 'a second purge of datastores deletes nothing');
select is(pg_temp.as_user('ann', 'select count(*) from documents'), '1', 'a document of another datastore is left after a purge');
rollback to s;
delete from organizations where id = pg_temp.id_of('a');
select is(pg_temp.as_user('owner', $$select count(*) from weir.document_chunks where organization_id = {a}$$), '0',
  'an organization''s chunks are deleted with it');
rollback to s;

-- The audit log
select is(pg_temp.as_user('owner',
  $$select string_agg(item || ' ' || n, ', ' order by item collate "C") from (select item, count(*) n from mcp_interaction_logs
  where organization_id = {a} and item ~ 'datastore|document' and decision = 'allowed' group by item) t$$),
    'create_datastore 3, ingest_document 2, link_datastore 1', 'M18_changes_of_datastores_and_documents_are_in_the_audit_log');
select * from finish();
rollback;
