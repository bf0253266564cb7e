-- Datastores, links and documents: by actor. What is found: 555.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select no_plan();

create function pg_temp.ingest_document(p_actor text, p_text text, p_datastore text default 'docs', p_title text default 'Doc', p_more text default '') returns text
language sql as $$
  select pg_temp.error_as(p_actor, format('select ingest_document({%s}, %L, %L%s)', p_datastore, p_title,
                                         jsonb_build_array(jsonb_build_object('text', p_text)), p_more));
$$;

-- Datastores are made by admins
select is(pg_temp.error_as(w, $$select create_datastore({a}, 'Docs')$$), r, format('%s makes no datastore', w))
from (values ('mia', 'WR003'), ('vic', 'WR003'), ('mel', 'WR003'), ('sam', 'WR004'), ('bob', 'WR004'), ('otto', 'WR004')) t(w, r);
select is(pg_temp.as_user(w, $$select create_datastore({a}, 'Docs')$$), '42501', format('M5_nor_does_%s', w)) from unnest(array['anon', 'service', 'gateway', 'engine']) w;
select pg_temp.create_as('docs', 'adam', $$select create_datastore({a}, ' Docs ')$$), pg_temp.create_as('hr', 'ann', $$select create_datastore({a}, 'HR')$$),
       pg_temp.create_as('bdocs', 'bob', $$select create_datastore({b}, 'Docs')$$) \g /dev/null
select is(pg_temp.as_user('ann', $$select string_agg(name || ' ' || backend, ', ' order by name) from datastores$$), 'Docs postgres, HR postgres', 'an admin makes one, and admins see all');
select is(pg_temp.error_as('ann', $$select create_datastore({a}, 'docs')$$), 'WR005', 'a name is there once');
select is(pg_temp.error_as('ann', format('select create_datastore({a}, %L, %L, %L)', 'x', b, s)), 'WR001', format('M11_%s with %s', b, s))
from (values ('oracle', '{}'), ('postgres', '{"index": "x"}'), ('pinecone', '{}'), ('pinecone', '{"index": 1}'), ('pinecone', '{"index": "../x"}'),
             ('pinecone', '{"index": "x", "key": "y"}'), ('pinecone', '"x"'), ('postgres', '[]')) t(b, s);
select throws_ok(format($$insert into datastores (organization_id, name, backend, settings) values (%L, 'x', %L, %L)$$, pg_temp.id_of('a'), b, s), '23514', null,
  format('T8_nor_by_direct_sql: %s with %s', b, s))
from (values ('oracle', '{}'), ('postgres', '{"index": "x"}'), ('pinecone', '{}'), ('pinecone', '"x"')) t(b, s);
select pg_temp.create_as('pines', 'ann', $$select create_datastore({a}, 'Pines', 'pinecone', '{"index": "weir-docs"}')$$) \g /dev/null
savepoint s;
update organizations set max_datastores = 3 where id = pg_temp.id_of('a');
select is(pg_temp.error_as('ann', $$select create_datastore({a}, 'Fourth')$$), 'WR006', 'M12_no_more_than_max_datastores');
select is(pg_temp.error_as('bob', $$select create_datastore({b}, 'Second')$$), 'ok', 'and another organization has its own');
rollback to s;

