-- Outcomes of admitted calls.

set local role weir_system;

-- Records the outcomes of admitted calls: a second row for each, found by the key of the first. A call that was not admitted gets no
-- outcome, and no call gets two. Definer: no other role may write the audit log. The client does not wait for this statement, and the
-- statement does not wait for the disk: a crash of PostgreSQL may lose the last outcomes, and such a call then shows as one without an
-- outcome.
-- force_custom_plan (decision 0061): one session sees a partition grow from nothing to millions of rows. A plan that was cached while both
-- of its indexes were empty may use the one that does not find a row by its key.
create function weir.complete(
  p_replica_id uuid, p_ids uuid[], p_created_at timestamptz[], p_outcomes text[], p_error_codes text[], p_durations_us bigint[],
  p_response_bytes bigint[], p_response_hashes bytea[], p_response_copies text[]) returns integer
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_custom_plan
as $$
declare
  v_written integer;
  v_epoch integer;
  -- The first and the last time of the batch: partitions of other months are not even opened.
  v_from timestamptz := p_created_at[1];
  v_to timestamptz := p_created_at[1];
  v_time timestamptz;
begin
  perform set_config('synchronous_commit', 'off', true);
  foreach v_time in array p_created_at loop
    v_from := least(v_from, v_time);
    v_to := greatest(v_to, v_time);
  end loop;
  select i.epoch into v_epoch from weir.installation i;
  insert into public.mcp_interaction_logs (
    created_at, id, phase, organization_id, kind, decision, epoch, replica_id, actor_kind, user_id, agent_id, agent_name, key_id,
    instance_id, instance_name, item, grant_id, request_id, attempt, outcome, error_code, duration_us, response_bytes,
    response_hash, response_copy)
  -- Actor, agent, server and item are copied from the request's row; the replica only reports the outcome.
  select r.created_at, r.id, 'completed', r.organization_id, r.kind, r.decision, v_epoch, p_replica_id, r.actor_kind, r.user_id,
         r.agent_id, r.agent_name, r.key_id, r.instance_id, r.instance_name, r.item, r.grant_id, r.request_id, r.attempt,
         c.outcome, weir.cut(c.error_code, 100), c.duration_us, c.response_bytes, c.response_hash, weir.cut(c.response_copy, 4096)
  from unnest(p_ids, p_created_at, p_outcomes, p_error_codes, p_durations_us, p_response_bytes, p_response_hashes, p_response_copies)
       as c(id, created_at, outcome, error_code, duration_us, response_bytes, response_hash, response_copy)
  -- One index lookup for each outcome; `offset 0` keeps it from becoming a join over the whole partition.
  join lateral (select l.* from public.mcp_interaction_logs l
                where l.created_at = c.created_at and l.id = c.id and l.phase = 'requested'
                  and l.created_at between v_from and v_to offset 0) r on true
  -- A replica sends a batch again if the answer to its commit was lost.
  on conflict do nothing;
  get diagnostics v_written = row_count;
  return v_written;
end;
$$;
grant execute on function weir.complete to weir_engine;

reset role;
