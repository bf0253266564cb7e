-- Which model answers, who may choose it, and what its use has cost.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select no_plan();
select weir.set_setting('models', '{"open": ["small", "large"], "other": ["small"]}') \g /dev/null
create function pg_temp.choose_models(p_actor text, p_settings text, p_agent text default 'null',
  p_organization text default 'a') returns text language sql as $$
  select pg_temp.error_as(p_actor, format('select set_model_settings({%s}, %L, %s)', p_organization, p_settings,
                                         case p_agent when 'null' then 'null' else format('{%s}', p_agent) end));
$$;
-- The settings of models for a turn of that person with that agent.
create function pg_temp.effective_settings(p_user text default 'mia', p_agent text default 'robo') returns text language plpgsql as $$
begin
  return (select concat_ws(' ', provider || '/' || model, fallback_provider || '/' || fallback_model, temperature, max_tokens, timeout_ms,
    retries)
          from weir.model_settings_for(pg_temp.id_of(p_user), pg_temp.id_of(p_agent)));
exception when others then
  return sqlstate;
end;
$$;

-- Permissions
select is(pg_temp.choose_models(w, '{"provider": "open", "model": "small"}'), r, format('%s chooses the organization''s model: %s', w, r))
from (values ('mia', 'WR003'), ('vic', 'WR003'), ('sam', 'WR004'), ('bob', 'WR004'), ('otto', 'WR004'), ('adam', 'ok'), ('ann', 'ok')) t(w,
  r);
select is(pg_temp.choose_models(w, '{"provider": "open", "model": "large"}', 'robo'), r, format('%s chooses an agent''s model: %s', w, r))
from (values ('mia', 'WR003'), ('mel', 'WR003'), ('vic', 'WR003'), ('sam', 'WR004'), ('bob', 'WR004'), ('adam', 'ok')) t(w, r);
select is(pg_temp.as_user(w, $$select set_model_settings({a}, '{}')$$), '42501', format('M5_%s_does_not_execute_set_model_settings', w))
  from unnest(array['anon', 'service', 'gateway', 'engine']) w;
select is(pg_temp.choose_models('ann', '{}', 'bot'), 'WR004', 'M2_an_owner_chooses_no_model_for_another_organization_s_agent');
select is(pg_temp.choose_models('ann', '{}', 'nobody'), 'WR004', 'an agent that does not exist is not found for a model');
select is(pg_temp.choose_models('bob', '{"provider": "open", "model": "small"}', 'robo', 'b'), 'WR004',
  'V8_an_owner_chooses_no_model_for_another_organization_s_agent_as_their_own');
select is(pg_temp.choose_models('bob', '{}', p_organization => 'nobody'), 'WR004',
  'an organization that does not exist is not found for a model');

-- The owner of an agent, if the organization permits it
select is(pg_temp.choose_models('ann', '{"provider": "open", "model": "small", "owners_may_choose": true}'), 'ok',
  'an owner permits agents'' owners to choose models');
select is(pg_temp.choose_models('mia', '{"provider": "other", "model": "small"}', 'robo'), 'ok',
  'an agent''s owner chooses its model if that is permitted');
select is(pg_temp.choose_models('mia', '{"provider": "other", "model": "small"}'), 'WR003',
  'an agent''s owner who is a member does not choose the organization''s model');
select is(pg_temp.choose_models(w, '{}', 'robo'), 'WR003', format('%s does not choose a model for an agent that they do not own', w))
  from unnest(array['mel', 'vic']) w;
select is(pg_temp.choose_models('mia', '{"owners_may_choose": true}', 'robo'), 'WR001',
  'the settings of an agent cannot permit owners to choose');
select is(pg_temp.effective_settings(), 'other/small', 'a turn has the model that the agent''s owner chose');
select is(pg_temp.as_user('writer:' || w, 'select count(*) from weir.owners_may_choose_models()'), n,
  format('the organizations where %s may choose models for their agents are %s', w, n))
  from (values ('mia', '1'), ('vic', '0'), ('sam', '0'), ('bob', '0')) t(w, n);
select is(pg_temp.as_user(format('writer:%s', w),
  $$with c as (update model_settings set retries = 1, updated_by = weir.actor_id() returning 1) select count(*) from c$$), n,
  format('row-level security lets %s change %s settings of models', w, n))
    from (values ('bob', '0'), ('vic', '0'), ('mel', '0'), ('mia', '1'), ('ann', '2')) t(w, n);
select is(pg_temp.as_user('writer:ann', 'update model_settings set updated_by = {adam}'), '42501',
  'T2_the_writer_changes_no_settings_of_models_in_another_s_name');