-- Links
select is(pg_temp.error_as(w, $$select link_datastore({docs}, {robo})$$), r, format('T1_%s links nothing', w))
from (values ('mia', 'WR004'), ('vic', 'WR004'), ('sam', 'WR004'), ('bob', 'WR004'), ('otto', 'WR004')) t(w, r);
select is(pg_temp.error_as('ann', format('select link_datastore({%s}, {%s})', d, g)), 'WR004', format('T3_not %s to %s', d, g))
from (values ('docs', 'bot'), ('bdocs', 'robo'), ('nobody', 'robo'), ('docs', 'nobody')) t(d, g);
select is(pg_temp.error_as('ann', $$select link_datastore({docs}, {robo})$$), 'ok', 'an admin does');
select is(pg_temp.error_as('adam', $$select link_datastore({docs}, {robo})$$), 'ok', 'again is harmless');
select is(pg_temp.as_user('owner', $$select concat_ws(' ', count(*), min(linked_by::text) = {ann}::text) from agent_datastores$$), '1 t', 'and nobody else has linked it');
select is(pg_temp.error_as('mia', $$select link_datastore({docs}, {robo})$$), 'WR003', 'who uses the agent sees the datastore now, and links no other');
select throws_ok(format('insert into agent_datastores (organization_id, agent_id, datastore_id) values (%L, %L, %L)', pg_temp.id_of(o), pg_temp.id_of(g), pg_temp.id_of(d)), '23503', null,
  format('T3_no_link_across_tenants_by_direct_sql: %s %s %s', o, g, d))
from (values ('a', 'bot', 'docs'), ('a', 'robo', 'bdocs'), ('b', 'robo', 'bdocs')) t(o, g, d);

-- Who sees
select is(pg_temp.as_user(w, $$select string_agg(name, ' ' order by name) from datastores$$), r, format('%s sees %s', w, coalesce(r, 'no datastore')))
from (values ('mia', 'Docs'), ('vic', null), ('sam', null), ('bob', 'Docs'), ('mel', null), ('otto', null)) t(w, r);
select is(pg_temp.as_user('bob', $$select id = {bdocs} from datastores$$), 'true', 'A01_which_is_the_own_one');
select is(pg_temp.as_user(w, $$select count(*) from agent_datastores$$), r, format('%s sees %s links', w, r))
from (values ('ann', '1'), ('mia', '1'), ('vic', '0'), ('bob', '0'), ('otto', '0')) t(w, r);
select is(pg_temp.as_user(w, 'select count(*) from ' || t), '42501', format('%s reads no %s', w, t))
from unnest(array['anon', 'service', 'gateway', 'engine']) w, unnest(array['datastores', 'agent_datastores', 'documents']) t;
select is(pg_temp.as_user(w, 'select count(*) from weir.document_chunks'), '42501', format('T17_%s reads no chunk', w)) from unnest(array['ann', 'anon', 'service', 'gateway', 'engine']) w;
savepoint s;
update agents set is_active = false where id = pg_temp.id_of('robo');
select is(pg_temp.as_user('mia', 'select count(*) from datastores'), '0', 'V12_not_through_an_agent_that_is_off');
rollback to s;
delete from workspace_members where agent_id = pg_temp.id_of('robo');
select is(pg_temp.as_user('mia', 'select count(*) from datastores'), '1', 'the owner of an agent sees what it searches');
update agents set owner_id = pg_temp.id_of('ann') where id = pg_temp.id_of('robo');
select is(pg_temp.as_user('mia', 'select count(*) from datastores'), '0', 'V6_and_whoever_shares_no_workspace_with_it_does_not');
rollback to s;
update organizations set is_active = false where id = pg_temp.id_of('a');
select is(pg_temp.as_user('ann', 'select count(*) from datastores'), '0', 'M3_nobody_in_an_organization_that_is_off');
rollback to s;

-- Documents
select is(pg_temp.ingest_document(w, 'words'), r, format('T1_%s ingests nothing', w))
from (values ('mia', 'WR003'), ('vic', 'WR004'), ('sam', 'WR004'), ('bob', 'WR004'), ('otto', 'WR004')) t(w, r);
select is(pg_temp.as_user(w, $$select ingest_document({docs}, 'x', '[{"text": "x"}]')$$), '42501', format('M5_nor_does_%s', w)) from unnest(array['anon', 'service', 'gateway', 'engine']) w;
select is(pg_temp.ingest_document('ann', 'words', 'bdocs'), 'WR004', 'T3_nor_an_owner_into_another_tenant_s_datastore');
select is(pg_temp.error_as('ann', format('select ingest_document({docs}, %L, %L)', 'x', c)), 'WR001', 'not as chunks: ' || left(c, 50))
from unnest(array['[]', '{}', '"x"', '[1]', '[null]', '[{}]', '[{"text": ""}]', '[{"text": "  "}]', '[{"text": 1}]', '[{"text": "x", "heading": 1}]', '[{"text": "x", "embedding": []}]',
  '[{"text": "x"}, []]', format('[{"text": "%s"}]', repeat('x', 16385)), format('[{"text": "x", "heading": "%s"}]', repeat('x', 1001)),
  (select jsonb_agg('{"text": "x"}'::jsonb) from generate_series(1, 10001))::text]) c;
