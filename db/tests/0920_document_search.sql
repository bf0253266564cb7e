-- Which documents are found, for whom and in which order, and the work of the embedding workers.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select no_plan();

create function pg_temp.create_document(p_name text, p_title text, p_text text, p_datastore text default 'docs',
  p_actor text default 'ann') returns uuid language sql as $$
  select pg_temp.create_as(p_name, p_actor,
    format('select ingest_document({%s}, %L, %L, %L)', p_datastore, p_title, jsonb_build_array(jsonb_build_object('text', p_text)),
    'source of ' || p_name));
$$;
create function pg_temp.find_documents(p_query text, p_user text default 'mia', p_agent text default 'robo',
  p_limit integer default 10) returns text language plpgsql as $$
begin
  return (select string_agg(i.name, ' ' order by f.n)
    from weir.search_documents(pg_temp.id_of(p_user), pg_temp.id_of(p_agent), p_query, p_limit)
          with ordinality f(chunk_id, document_id, datastore, title, source, heading, content, ordinal, score, n)
            join ids i on i.id = f.document_id);
exception when others then
  return sqlstate;
end;
$$;
create function pg_temp.claim_embeddings(p_limit integer default 100, p_model text default 'm') returns text language sql as $$
  select string_agg(concat(i.name, case when c.known is not null then '+' end), ' ' order by i.name)
    from weir.claim_embeddings(p_model, p_limit, '1 minute') c join ids i on i.id = c.document_id;
$$;
create function pg_temp.chunk_of(p_document text) returns uuid language sql as $$ select id from weir.document_chunks
  where document_id = pg_temp.id_of(p_document) $$;
select pg_temp.create_as('docs', 'ann', $$select create_datastore({a}, 'Docs')$$),
  pg_temp.create_as('hr', 'ann', $$select create_datastore({a}, 'HR')$$),
       pg_temp.create_as('bdocs', 'bob', $$select create_datastore({b}, 'Docs')$$),
         pg_temp.as_user('ann', 'select link_datastore({docs}, {robo})'),
       pg_temp.as_user('bob', 'select link_datastore({bdocs}, {bot})') \g /dev/null
select pg_temp.create_document('leave', 'Annual leave', 'Employees get twenty days of holiday. Unused days expire in March.'),
       pg_temp.create_document('travel', 'Travel', 'Book trains early. Holiday homes are not paid for.'),
       pg_temp.create_document('who', 'The Who', 'A band from London.'),
       pg_temp.create_document('urlaub', 'Urlaubsordnung', 'Der Urlaub beträgt dreißig Tage.'),
       pg_temp.create_document('pay', 'Salaries', 'Holiday pay is secret: zebra.', 'hr'),
       pg_temp.create_document('bleave', 'Annual leave', 'Employees get twenty days of holiday: giraffe.', 'bdocs', 'bob') \g /dev/null

-- Which documents are found, and in which order
select is(pg_temp.find_documents(q), r, format('the query %s finds: %s', coalesce(quote_literal(q), 'null'), coalesce(r, 'nothing')))
  from (values
  ('holiday days', 'leave travel'), ('holidays', 'leave travel'), ('HOLIDAY', 'leave travel'), ('annual leave', 'leave'),
    ('how many days of holiday do I get?', 'leave travel'),
  ('"holiday homes"', 'travel leave'), ('holiday -homes', 'leave'), ('trains or expire', 'leave travel'), ('the who', 'who'),
    ('urlaub', 'urlaub'), ('Tage', 'urlaub'),
  ('zebra', null), ('giraffe', null), ('nothing like it', null), ('', null), ('   ', null), ('!?*&|', null), ('-holiday', null),
    (null, null)) t(q, r);
select is((select concat_ws('/', f.datastore, f.title, f.source, f.ordinal, f.score > 0.5 and f.score <= 1)
  from weir.search_documents(pg_temp.id_of('mia'), pg_temp.id_of('robo'), 'holiday days', 1) f),
  'Docs/Annual leave/source of leave/0/t', 'a document that has the whole query is found with its source and a score above a half');