select is(pg_temp.as_user(format('writer:%s', w), $$with d as (delete from model_settings returning 1) select count(*) from d$$), n,
  format('row-level security lets %s delete %s settings of models', w, n))
from (values ('bob', '0'), ('vic', '0'), ('mel', '0'), ('mia', '1')) t(w, n);
select is(pg_temp.choose_models('ann', '{"provider": "open", "model": "small"}'), 'ok',
  'an owner no longer permits agents'' owners to choose');
select is(pg_temp.choose_models('mia', '{}', 'robo'), 'WR003', 'an agent''s owner does not choose its model if that is not permitted');
select is(pg_temp.as_user('writer:mia', $$insert into model_settings (organization_id, agent_id, updated_by) values ({a}, {robo}, {mia})$$),
  '42501', 'the writer inserts no settings of models for an agent''s owner if that is not permitted');
select is(pg_temp.as_user('writer:ann',
  $$insert into model_settings (organization_id, agent_id, updated_by) values ({a}, {robo}, {adam})$$), '42501',
  'T2_the_writer_inserts_no_settings_of_models_in_another_s_name');
select is(pg_temp.as_user('writer:ann', $$insert into model_settings (organization_id, agent_id, updated_by) values ({a}, {bot}, {ann})$$),
  '23503', 'T3_the_writer_inserts_no_settings_of_models_across_organizations');

-- An admin of b is a plain member in a. An admin of both chooses for the organization that they name.
savepoint s;
update organization_members set role = 'admin' where organization_id = pg_temp.id_of('b') and user_id = pg_temp.id_of('mel');
select is(pg_temp.choose_models('mel', '{}'), 'WR003', 'V8_an_admin_of_b_who_is_a_member_of_a_chooses_no_model_in_a');
select is(pg_temp.choose_models('mel', '{}', 'robo', 'b'), 'WR004', 'V8_an_admin_of_b_chooses_no_model_for_an_agent_of_a_as_b_s');
update organization_members set role = 'admin' where user_id = pg_temp.id_of('mel');
select is(pg_temp.choose_models('mel', '{"provider": "open", "model": "large"}', p_organization => 'b'), 'ok',
  'an admin of both chooses a model for one');
select is((select string_agg(i.name || ' ' || m.model, ', ' order by i.name) from model_settings m join ids i on i.id = m.organization_id),
  'a small, b large', 'T3_a_model_chosen_for_one_organization_leaves_the_other_s');
rollback to s;
insert into organization_members (organization_id, user_id, role) values (pg_temp.id_of('b'), pg_temp.id_of('mia'), 'member');
select pg_temp.choose_models('bob', '{"owners_may_choose": true}', p_organization => 'b') \g /dev/null
select is(pg_temp.choose_models('mia', '{}', 'robo'), 'WR003', 'V8_an_agent_s_owner_in_a_does_not_choose_because_b_permits_it');
rollback to s;
-- An admin who loses the role while waiting for the lock
select pg_temp.when_lock_is_taken($$update public.organization_members set role = 'member' where organization_id = {a}
  and user_id = {adam}$$) \g /dev/null
select is(pg_temp.choose_models('adam', '{}'), 'WR003', 'A16_an_admin_who_lost_the_role_while_waiting_for_the_lock_removes_no_model');
select is((select concat_ws(' ', (select count(*) from model_settings where organization_id = pg_temp.id_of('a')), l.decision)
  from mcp_interaction_logs l
  where l.user_id = pg_temp.id_of('adam') and l.item = 'set_model_settings' order by l.recorded_at desc, l.created_at desc limit 1),
    '1 denied', 'T16_the_audit_log_says_that_the_admin_who_lost_the_role_was_denied');
rollback to s;