select is(pg_temp.ingest_document('ann', 'words', p_title => t), 'WR001', 'nor with the title ' || left(t, 10)) from unnest(array['', '  ', repeat('x', 301), repeat('x', 100000), E'a\nb', E'a\u0007b']) t;
select is(pg_temp.ingest_document('ann', 'words', p_more => m), 'WR001', 'nor with ' || left(m, 40))
from unnest(array[', '''', ''text/plain''', format(', %L', repeat('x', 2001)), ', e''a\nb''', ', null, ''application/pdf''']) m;
select is(pg_temp.as_user('owner', 'select count(*) from documents'), '0', 'and nothing is half written');
select pg_temp.create_as('doc', 'ann', $$select ingest_document({docs}, ' Leave ', '[{"text": "Twenty days.", "heading": "Holidays"}, {"text": "Two more."}]', 'https://intranet.example/leave', 'text/markdown')$$) \g /dev/null
select is(pg_temp.as_user('mia', $$select concat_ws(' ', title, source, media_type, chunk_count, size_bytes, status, created_by = {ann}) from documents where id = {doc}$$),
  'Leave https://intranet.example/leave text/markdown 2 21 indexed t', 'what a document is, for who may see it');
select is(pg_temp.as_user('ann', $$select concat_ws(' ', document_count, size_bytes) from datastores where id = {docs}$$), '1 21', 'and it counts');
select is(pg_temp.as_user('ann', $$select ingest_document({docs}, 'Other title', '[{"text": "Twenty days.", "heading": "Holidays"}, {"text": "Two more."}]')$$)::jsonb ->> 'id', pg_temp.id_of('doc')::text,
  'the same content again is the same document');
select is(pg_temp.as_user('ann', $$select concat(count(*), min(title)) from documents$$), '1Leave', 'which stays as it is');
select is(pg_temp.as_user('ann', $$select ingest_document({hr}, 'Leave', '[{"text": "Twenty days.", "heading": "Holidays"}, {"text": "Two more."}]')$$)::jsonb ->> 'created', 'true',
  'in another datastore it is another one');
