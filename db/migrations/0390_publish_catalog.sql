-- The catalog by login: a platform admin who signed in within the last 15 minutes publishes, withdraws, blocks and unblocks. What is
-- published runs on nodes in all organizations, so an old sign-in, or a token that was stolen, is not enough. weir.authorize asks who
-- calls, and row-level security asks both questions again where the row is written.

set local role weir_writer;

-- Publishes an entry (weir.store_entry) for a platform admin.
create function weir.publish_by_login(p_entry jsonb) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_answer jsonb;
  v_constraint text;
begin
  v_act := weir.act('lifecycle', 'publish_catalog_server', 'platform_admin', 'the catalog is published by a platform admin',
                    weir.platform_id());
  v_answer := weir.authorize(v_act);
  v_answer := coalesce(v_answer, weir.refuse_old_sign_in(v_act));
  if v_answer is not null then
    return v_answer;
  end if;
  v_answer := weir.store_entry(p_entry);
  if v_answer ? 'error' then
    return weir.refuse(v_act, v_answer ->> 'error', v_answer ->> 'message');
  end if;
  return v_answer;
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint);
end;
$$;
grant execute on function weir.publish_by_login to authenticated;

-- Withdraws, blocks or unblocks (weir.change_catalog_state) for a platform admin. p_item is the published function's name.
create function weir.change_catalog_by_login(p_item text, p_slug text, p_version text, p_reason text) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_answer jsonb;
begin
  v_act := weir.act('lifecycle', p_item, 'platform_admin', 'the catalog is changed by a platform admin', weir.platform_id());
  v_answer := weir.authorize(v_act);
  v_answer := coalesce(v_answer, weir.refuse_old_sign_in(v_act));
  if v_answer is not null then
    return v_answer;
  end if;
  v_answer := weir.change_catalog_state(p_item, p_slug, p_version, p_reason);
  if v_answer ? 'error' then
    return weir.refuse(v_act, v_answer ->> 'error', v_answer ->> 'message');
  end if;
  return v_answer;
exception
  when insufficient_privilege then
    return weir.refuse_violation(v_act, sqlstate, null);
end;
$$;
grant execute on function weir.change_catalog_by_login to authenticated;

reset role;

-- The published names; parameter names are API.
create function public.publish_catalog_server(entry jsonb) returns jsonb
language sql volatile begin atomic select weir.publish_by_login($1); end;
create function public.withdraw_catalog_server(slug text, version text default null) returns jsonb
language sql volatile begin atomic select weir.change_catalog_by_login('withdraw_catalog_server', $1, $2, null); end;
create function public.block_catalog_server(slug text, version text default null, reason text default null) returns jsonb
language sql volatile begin atomic select weir.change_catalog_by_login('block_catalog_server', $1, $2, $3); end;
create function public.unblock_catalog_server(slug text, version text default null) returns jsonb
language sql volatile begin atomic select weir.change_catalog_by_login('unblock_catalog_server', $1, $2, null); end;

revoke all on function public.publish_catalog_server, public.withdraw_catalog_server, public.block_catalog_server,
  public.unblock_catalog_server from public, anon, authenticated, service_role;
grant execute on function public.publish_catalog_server, public.withdraw_catalog_server, public.block_catalog_server,
  public.unblock_catalog_server to authenticated;
