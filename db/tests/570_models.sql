-- Which model answers, who may choose it, and what it has cost: by actor.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select no_plan();
select weir.set_setting('models', '{"open": ["small", "large"], "other": ["small"]}') \g /dev/null
create function pg_temp.choose_models(p_actor text, p_settings text, p_agent text default 'null', p_organization text default 'a') returns text language sql as $$
  select pg_temp.error_as(p_actor, format('select set_model_settings({%s}, %L, %s)', p_organization, p_settings,
                                         case p_agent when 'null' then 'null' else format('{%s}', p_agent) end));
$$;
-- What goes for a turn of that person with that agent.
create function pg_temp.effective_settings(p_user text default 'mia', p_agent text default 'robo') returns text language plpgsql as $$
begin
  return (select concat_ws(' ', provider || '/' || model, fallback_provider || '/' || fallback_model, temperature, max_tokens, timeout_ms, retries)
          from weir.model_settings_for(pg_temp.id_of(p_user), pg_temp.id_of(p_agent)));
exception when others then
  return sqlstate;
end;
$$;

-- Who may
select is(pg_temp.choose_models(w, '{"provider": "open", "model": "small"}'), r, format('%s chooses for the organization: %s', w, r))
from (values ('mia', 'WR003'), ('vic', 'WR003'), ('sam', 'WR004'), ('bob', 'WR004'), ('otto', 'WR004'), ('adam', 'ok'), ('ann', 'ok')) t(w, r);
select is(pg_temp.choose_models(w, '{"provider": "open", "model": "large"}', 'robo'), r, format('%s chooses for robo: %s', w, r))
from (values ('mia', 'WR003'), ('mel', 'WR003'), ('vic', 'WR003'), ('sam', 'WR004'), ('bob', 'WR004'), ('adam', 'ok')) t(w, r);
select is(pg_temp.as_user(w, $$select set_model_settings({a}, '{}')$$), '42501', format('M5_%s executes nothing', w)) from unnest(array['anon', 'service', 'gateway', 'engine']) w;
select is(pg_temp.choose_models('ann', '{}', 'bot'), 'WR004', 'M2_another_tenant_s_agent_is_not_there');
select is(pg_temp.choose_models('ann', '{}', 'nobody'), 'WR004', 'nor is one that does not exist');
select is(pg_temp.choose_models('bob', '{"provider": "open", "model": "small"}', 'robo', 'b'), 'WR004', 'V8_an_agent_is_not_of_another_organization');
select is(pg_temp.choose_models('bob', '{}', p_organization => 'nobody'), 'WR004', 'no such organization');

-- The owner of an agent, where the organization allows it
select is(pg_temp.choose_models('ann', '{"provider": "open", "model": "small", "owners_may_choose": true}'), 'ok', 'the organization allows it');
select is(pg_temp.choose_models('mia', '{"provider": "other", "model": "small"}', 'robo'), 'ok', 'the owner chooses');
select is(pg_temp.choose_models('mia', '{"provider": "other", "model": "small"}'), 'WR003', 'not for the organization');
select is(pg_temp.choose_models(w, '{}', 'robo'), 'WR003', format('%s owns it not', w)) from unnest(array['mel', 'vic']) w;
select is(pg_temp.choose_models('mia', '{"owners_may_choose": true}', 'robo'), 'WR001', 'an agent''s settings allow nobody anything');
select is(pg_temp.effective_settings(), 'other/small', 'and that goes');
select is(pg_temp.as_user('writer:' || w, 'select count(*) from weir.owners_may_choose_models()'), n, format('it allows %s: %s', w, n)) from (values ('mia', '1'), ('vic', '0'), ('sam', '0'), ('bob', '0')) t(w, n);
select is(pg_temp.as_user(format('writer:%s', w), $$with c as (update model_settings set retries = 1, updated_by = weir.actor_id() returning 1) select count(*) from c$$), n,
  format('row-level security lets %s change %s', w, n)) from (values ('bob', '0'), ('vic', '0'), ('mel', '0'), ('mia', '1'), ('ann', '2')) t(w, n);