select is(pg_temp.as_user(w, 'select count(*) from documents'), r, format('%s sees %s documents', w, r))
from (values ('ann', '2'), ('adam', '2'), ('mia', '1'), ('vic', '0'), ('sam', '0'), ('mel', '0'), ('bob', '0'), ('otto', '0')) t(w, r);
select is(pg_temp.as_user(w, $$select string_agg(concat_ws('/', ordinal, heading, content), ' ' order by ordinal) from get_document_chunks({doc})$$), r, format('%s reads %s', w, r))
from (values ('ann', '0/Holidays/Twenty days. 1//Two more.'), ('mia', '0/Holidays/Twenty days. 1//Two more.'), ('vic', 'WR004'), ('sam', 'WR004'), ('bob', 'WR004'), ('otto', 'WR004'), ('anon', '42501')) t(w, r);
select is(pg_temp.as_user('ann', $$select string_agg(ordinal::text, ' ') from get_document_chunks({doc}, 0, 5)$$), '1', 'after one of them');
select is(pg_temp.as_user('ann', format('select count(*) from get_document_chunks({doc}, null, %s)', n)), 'WR001', format('not %s at once', n)) from unnest(array[0, -1, 201]) n;
savepoint s;
update organizations set max_documents = 2 where id = pg_temp.id_of('a');
select is(pg_temp.ingest_document('ann', 'more'), 'WR006', 'M12_no_more_than_max_documents');
select is(pg_temp.ingest_document('bob', 'more', 'bdocs'), 'ok', 'another organization has its own');
rollback to s;
update organizations set max_document_bytes = 50 where id = pg_temp.id_of('a');
select is(pg_temp.ingest_document('ann', repeat('x', 8)), 'ok', 'as long as there is room');
select is(pg_temp.ingest_document('ann', 'y'), 'WR006', 'M12_and_not_beyond_max_document_bytes');
rollback to s;
select is(pg_temp.as_user('ann', $$select sum(chunk_count) from datastores$$), (select sum(chunk_count)::text from documents where organization_id = pg_temp.id_of('a')), 'F05_the_passages_of_documents_are_counted');
update organizations set max_document_chunks = 5 where id = pg_temp.id_of('a');
select is(pg_temp.ingest_document('ann', 'a fifth'), 'ok', 'as long as there is room for one more');
select is(pg_temp.ingest_document('ann', 'a sixth'), 'WR006', 'F05_an_organization_has_no_more_passages_than_max_document_chunks');
select is(pg_temp.ingest_document('bob', 'a sixth', 'bdocs'), 'ok', 'another organization has its own');
rollback to s;

-- Who is an admin of b is a member in a, and no more
savepoint s;
insert into organization_members (organization_id, user_id, role) values (pg_temp.id_of('b'), pg_temp.id_of('mia'), 'admin');
select is(pg_temp.error_as('mia', q), r, 'V8_an_admin_of_b_in_a: ' || q) from (values
  ($$select create_datastore({a}, '')$$, 'WR003'), ($$select link_datastore({docs}, {robo})$$, 'WR003'), ($$select unlink_datastore({docs}, {robo})$$, 'WR003'),
  ($$select link_datastore({docs}, {bot})$$, 'WR004'), ($$select unlink_datastore({docs}, {bot})$$, 'WR004'), ($$select delete_document({doc})$$, 'WR003'),
  ($$select ingest_document({docs}, 'Leave', '[{"text": "Twenty days.", "heading": "Holidays"}, {"text": "Two more."}]')$$, 'WR003'), ($$select delete_datastore({docs})$$, 'WR003')) t(q, r);
rollback to s;
-- and who is one of both has in each what is left there
update organization_members set role = 'admin' where user_id = pg_temp.id_of('mel');
update organizations set max_documents = case id when pg_temp.id_of('a') then 2 else 1 end where id in (pg_temp.id_of('a'), pg_temp.id_of('b'));
select is(pg_temp.ingest_document('mel', 'more', 'bdocs'), 'ok', 'M12_room_in_b_is_room_though_there_is_more_in_a');
select is(pg_temp.ingest_document('mel', 'more', 'bdocs'), 'ok', 'the same again');
select is(pg_temp.ingest_document('mel', 'yet more', 'bdocs'), 'WR006', 'M12_until_b_is_full');
rollback to s;
update organization_members set role = 'admin' where user_id = pg_temp.id_of('mel');
update organizations set max_documents = case id when pg_temp.id_of('a') then 2 else 1000 end where id in (pg_temp.id_of('a'), pg_temp.id_of('b'));
select is(pg_temp.ingest_document('mel', 'more', d), r, format('M12_each_by_its_own_limit: %s', d)) from (values ('docs', 'WR006'), ('bdocs', 'ok')) t(d, r);
update organizations set max_datastores = case id when pg_temp.id_of('a') then 3 else 2 end where id in (pg_temp.id_of('a'), pg_temp.id_of('b'));
select is(pg_temp.error_as('mel', format('select create_datastore({%s}, %L)', o, 'Of Mel')), r, format('M12_of_datastores_too: %s', o)) from (values ('a', 'WR006'), ('b', 'ok')) t(o, r);
rollback to s;