select is((select bool_and(f.score > 0 and f.score < 0.5)
  from weir.search_documents(pg_temp.id_of('mia'), pg_temp.id_of('robo'), 'holiday kangaroo', 10) f), true,
  'a document that has a part of the query is found with a score below a half');
select is(pg_temp.find_documents('holiday', p_limit => n), r,
  format('a limit of %s is changed to one from 1 to 100', coalesce(n::text, 'null')))
  from (values (1, 'leave'), (0, 'leave'), (-1, 'leave'), (2147483647, 'leave travel'), (null, 'leave travel')) t(n, r);
select lives_ok(format('select * from weir.search_documents(%L, %L, %L, 10)', pg_temp.id_of('mia'), pg_temp.id_of('robo'), q),
  'A05_this_query_for_documents_raises_nothing: ' || quote_literal(left(q, 20))) from unnest(array[
  '''', '''''', ''':*', '& | ! ( )', ':*', '\', E'\\''', 'a:b:c', '<->', '%', repeat('a', 100000), repeat('a ', 50000), repeat('''', 3000),
    'x'':A|''y', E'\u202e\u200b\u0001', '日本語 файл 🏴', repeat('é', 3000),
  'http://a.example/b?c=d&e=f''', '$1', 'the', 'the of and', '"', '"" or -', '- -x --y', '\''\\', 'o''neill\']) q;

-- A common word is searched in the texts themselves, a rare one in the index
savepoint many;
select pg_temp.create_document('m' || n, 'Shelf ' || n, 'A staple of the kitchen: ' || n) from generate_series(1, 40) n \g /dev/null
select pg_temp.create_document('rare', 'Shelf 41', 'A staple that is a quince.') \g /dev/null
select is(pg_temp.find_documents(q, p_limit => n), r, format('among many documents the query %s finds: %s', quote_literal(q), r))
  from (values
  ('quince', 10, 'rare'), ('staple', 3, 'm1 m2 m3'), ('staple kitchen', 2, 'm1 m2'),
    ('quince staple', 10, 'rare m1 m2 m3 m4 m5 m6 m7 m8 m9'), ('staple kangaroo quince', 2, 'rare m1'),
  ('a quince or a kangaroo', 10, 'rare'), ('holiday staple', 1, 'leave')) t(q, n, r);
select is((select count(*) from regexp_split_to_table(pg_temp.find_documents(q, p_limit => 100), ' ')), n,
  format('among many documents the query %s finds %s', quote_literal(q), n)) from (values
  ('staple', 41::bigint), ('staple -quince', 40), ('staple -kitchen', 1), ('staple kangaroo', 41)) t(q, n);
rollback to many;

-- Who finds documents
select is(pg_temp.find_documents('holiday', w, g), r, format('the search of %s through %s finds: %s', w, g, coalesce(r, 'nothing')))
  from (values
  ('ann', 'robo', 'leave travel'), ('adam', 'robo', 'WR004'), ('mel', 'robo', 'WR004'), ('vic', 'robo', 'WR004'), ('sam', 'robo', 'WR004'),
    ('bob', 'robo', 'WR004'), ('otto', 'robo', 'WR004'),
  ('mia', 'bot', 'WR004'), ('bob', 'bot', 'bleave'), ('mel', 'bot', 'WR004')) t(w, g, r);
savepoint s;
select pg_temp.as_user('ann', 'select add_workspace_member({home}, user_id => {vic})') \g /dev/null
select is(pg_temp.find_documents('holiday', 'vic'), 'WR003', 'a viewer in the workspace finds no documents');
rollback to s;
update organization_members set status = 'suspended' where user_id = pg_temp.id_of('mia');
select is(pg_temp.find_documents('holiday', 'ann'), 'WR004', 'V7_nobody_finds_documents_through_an_agent_whose_owner_is_suspended');
insert into organization_members (organization_id, user_id, role) values (pg_temp.id_of('b'), pg_temp.id_of('mia'), 'member');
select is(pg_temp.find_documents('holiday', 'ann'), 'WR004',
  'V7_nobody_finds_documents_through_an_agent_whose_owner_is_suspended_in_a_and_active_in_b');
rollback to s;
select pg_temp.as_user('ann', 'select add_workspace_member({home}, user_id => {mel})') \g /dev/null
select is(pg_temp.find_documents('holiday', 'mel'), 'leave travel', 'a member who was added to the workspace finds documents');
update organization_members set status = 'suspended' where organization_id = pg_temp.id_of('a') and user_id = pg_temp.id_of('mel');
select is(pg_temp.find_documents('holiday', 'mel'), 'WR004', 'V7_a_member_suspended_in_a_and_active_in_b_finds_no_documents_of_a');
rollback to s;
update agents set stopped_at = now() where id = pg_temp.id_of('robo');
select is(pg_temp.find_documents('holiday'), 'WR004', 'V12_no_documents_are_found_through_an_inactive_agent');
rollback to s;
update organizations set platform_stopped_at = now() where id = pg_temp.id_of('a');
select is(pg_temp.find_documents('holiday'), 'WR004', 'M3_no_documents_are_found_in_an_inactive_organization');
rollback to s;
select pg_temp.as_user('ann', 'select unlink_datastore({docs}, {robo})') \g /dev/null
select is(pg_temp.find_documents('holiday'), null, 'V11_no_documents_of_an_unlinked_datastore_are_found');
rollback to s;
select pg_temp.as_user('ann', 'select delete_datastore({docs})') \g /dev/null
select is(pg_temp.find_documents('holiday'), null, 'V11_no_documents_of_a_deleted_datastore_are_found');
rollback to s;
select pg_temp.as_user('ann', 'select link_datastore({hr}, {robo})') \g /dev/null
select is(pg_temp.find_documents('zebra'), 'pay', 'documents of a datastore are found after it is linked');
rollback to s;
select is(pg_temp.as_user(w, $$select count(*) from weir.search_documents({mia}, {robo}, 'holiday', 10)$$), '42501',
  format('M5_search_documents_is_not_executed_by_%s', w)) from unnest(array['ann', 'anon', 'service', 'gateway', 'writer:ann']) w;
select is(pg_temp.as_user('engine', $$select count(*) from weir.search_documents({mia}, {robo}, 'holiday', 10)$$), '2',
  'the engine searches documents for a person');

-- The index finds a datastore's texts by a lexeme of its own. A text that contains this lexeme does not become part of the datastore.
select pg_temp.create_document('poison', 'Poison',
  'holiday ' || weir.datastore_lexeme(pg_temp.id_of('docs')) || ' ''' || weir.datastore_lexeme(pg_temp.id_of('docs')) || '''', 'hr')
  \g /dev/null
update weir.document_chunks set terms = terms || array_to_tsvector(array[weir.datastore_lexeme(pg_temp.id_of('docs'))])
  where document_id = pg_temp.id_of('poison');
select is(pg_temp.find_documents('poison holiday'), 'leave travel',
  'A25_a_text_of_another_datastore_that_has_this_one_s_lexeme_is_not_found');

-- The texts of passages that a vector store has found
select is((select string_agg(p.title, ' ' order by p.title)
  from weir.passages(pg_temp.id_of('mia'), pg_temp.id_of('robo'),
  array[pg_temp.chunk_of('leave'), pg_temp.chunk_of('pay'), pg_temp.chunk_of('bleave'), gen_random_uuid()]) p),
  'Annual leave', 'A03_only_passages_of_documents_that_the_person_sees_through_the_agent_are_returned');
select is(pg_temp.as_user('engine', $$select count(*) from weir.passages({bob}, {robo}, '{}')$$), 'WR004',
  'an owner of another organization gets no passages');

-- Embeddings: leases alternate between organizations
select is((select count(distinct c.organization_id) from weir.claim_embeddings('m', 2, '1 minute') c), 2::bigint,
  'A33_claims_of_embeddings_alternate_between_organizations');
rollback to s;
select is(pg_temp.claim_embeddings(), 'bleave leave pay travel urlaub who', 'all documents wait for an embedding');
select is(pg_temp.claim_embeddings(), null, 'documents that wait for an embedding are claimed once');
select weir.record_embeddings(pg_temp.id_of('a'), pg_temp.id_of('docs'), 'm', array[pg_temp.chunk_of('leave'), pg_temp.chunk_of('travel')],
  '{1,0,0,1}', null) \g /dev/null
select is((select string_agg(concat_ws(' ', i.name, c.embedding, d.status, d.embedding_model), ', ' order by i.name)
  from weir.document_chunks c join documents d on d.id = c.document_id
  join ids i on i.id = d.id where c.embedding is not null), 'leave {1,0} embedded m, travel {0,1} embedded m',
    'a document that was embedded has its vector, status and model');
select is(pg_temp.as_user('ann', 'select status from documents where id = {who}'), 'indexed',
  'a document that was not embedded does not have that status');
select weir.record_embedding_failure(array[pg_temp.id_of('who')], 'the API answered 500') \g /dev/null
select is(pg_temp.as_user('ann',
  $$select concat_ws(' ', status, status_detail, embed_attempts, embed_after > clock_timestamp()) from documents where id = {who}$$),
  'embedding_failed the API answered 500 1 t', 'a document whose embedding failed has the reason and the time of the next attempt');
select is(pg_temp.find_documents('the who'), 'who', 'a document whose embedding failed is found by its words');
select is((select string_agg(v.embedding::text, ' ' order by v.embedding)
  from weir.chunk_vectors(pg_temp.id_of('mia'), pg_temp.id_of('robo'), pg_temp.id_of('docs'), 'm', 0, 1000) v), '{0,1} {1,0}',
  'a replica reads the vectors of a linked datastore');
select is((select count(*) from weir.chunk_vectors(pg_temp.id_of(w), pg_temp.id_of(g), pg_temp.id_of(d), m, f, u)), 0::bigint,
  format('a replica reads no vectors for %s', concat_ws(' ', w, g, d, m, f, u)))
from (values ('mia', 'robo', 'hr', 'm', 0, 1000), ('mia', 'robo', 'bdocs', 'm', 0, 1000), ('mia', 'robo', 'docs', 'other', 0, 1000),
  ('mia', 'robo', 'docs', 'm', 1000, 2000), ('mia', 'robo', 'docs', 'm', 0, 3)) t(w, g, d, m, f, u);
select is(pg_temp.as_user('engine', $$select count(*) from weir.chunk_vectors({bob}, {robo}, {docs}, 'm', 0, 1000)$$), 'WR004',
  'A01_a_replica_reads_no_vectors_for_an_owner_of_another_organization');
select is((select concat_ws(' ', k.version > k.removal_version, k.removal_version)
  from weir.agent_knowledge(pg_temp.id_of('mia'), pg_temp.id_of('robo')) k), 't 0',
  'the version of a datastore is later than its last removal after embeddings came');
select is(weir.reopen_embeddings('m'), 0, 'no document must be embedded again for the same model');
select is(weir.reopen_embeddings('n'), 2, 'embedded documents must be embedded again for another model');
select is(pg_temp.claim_embeddings(p_model => 'n'), 'leave travel', 'documents are claimed to be embedded again for another model');
select pg_temp.create_document('leave2', 'Annual leave', 'Employees get twenty days of holiday. Unused days expire in March.', 'hr'),
       pg_temp.create_document('bleave2', 'Annual leave', 'Employees get twenty days of holiday. Unused days expire in March.', 'bdocs',
         'bob') \g /dev/null
select is(pg_temp.claim_embeddings(), 'bleave2 leave2+', 'A03_the_same_text_is_embedded_once_in_an_organization_and_again_in_another');
select is(pg_temp.as_user('engine', $$select weir.vector_schema()$$),
  (select n.nspname::text from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname = 'vector'),
  'the engine finds the schema of pgvector');
select case when weir.vector_schema() is null
  then throws_ok(format($$select * from weir.search_vectors(%L, %L, 'm', '{1,0}', 5)$$, pg_temp.id_of('mia'), pg_temp.id_of('robo')),
  'WR010', null, 'a search of vectors is refused without pgvector')
  else pass('pgvector is installed, so KnowledgePgVectorTests searches vectors') end;

-- Vectors in another store: what is deleted here is deleted there
select pg_temp.create_as('pines', 'ann', $$select create_datastore({a}, 'Pines', 'pinecone', '{"index": "weir-docs"}')$$),
  pg_temp.create_document('pine', 'Pine', 'A tree.', 'pines') \g /dev/null
select is((select c.vector_index from weir.claim_embeddings('m', 10, '1 minute') c), 'weir-docs',
  'a claimed chunk has the index of its datastore');
select pg_temp.keep_id('pinechunk', pg_temp.chunk_of('pine')) \g /dev/null
select weir.record_embeddings(pg_temp.id_of('a'), pg_temp.id_of('pines'), 'm', array[pg_temp.chunk_of('pine')], null, 'weir-docs')
  \g /dev/null
select is(pg_temp.as_user('ann', 'select status from documents where id = {pine}'), 'embedded',
  'a document whose vectors are in another store is embedded');
select is((select count(*) from weir.document_chunks where vector_index is not null and embedding is not null), 0::bigint,
  'no vector in another store is stored here too');
select pg_temp.as_user('ann', 'select delete_document({pine})') \g /dev/null
select is((select concat_ws(' ', r.organization_id = pg_temp.id_of('a'), r.vector_index, r.chunk_id = pg_temp.id_of('pinechunk'))
  from weir.claim_vector_removals(10, '1 minute') r), 't weir-docs t',
  'a vector of a deleted document must be deleted from the other store');
select is((select count(*) from weir.claim_vector_removals(10, '1 minute')), 0::bigint, 'a vector to be deleted is claimed by one worker');
insert into weir.vector_removals (organization_id, vector_index, chunk_id)
  values (pg_temp.id_of('b'), 'weir-docs', pg_temp.id_of('pinechunk'));
select weir.forget_vector_removals(pg_temp.id_of('a'), 'weir-docs', array[pg_temp.id_of('pinechunk')]) \g /dev/null
select is((select string_agg(i.name, ' ') from weir.vector_removals r join ids i on i.id = r.organization_id), 'b',
  'T3_a_deleted_vector_is_forgotten_for_its_organization_only');
delete from weir.vector_removals;
select weir.record_embeddings(pg_temp.id_of('a'), pg_temp.id_of('pines'), 'm', array[pg_temp.id_of('pinechunk')], null, 'weir-docs')
  \g /dev/null
select is((select count(*) from weir.vector_removals), 1::bigint,
  'A37_a_vector_that_was_recorded_after_its_chunk_was_deleted_must_be_deleted');
select is(pg_temp.as_user(w, f), '42501', format('M5_%s_may_not: %s', w, f))
  from unnest(array['ann', 'anon', 'service', 'gateway', 'writer:ann']) w,
  unnest(array['select weir.purge_datastores(1)', $$select weir.reopen_embeddings('x')$$,
    $$select count(*) from weir.claim_embeddings('x', 1, '1 s')$$, $$select weir.record_embeddings(null, null, 'x', '{}', '{}', null)$$,
    $$select weir.record_embedding_failure('{}', 'x')$$, $$select count(*) from weir.claim_vector_removals(1, '1 s')$$,
      $$select weir.forget_vector_removals({a}, 'x', '{}')$$, 'select count(*) from weir.agent_knowledge({mia}, {robo})',
    $$select count(*) from weir.passages({mia}, {robo}, '{}')$$,
      $$select count(*) from weir.chunk_vectors({mia}, {robo}, {docs}, 'm', 0, 9)$$,
      $$select count(*) from weir.search_vectors({mia}, {robo}, 'm', '{1}', 1)$$]) f;
select * from finish();
rollback;
