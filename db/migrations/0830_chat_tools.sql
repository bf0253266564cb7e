-- The switches of tools in chat: the operator's setting and the organization's column chat_tools.

-- Whether chat turns of the organization may use tools: both switches must permit it. Without the operator's setting they may.
create function weir.chat_has_tools(p_organization_id uuid) returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return exists (select from public.organizations o where o.id = p_organization_id and o.chat_tools)
     and not exists (select from weir.settings s where s.name = 'chat_tools' and s.value <> 'true');
end;
$$;

revoke all on function weir.chat_has_tools from public;
grant execute on function weir.chat_has_tools to weir_system;

set local role weir_writer;

-- For admins (policy organizations_are_switched_by_admins); other members get WR003, and outsiders WR004. A repeated call updates nothing,
-- because an update of the organization's row takes its lock, which blocks calls; nor does it leave a row in the audit log.
create function weir.set_chat_tools(p_organization_id uuid, p_enabled boolean) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_refusal jsonb;
begin
  v_act := weir.act('lifecycle', 'set_chat_tools', 'admin', 'only an owner or admin switches tools in chat', p_organization_id);
  v_refusal := weir.authorize(v_act);
  if v_refusal is not null then
    return v_refusal;
  elsif p_enabled is null then
    return weir.refuse(v_act, 'WR001', 'enabled must be true or false');
  end if;
  update public.organizations o set chat_tools = p_enabled where o.id = p_organization_id and o.chat_tools <> p_enabled;
  if found then
    perform weir.record_act(v_act, p_enabled::text);
  end if;
  return jsonb_build_object('organization_id', p_organization_id, 'chat_tools', p_enabled);
end;
$$;
grant execute on function weir.set_chat_tools to authenticated;

reset role;

-- The published name; parameter names are API.
create function public.set_chat_tools(organization_id uuid, enabled boolean) returns jsonb
language sql volatile begin atomic select weir.set_chat_tools($1, $2); end;

revoke all on function public.set_chat_tools from public, anon, authenticated, service_role;
grant execute on function public.set_chat_tools to authenticated;