-- The walls under the functions
insert into workspace_members (organization_id, workspace_id, user_id) values (pg_temp.id_of('a'), pg_temp.id_of('home'), pg_temp.id_of('sam'));
select is(pg_temp.as_user('writer:' || w, 'select count(*) from weir.my_datastores()'), n, format('V7_of %s there are %s', w, n)) from (values ('ann', '3'), ('mia', '1'), ('vic', '0'), ('sam', '0'), ('bob', '1')) t(w, n);
rollback to s;
select is(pg_temp.as_user('writer:' || w, 'select count(*) from weir.document_chunks where document_id = {doc}'), n, format('T17_%s reads %s chunks', w, n))
from (values ('ann', '2'), ('mia', '2'), ('vic', '0'), ('sam', '0'), ('bob', '0'), ('mel', '0')) t(w, n);
select is(pg_temp.as_user('writer:' || w, format($$insert into public.documents (organization_id, datastore_id, title, media_type, content_hash, size_bytes, chunk_count, created_by)
  values ({%s}, {%s}, 'x', 'text/plain', sha256('x'), 1, 1, {%s}) returning 1$$, o, d, b)), '42501', format('the writer as %s for %s in %s, %s', w, b, o, d))
from (values ('mia', 'a', 'docs', 'mia'), ('ann', 'a', 'docs', 'adam'), ('ann', 'b', 'bdocs', 'ann'), ('ann', 'a', 'bdocs', 'ann'), ('sam', 'a', 'docs', 'sam'), ('bob', 'a', 'docs', 'bob')) t(w, o, d, b);
select is(pg_temp.as_user('writer:' || w, $$insert into weir.document_chunks (organization_id, datastore_id, document_id, ordinal, content, content_hash, terms)
  values ({a}, {docs}, {doc}, 9, 'x', sha256('x'), '')$$), '42501', format('%s adds no chunk', w)) from unnest(array['mia', 'vic', 'sam', 'bob']) w;
select is(pg_temp.as_user('writer:' || w, $$delete from public.documents where id = {doc} returning 1$$), null, format('%s deletes none', w)) from unnest(array['mia', 'vic', 'sam', 'bob']) w;
select is(pg_temp.as_user('writer:' || w, $$insert into public.datastores (organization_id, name, created_by) values ({a}, 'x', {ann}) returning 1$$), '42501', format('%s makes no datastore', w))
from unnest(array['mia', 'vic', 'sam', 'bob', 'adam']) w;
select is(pg_temp.as_user('writer:' || w, $$update public.datastores set deleted_at = now() where id = {docs} returning 1$$), null, format('nor deletes %s one', w)) from unnest(array['mia', 'vic', 'sam', 'bob']) w;
select is(pg_temp.as_user('writer:ann', $$update public.datastores set deleted_at = null where id = {docs}$$), '42501', 'nobody takes a deletion back');
select is(pg_temp.as_user('writer:' || w, $$insert into public.agent_datastores (organization_id, agent_id, datastore_id, linked_by) values ({a}, {robo}, {hr}, {ann})$$), '42501', format('%s links nothing', w))
from unnest(array['mia', 'vic', 'sam', 'bob', 'adam']) w;
select is(pg_temp.as_user('writer:' || w, 'delete from public.agent_datastores returning 1'), null, format('nor unlinks %s', w)) from unnest(array['mia', 'vic', 'sam', 'bob']) w;
select is(pg_temp.as_user('writer:ann', 'update ' || u), '42501', 'the writer changes no ' || u)
from unnest(array['public.documents set title = ''x''', 'public.documents set status = ''embedded''', 'weir.document_chunks set content = ''x''', 'weir.document_chunks set embedding = ''{1}''',
  'public.datastores set organization_id = organization_id', 'public.datastores set version = 1']) u;
select throws_ok(format($$insert into documents (organization_id, datastore_id, title, media_type, content_hash, size_bytes, chunk_count) values (%L, %L, 'x', 'text/plain', sha256('x'), 1, 1)$$,
  pg_temp.id_of('b'), pg_temp.id_of('docs')), '23503', null, 'T3_no_document_across_tenants_by_direct_sql');