select is(pg_temp.as_user('writer:ann', 'update model_settings set updated_by = {adam}'), '42501', 'T2_and_nobody_in_another_s_name');
select is(pg_temp.as_user(format('writer:%s', w), $$with d as (delete from model_settings returning 1) select count(*) from d$$), n, format('row-level security lets %s remove %s', w, n))
from (values ('bob', '0'), ('vic', '0'), ('mel', '0'), ('mia', '1')) t(w, n);
select is(pg_temp.choose_models('ann', '{"provider": "open", "model": "small"}'), 'ok', 'allowed no more');
select is(pg_temp.choose_models('mia', '{}', 'robo'), 'WR003', 'chosen no more');
select is(pg_temp.as_user('writer:mia', $$insert into model_settings (organization_id, agent_id, updated_by) values ({a}, {robo}, {mia})$$), '42501', 'nor around the function');
select is(pg_temp.as_user('writer:ann', $$insert into model_settings (organization_id, agent_id, updated_by) values ({a}, {robo}, {adam})$$), '42501', 'T2_nor_in_another_s_name');
select is(pg_temp.as_user('writer:ann', $$insert into model_settings (organization_id, agent_id, updated_by) values ({a}, {bot}, {ann})$$), '23503', 'T3_nor_across_tenants');

-- Who may in b may not in a, where they are a member; and who may in both chooses for one
savepoint s;
update organization_members set role = 'admin' where organization_id = pg_temp.id_of('b') and user_id = pg_temp.id_of('mel');
select is(pg_temp.choose_models('mel', '{}'), 'WR003', 'V8_an_admin_of_b_chooses_nothing_in_a');
select is(pg_temp.choose_models('mel', '{}', 'robo', 'b'), 'WR004', 'V8_nor_for_an_agent_of_a_as_if_it_were_of_b');
update organization_members set role = 'admin' where user_id = pg_temp.id_of('mel');
select is(pg_temp.choose_models('mel', '{"provider": "open", "model": "large"}', p_organization => 'b'), 'ok', 'an admin of both');
select is((select string_agg(i.name || ' ' || m.model, ', ' order by i.name) from model_settings m join ids i on i.id = m.organization_id), 'a small, b large', 'T3_leaves_the_other_organization_as_it_was');
rollback to s;
insert into organization_members (organization_id, user_id, role) values (pg_temp.id_of('b'), pg_temp.id_of('mia'), 'member');
select pg_temp.choose_models('bob', '{"owners_may_choose": true}', p_organization => 'b') \g /dev/null
select is(pg_temp.choose_models('mia', '{}', 'robo'), 'WR003', 'V8_what_b_allows_is_not_allowed_in_a');
rollback to s;
-- Who is no admin any more when they have got the lock
select pg_temp.when_lock_is_taken($$update public.organization_members set role = 'member' where organization_id = {a} and user_id = {adam}$$) \g /dev/null
select is(pg_temp.choose_models('adam', '{}'), 'WR003', 'A16_who_waited_for_the_end_of_their_role_removes_nothing');
select is((select concat_ws(' ', (select count(*) from model_settings where organization_id = pg_temp.id_of('a')), l.decision) from mcp_interaction_logs l
  where l.user_id = pg_temp.id_of('adam') and l.item = 'set_model_settings' order by l.recorded_at desc, l.created_at desc limit 1), '1 denied', 'T16_and_the_record_does_not_say_so');
rollback to s;

-- What is set, and what goes
select is(pg_temp.effective_settings(), 'open/small', 'without its own, the organization''s');
select is(pg_temp.choose_models('ann', '{"provider": "open", "model": "small", "fallback": {"provider": "offline", "model": "offline"}, "temperature": 0.5, "max_tokens": 100, "timeout_ms": 5000, "retries": 3}'), 'ok', 'all of it');
select is(pg_temp.choose_models('ann', '{"temperature": 0, "retries": 0, "max_tokens": null}', 'robo'), 'ok', 'S6_zero_is_zero_and_null_is_not_set');
select is(pg_temp.effective_settings(), 'open/small offline/offline 0 100 5000 0', 'S6_what_an_agent_does_not_set_it_inherits');
select is(pg_temp.choose_models('ann', '{}', 'robo'), 'ok', 'nothing removes it');
select is(pg_temp.as_user('owner', 'select count(*) from model_settings'), '1', 'wholly');
select is(pg_temp.effective_settings('bob', 'bot'), '', 'another tenant has none');
select is(pg_temp.effective_settings(w), r, format('a turn of %s: %s', w, r)) from (values ('bob', 'WR004'), ('otto', 'WR004'), ('sam', 'WR004')) t(w, r);

