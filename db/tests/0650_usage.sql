-- Usage is summed once for each hour, completely and by organization.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select no_plan();
delete from weir.usage_progress;
select weir.ensure_log_partitions() \g /dev/null
create temporary table hour as select date_trunc('hour', now(), 'UTC') - interval '3 hours' as at;
create function pg_temp.add_log_row(p_minutes integer, p_phase text, p_agent text default 'robo', p_instance text default 'files',
  p_outcome text default null,
  p_occurrences integer default 1, p_kind text default 'tool_execution') returns void language sql as $$
  insert into mcp_interaction_logs (created_at, id, phase, organization_id, kind, decision, epoch, actor_kind, agent_id, instance_id,
    reason, outcome, duration_us, occurrences)
  select h.at + make_interval(mins => p_minutes), weir.uuid_v7(), p_phase, a.organization_id, p_kind,
    case p_phase when 'denied' then 'denied' else 'allowed' end, 1, 'agent',
         a.id, case when p_instance <> '' then pg_temp.id_of(p_instance) end, case p_phase when 'denied' then 'limit' end, p_outcome,
           case p_phase when 'completed' then 1000 end, p_occurrences
  from hour h, agents a where a.id = pg_temp.id_of(p_agent);
$$;
create function pg_temp.usage_of_hour(p_hours integer) returns text language sql as $$
  select string_agg(concat_ws(' ', coalesce((select i.instance_name from mcp_server_instances i where i.id = u.instance_id), '-'), u.calls,
    u.denied,
    u.failed, u.duration_us), ', ' order by u.instance_id, u.agent_id)
  from usage_hourly u, hour h where u.hour = h.at + make_interval(hours => p_hours);
$$;
-- three calls of which one failed, 12 denials of which 11 share one row; one more server, and none; another tenant; the next hour
select pg_temp.add_log_row(0, 'requested'), pg_temp.add_log_row(1, 'requested'), pg_temp.add_log_row(59, 'requested'),
  pg_temp.add_log_row(0, 'completed', p_outcome => 'ok'), pg_temp.add_log_row(59, 'completed', p_outcome => 'timeout'),
       pg_temp.add_log_row(2, 'denied'), pg_temp.add_log_row(3, 'denied', p_occurrences => 11),
         pg_temp.add_log_row(4, 'denied', p_instance => ''), pg_temp.add_log_row(5, 'requested', 'bot', 'spy'),
       pg_temp.add_log_row(60, 'requested'), pg_temp.add_log_row(6, 'completed', p_kind => 'lifecycle', p_outcome => 'ok') \g /dev/null
select is(weir.roll_up_usage('30 minutes'), true, 'the first roll-up finds the first hour');
select is((select rolled_up_to from weir.usage_progress), (select at from hour),
  'the first roll-up begins with the hour of the first row of the audit log');
select is(weir.roll_up_usage('30 minutes'), true, 'the second roll-up rolls up the first hour');
select is(pg_temp.usage_of_hour(0), '- 0 1 0 0, files 3 12 1 2000, spy 1 0 0 0',
  'a rolled-up hour has calls, denials, failures and microseconds for each agent and server');
select pg_temp.add_log_row(7, 'requested') \g /dev/null
select is(weir.roll_up_usage('30 minutes'), true, 'the third roll-up rolls up the next hour');
select is(pg_temp.usage_of_hour(0), '- 0 1 0 0, files 3 12 1 2000, spy 1 0 0 0',
  'a row that is added after its hour was rolled up is not counted');
select is(pg_temp.usage_of_hour(1), 'files 1 0 0 0', 'the next hour has its own usage');
select is(weir.roll_up_usage('2 hours'), false, 'an hour whose calls may still run is not rolled up');
-- Only for this test may an hour begin at any minute, so that it does not depend on the minute in which it runs.
savepoint s;
alter table weir.usage_progress drop constraint usage_progress_is_an_hour;
update weir.usage_progress set rolled_up_to = clock_timestamp() - interval '1 hour 4 minutes';
select is(weir.roll_up_usage('0'), false, 'an hour is not rolled up four minutes after its end, whatever the grace');
update weir.usage_progress set rolled_up_to = clock_timestamp() - interval '1 hour 5 minutes';
select is(weir.roll_up_usage('0'), true, 'an hour is rolled up five minutes after its end without a grace');
rollback to s;
-- Who sees usage
select is(pg_temp.as_user(w, 'select coalesce(sum(calls), 0) from usage_hourly where organization_id = {a}'), n,
  format('%s sees %s calls', w, n))
from (values ('ann', '4'), ('adam', '4'), ('mia', '0'), ('vic', '0'), ('sam', '0'), ('bob', '0'), ('otto', '0')) t(w, n);
select is(pg_temp.as_user(w, f), '42501', format('%s may not: %s', w, f))
from unnest(array['ann', 'anon', 'service', 'gateway', 'writer:ann']) w,
  unnest(array['select weir.roll_up_usage(''0'')', 'select * from weir.usage_progress',
    'insert into usage_hourly values ({a}, now(), {robo}, {files})', 'delete from usage_hourly']) f;
select * from finish();
rollback;