-- Deleting
select is(pg_temp.error_as(w, $$select delete_document({doc})$$), r, format('%s deletes nothing', w))
from (values ('mia', 'WR003'), ('vic', 'WR004'), ('sam', 'WR004'), ('bob', 'WR004'), ('otto', 'WR004')) t(w, r);
savepoint s;
select is(pg_temp.error_as('adam', $$select delete_document({doc})$$), 'ok', 'an admin does');
select is(pg_temp.error_as('adam', $$select delete_document({doc})$$), 'WR004', 'and it is gone');
select is(pg_temp.as_user('owner', $$select count(*) from weir.document_chunks where document_id = {doc}$$), '0', 'with its chunks');
select is(pg_temp.as_user('ann', $$select concat_ws(' ', document_count, size_bytes) from datastores where id = {docs}$$), '0 0', 'and counts no more');
rollback to s;
select is(pg_temp.error_as(w, $$select unlink_datastore({docs}, {robo})$$), r, format('%s unlinks nothing', w))
from (values ('mia', 'WR003'), ('vic', 'WR004'), ('sam', 'WR004'), ('bob', 'WR004')) t(w, r);
select is(pg_temp.error_as('adam', $$select unlink_datastore({docs}, {robo})$$), 'ok', 'an admin unlinks');
select is(pg_temp.error_as('adam', $$select unlink_datastore({docs}, {robo})$$), 'ok', 'again is harmless');
select is(pg_temp.as_user('mia', 'select count(*) from documents'), '0', 'V11_and_nobody_sees_it_through_the_agent_any_more');
rollback to s;
select is(pg_temp.error_as(w, $$select delete_datastore({docs})$$), r, format('%s deletes no datastore', w))
from (values ('mia', 'WR003'), ('vic', 'WR004'), ('sam', 'WR004'), ('bob', 'WR004'), ('otto', 'WR004')) t(w, r);
select is(pg_temp.error_as('adam', $$select delete_datastore({docs})$$), 'ok', 'an admin does');
select is(pg_temp.error_as('adam', $$select delete_datastore({docs})$$), 'ok', 'again is harmless');
select is(pg_temp.as_user('adam', $$select deleted_at is not null from datastores where id = {docs}$$), 'true', 'S7_state_says_the_truth_while_it_is_deleted');
select is(pg_temp.as_user(w, 'select count(*) from documents where datastore_id = {docs}'), '0', format('%s sees no document of it', w)) from unnest(array['adam', 'mia']) w;
select is(pg_temp.ingest_document('ann', 'more'), 'WR004', 'nothing comes into it');
select is(pg_temp.error_as('ann', $$select create_datastore({a}, 'Docs')$$), 'ok', 'and its name is free');
select is(pg_temp.as_user('engine', 'select weir.purge_datastores(10)'), '1', 'the engine deletes what is in it');
select is(pg_temp.as_user('owner', $$select count(*) from datastores where id = {docs}$$), '0', 'and then itself');
select is(pg_temp.as_user('engine', 'select weir.purge_datastores(10)'), '0', 'and nothing else');
select is(pg_temp.as_user('ann', 'select count(*) from documents'), '1', 'which is there still');
rollback to s;
delete from organizations where id = pg_temp.id_of('a');
select is(pg_temp.as_user('owner', $$select count(*) from weir.document_chunks where organization_id = {a}$$), '0', 'an organization''s documents go with it');
rollback to s;

-- On the record
select is(pg_temp.as_user('owner', $$select string_agg(item || ' ' || n, ', ' order by item collate "C") from (select item, count(*) n from mcp_interaction_logs
  where organization_id = {a} and item ~ 'datastore|document' and decision = 'allowed' group by item) t$$), 'create_datastore 3, ingest_document 2, link_datastore 1', 'M18_who_did_what_is_recorded');
select * from finish();
rollback;