-- Which settings apply to a turn
select is(pg_temp.effective_settings(), 'open/small', 'an agent without settings has the organization''s model');
select is(pg_temp.choose_models('ann',
  '{"provider": "open", "model": "small", "fallback": {"provider": "offline", "model": "offline"}, "temperature": 0.5, "max_tokens": 100,
    "timeout_ms": 5000, "retries": 3}'), 'ok', 'an owner sets everything that can be set for models');
select is(pg_temp.choose_models('ann', '{"temperature": 0, "retries": 0, "max_tokens": null}', 'robo'), 'ok',
  'S6_an_owner_sets_zeros_and_a_null_for_an_agent');
select is(pg_temp.effective_settings(), 'open/small offline/offline 0 100 5000 0',
  'S6_an_agent_s_zeros_hold_and_what_it_does_not_set_is_the_organization_s');
select is(pg_temp.choose_models('ann', '{}', 'robo'), 'ok', 'an owner sets an empty object for an agent');
select is(pg_temp.as_user('owner', 'select count(*) from model_settings'), '1', 'an empty object removes the settings of an agent');
select is(pg_temp.effective_settings('bob', 'bot'), '', 'an agent of another organization has no settings of models');
select is(pg_temp.effective_settings(w), r, format('%s gets no settings of models for a turn: %s', w, r))
  from (values ('bob', 'WR004'), ('otto', 'WR004'), ('sam', 'WR004')) t(w, r);

-- Bad input
select is(pg_temp.choose_models('ann', s), 'WR001', 'settings of models are refused: ' || coalesce(s, 'null'))
from unnest(array['[]', '"x"', '7', '{"provider": "open"}', '{"model": "small"}', '{"provider": "open", "model": "none"}',
  '{"provider": "nobody", "model": "small"}',
  '{"provider": 7, "model": "small"}', '{"fallback": {"provider": "open"}}', '{"fallback": {"provider": "open", "model": "none"}}',
    '{"fallback": "open"}', '{"temperature": -1}', '{"temperature": 2.1}',
  '{"temperature": "0"}', '{"max_tokens": 0}', '{"max_tokens": 1.5}', '{"max_tokens": 1e30}', '{"timeout_ms": 0}', '{"timeout_ms": 99}',
    '{"retries": -1}', '{"retries": 11}', '{"key": "sk-1"}']) s;
select is(pg_temp.choose_models('ann', null), 'ok', 'an owner removes the organization''s settings by null');
select is(pg_temp.choose_models('ann', '{"provider": "offline", "model": "offline"}'), 'ok', 'the provider offline may always be chosen');
select is(pg_temp.as_user('owner', $$select weir.set_setting('modells', '{}')$$), '23514', 'an unknown setting of the operator is refused');

-- Who reads settings
select is(pg_temp.as_user(w, 'select count(*) from model_settings'), n, format('%s sees settings of models: %s', w, n))
from (values ('ann', '1'), ('mia', '1'), ('vic', '1'), ('mel', '1'), ('sam', '0'), ('bob', '0'), ('otto', '0'), ('anon', '42501'),
  ('service', '42501'), ('engine', '42501')) t(w, n);
select is(pg_temp.as_user(w, s), '42501', format('%s may not: %s', w, s)) from unnest(array['ann', 'gateway']) w,
  unnest(array['select * from weir.model_settings_for({mia}, {robo})', $$select weir.record_model_usage({robo}, '[]')$$,
    'delete from model_settings', 'update model_settings set retries = 1',
    $$select weir.model_is_offered('open', 'small')$$, 'select weir.owners_may_choose_models()']) s;

-- Usage
create function pg_temp.record_usage(p_agent text, p_usage text) returns text language sql as $$
  select pg_temp.as_user('engine', format('select weir.record_model_usage({%s}, %L)', p_agent, p_usage));
$$;
select pg_temp.record_usage('robo', '[
  {"provider": "open", "model": "small", "currency": "USD", "requests": 2, "failures": 1,
   "input_tokens": 10, "output_tokens": 5, "cost_micros": 7},
  {"provider": "other", "model": "small", "currency": "USD", "requests": 1, "failures": 0,
   "input_tokens": 1, "output_tokens": 1, "cost_micros": null}]') \g /dev/null
select pg_temp.record_usage(agent, '[
  {"provider": "open", "model": "small", "currency": "USD", "requests": 1, "failures": 0,
   "input_tokens": 1, "output_tokens": 1, "cost_micros": 1}]') from unnest(array['robo', 'bot', 'nobody']) agent \g /dev/null
select is(pg_temp.as_user(w, $$
  select string_agg(concat_ws(' ', provider, turns, requests, failures, input_tokens, output_tokens, cost_micros, unpriced_turns), '; '
                    order by provider)
  from (select provider, sum(turns) turns, sum(requests) requests, sum(failures) failures, sum(input_tokens) input_tokens,
               sum(output_tokens) output_tokens, sum(cost_micros) cost_micros, sum(unpriced_turns) unpriced_turns
        from model_usage_hourly group by provider) u$$),
  r, format('%s reads this usage of models: %s', w, r))
from (values ('ann', 'open 2 3 1 11 6 8 0; other 1 1 0 1 1 0 1'), ('adam', 'open 2 3 1 11 6 8 0; other 1 1 0 1 1 0 1'),
  ('bob', 'open 1 1 0 1 1 1 0'), ('mia', null), ('vic', null), ('sam', null), ('otto', null)) t(w, r);
select is(pg_temp.as_user(w, s), '42501', format('%s may not: %s', w, s)) from unnest(array['ann', 'anon', 'service', 'writer:ann']) w,
  unnest(array['delete from model_usage_hourly', 'update model_usage_hourly set turns = 0']) s;
select * from finish();
rollback;