-- Bad input
select is(pg_temp.choose_models('ann', s), 'WR001', 'not ' || coalesce(s, 'null'))
from unnest(array['[]', '"x"', '7', '{"provider": "open"}', '{"model": "small"}', '{"provider": "open", "model": "none"}', '{"provider": "nobody", "model": "small"}',
  '{"provider": 7, "model": "small"}', '{"fallback": {"provider": "open"}}', '{"fallback": {"provider": "open", "model": "none"}}', '{"fallback": "open"}', '{"temperature": -1}', '{"temperature": 2.1}',
  '{"temperature": "0"}', '{"max_tokens": 0}', '{"max_tokens": 1.5}', '{"max_tokens": 1e30}', '{"timeout_ms": 0}', '{"timeout_ms": 99}', '{"retries": -1}', '{"retries": 11}', '{"key": "sk-1"}']) s;
select is(pg_temp.choose_models('ann', null), 'ok', 'null removes it');
select is(pg_temp.choose_models('ann', '{"provider": "offline", "model": "offline"}'), 'ok', 'offline is always there');
select is(pg_temp.as_user('owner', $$select weir.set_setting('modells', '{}')$$), '23514', 'the operator''s settings are a closed list');

-- Who reads
select is(pg_temp.as_user(w, 'select count(*) from model_settings'), n, format('%s sees %s', w, n))
from (values ('ann', '1'), ('mia', '1'), ('vic', '1'), ('mel', '1'), ('sam', '0'), ('bob', '0'), ('otto', '0'), ('anon', '42501'), ('service', '42501'), ('engine', '42501')) t(w, n);
select is(pg_temp.as_user(w, s), '42501', format('%s: %s', w, s)) from unnest(array['ann', 'gateway']) w,
  unnest(array['select * from weir.model_settings_for({mia}, {robo})', $$select weir.record_model_usage({robo}, '[]')$$, 'delete from model_settings', 'update model_settings set retries = 1',
    $$select weir.model_is_offered('open', 'small')$$, 'select weir.owners_may_choose_models()']) s;

-- Usage
create function pg_temp.record_usage(p_agent text, p_usage text) returns text language sql as $$
  select pg_temp.as_user('engine', format('select weir.record_model_usage({%s}, %L)', p_agent, p_usage));
$$;
select pg_temp.record_usage('robo', '[{"provider": "open", "model": "small", "currency": "USD", "requests": 2, "failures": 1, "input_tokens": 10, "output_tokens": 5, "cost_micros": 7},
                             {"provider": "other", "model": "small", "currency": "USD", "requests": 1, "failures": 0, "input_tokens": 1, "output_tokens": 1, "cost_micros": null}]'),
       pg_temp.record_usage('robo', '[{"provider": "open", "model": "small", "currency": "USD", "requests": 1, "failures": 0, "input_tokens": 1, "output_tokens": 1, "cost_micros": 1}]'),
       pg_temp.record_usage('bot', '[{"provider": "open", "model": "small", "currency": "USD", "requests": 1, "failures": 0, "input_tokens": 1, "output_tokens": 1, "cost_micros": 1}]'),
       pg_temp.record_usage('nobody', '[{"provider": "open", "model": "small", "currency": "USD", "requests": 1, "failures": 0, "input_tokens": 1, "output_tokens": 1, "cost_micros": 1}]') \g /dev/null
select is(pg_temp.as_user(w, 'select string_agg(concat_ws('' '', provider, turns, requests, failures, input_tokens, output_tokens, cost_micros, unpriced_turns), ''; '' order by provider) from (select provider, sum(turns) turns, sum(requests) requests, sum(failures) failures, sum(input_tokens) input_tokens, sum(output_tokens) output_tokens, sum(cost_micros) cost_micros, sum(unpriced_turns) unpriced_turns from model_usage_hourly group by provider) u'),
  r, format('%s reads: %s', w, r))
from (values ('ann', 'open 2 3 1 11 6 8 0; other 1 1 0 1 1 0 1'), ('adam', 'open 2 3 1 11 6 8 0; other 1 1 0 1 1 0 1'), ('bob', 'open 1 1 0 1 1 1 0'), ('mia', null), ('vic', null), ('sam', null), ('otto', null)) t(w, r);
select is(pg_temp.as_user(w, s), '42501', format('%s: %s', w, s)) from unnest(array['ann', 'anon', 'service', 'writer:ann']) w, unnest(array['delete from model_usage_hourly', 'update model_usage_hourly set turns = 0']) s;
select * from finish();
rollback;
