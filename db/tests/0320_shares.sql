-- The servers of one organization, or one node, do not use all that a replica can do at once.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select plan(14);

-- organization a has 40 remote servers, b one; the lists of all must be read
update public.organizations set max_mcp_servers = 1000 where id = pg_temp.id_of('a');
insert into public.mcp_server_instances (organization_id, instance_name, url, status, first_running_at)
select pg_temp.id_of('a'), 'far-' || n, 'https://far.example/mcp', 'running', now() from generate_series(1, 40) n;
insert into public.mcp_server_instances (organization_id, instance_name, url, status, first_running_at)
values (pg_temp.id_of('b'), 'near', 'https://near.example/mcp', 'running', now());
insert into weir.dtma_operations (organization_id, instance_id, action, generation, run_at)
select i.organization_id, i.id, 'restart', i.generation, now() - case i.instance_name when 'near' then interval '1 minute' else '1 hour' end
from public.mcp_server_instances i where i.instance_name like 'far-%' or i.instance_name = 'near';

create function pg_temp.count_claimed_operations(p_limit integer, p_organizations uuid[] default '{}',
  p_nodes uuid[] default '{}') returns text language sql as $$
  select string_agg(o.name || ' ' || o.count, ', ' order by o.name)
  from (select split_part(c.instance_name, '-', 1) as name, count(*)
        from weir.claim_operations(gen_random_uuid(), p_limit, '1 minute', 8, p_organizations, p_nodes) c group by 1) o;
$$;
create function pg_temp.count_claimed_refreshes(p_limit integer, p_organizations uuid[] default '{}',
  p_nodes uuid[] default '{}') returns text language sql as $$
  select string_agg(o.name || ' ' || o.count, ', ' order by o.name)
  from (select split_part(c.instance_name, '-', 1) as name, count(*)
        from weir.instances_to_refresh(gen_random_uuid(), p_limit, '1 minute', '0 seconds', 8, p_organizations, p_nodes) c group by 1) o;
$$;

savepoint s;
select is(pg_temp.count_claimed_operations(4), 'far 3, near 1', 'F11_operations_are_claimed_by_organizations_in_turn');
rollback to s;
select is(pg_temp.count_claimed_operations(128), 'far 8, near 1', 'F11_an_organization_holds_no_more_operations_than_its_share');
rollback to s;
select is(pg_temp.count_claimed_operations(128, array_fill(pg_temp.id_of('a'), array[5]), array_fill(null::uuid, array[5])),
  'far 3, near 1',
  'F11_operations_that_run_already_count_toward_the_share');
rollback to s;
select is(pg_temp.count_claimed_operations(128, array_fill(pg_temp.id_of('a'), array[8]), array_fill(null::uuid, array[8])), 'near 1',
  'F11_an_organization_with_its_share_of_operations_running_gets_no_more');
rollback to s;
update public.mcp_server_instances set generation = generation + 1 where instance_name like 'far-%';
select is((select count(*) from weir.claim_operations(gen_random_uuid(), 128, '1 minute')), 1::bigint,
  'F11_superseded_operations_are_not_claimed');
select is((select count(*) from weir.dtma_operations where outcome = 'superseded'), 40::bigint,
  'superseded operations are finished when others are claimed');
rollback to s;

-- the operations of a node that hangs are limited over all organizations; operations elsewhere are not
update public.mcp_server_instances set node_id = pg_temp.id_of('node') where instance_name like 'far-%';
select is(pg_temp.count_claimed_operations(128, array_fill(pg_temp.id_of('b'), array[14]), array_fill(pg_temp.id_of('node'), array[14])),
  'far 2, near 1',
  'F11_a_node_that_hangs_holds_no_more_operations_than_twice_the_share');
rollback to s;

select is(pg_temp.count_claimed_refreshes(4), 'far 2, files 1, near 1', 'F11_claims_of_refreshes_alternate_between_organizations');
rollback to s;
select is(pg_temp.count_claimed_refreshes(128), 'far 8, files 1, near 1', 'F11_an_organization_holds_no_more_refreshes_than_its_share');
rollback to s;
select is(pg_temp.count_claimed_refreshes(128, array_fill(pg_temp.id_of('a'), array[5]), array_fill(null::uuid, array[5])),
  'far 3, files 1, near 1',
  'F11_refreshes_that_run_already_count_toward_the_share');
rollback to s;
select is(pg_temp.count_claimed_refreshes(128, array_fill(pg_temp.id_of('a'), array[8]), array_fill(null::uuid, array[8])),
  'files 1, near 1',
  'F11_an_organization_s_servers_on_a_node_are_refreshed_while_its_remote_servers_hang');
rollback to s;
update public.mcp_server_instances set node_id = pg_temp.id_of('node') where instance_name like 'far-%';
select is(pg_temp.count_claimed_refreshes(128, array_fill(pg_temp.id_of('b'), array[16]), array_fill(pg_temp.id_of('node'), array[16])),
  'near 1',
  'F11_a_node_that_hangs_holds_no_more_refreshes_than_twice_the_share');
rollback to s;

-- a heartbeat names 4096 instances at most
update public.organizations set max_mcp_servers = 5000 where id = pg_temp.id_of('b');
insert into public.mcp_server_instances (organization_id, instance_name, url, status, first_running_at, node_id)
select pg_temp.id_of('b'), 'many-' || n, 'https://many.example/mcp', 'running', now(), pg_temp.id_of('node')
from generate_series(1, 4095 - (select count(*)::integer from public.mcp_server_instances i
                                where i.node_id = pg_temp.id_of('node') and i.status not in ('stopped', 'deleted'))) n;
select is(weir.choose_node(pg_temp.id_of('b'), null, (select runtimes[1] from weir.dtma_nodes where id = pg_temp.id_of('node')), null),
  pg_temp.id_of('node'),
  'a node with 4095 instances is chosen for another');
insert into public.mcp_server_instances (organization_id, instance_name, url, status, first_running_at, node_id)
values (pg_temp.id_of('b'), 'last', 'https://many.example/mcp', 'running', now(), pg_temp.id_of('node'));
select is(weir.choose_node(pg_temp.id_of('b'), null, (select runtimes[1] from weir.dtma_nodes where id = pg_temp.id_of('node')), null),
  null,
  'F11_a_node_with_as_many_instances_as_a_heartbeat_may_name_is_not_chosen');
select * from finish();
rollback;
