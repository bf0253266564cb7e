// @supabase/supabase-js, unmodified: node requirement.mjs URL ANON_KEY OWNER_TOKEN MEMBER_TOKEN IDS. An application that was written from the
// requirement's words alone: its tables, columns, functions and arguments. IDS is JSON: {"organization", "agent", "own": the member's agent, "server"}. Prints what
// came back, first where Weir follows the requirement, then where it does not.
import { createClient } from '@supabase/supabase-js';

const [url, anonKey, ownerToken, memberToken, given] = process.argv.slice(2);
const { organization, agent, own, server } = JSON.parse(given);
const as = (token) => createClient(url, anonKey, { accessToken: async () => token });
const weir = as(ownerToken);
const of = ({ data, error, status }) => ({ data, status, error: error && { code: error.code, message: error.message, hint: error.hint } });
const seen = {};

seen.none = of(await weir.rpc('get_organization_mcp_configs', { org_id: organization, agent_id: agent }));
seen.granted = of(await weir.rpc('grant_mcp_access', { agent_id: agent, mcp_server_instance_id: server }));
seen.nothingPermitted = of(await weir.from('agent_mcp_permissions').select('permissions').eq('agent_id', agent).is('revoked_at', null));
seen.list = of(await weir.rpc('grant_mcp_access', { agent_id: agent, mcp_server_instance_id: server, permissions: ['echo', 'list_*'] }));
seen.permissions = of(await weir.from('agent_mcp_permissions').select('permissions, expires_at').eq('agent_id', agent).is('revoked_at', null));
seen.configs = of(await weir.rpc('get_organization_mcp_configs', { org_id: organization }));
seen.instances = of(await weir.from('mcp_server_instances').select('id, instance_name, catalog_server_id, status, endpoint_url').eq('id', server));
seen.catalog = of(await weir.from('mcp_server_catalog').select('id, name, display_name, description, version, capabilities, docker_image').limit(1));
seen.agents = of(await weir.from('agents').select('id, name, user_id').eq('id', agent));
seen.valid = of(await weir.rpc('validate_mcp_access', { agent_id: agent, mcp_server_instance_id: server }));
seen.nobody = of(await weir.rpc('validate_mcp_access', { agent_id: agent, mcp_server_instance_id: server, user_id: null }));
seen.created = of(await weir.rpc('manage_mcp_servers', {
  action: 'create', organization_id: organization,
  server_config: { instance_name: 'theirs', url: 'https://theirs.example/mcp', configuration: { timeout_ms: 9, priority: 3 } },
}));
seen.badName = of(await weir.rpc('manage_mcp_servers', {
  action: 'create', organization_id: organization, server_config: { instance_name: 'My Server!', url: 'https://x.example' },
}));
const made = seen.created.data?.id;
seen.deployed = of(await weir.rpc('deploy_mcp_server_to_dtma', { server_instance_id: made }));
seen.stopped = of(await weir.rpc('call_dtma_api', { request: { action: 'stop_mcp_server', server_instance_id: made } }));
seen.deleted = of(await weir.rpc('manage_mcp_servers', { action: 'delete', organization_id: organization, server_id: made }));
seen.record = of(await weir.rpc('read_audit', { organization_id: organization, filter: { interaction_type: 'lifecycle' }, limit: 1 }));
seen.merged = of(await weir.rpc('read_audit', { organization_id: organization, filter: { merged: true }, limit: 1 }));

seen.ownerOfAgentGrants = of(await as(memberToken).rpc('grant_mcp_access', { agent_id: own, mcp_server_instance_id: server }));
seen.logTable = of(await weir.from('mcp_interaction_logs').select());
seen.forgedRecord = of(await weir.rpc('audit_mcp_interactions', { interactions: [] }));
seen.vault = of(await weir.rpc('manage_mcp_servers', {
  action: 'create', organization_id: organization,
  server_config: { instance_name: 'x', url: 'https://x.example', configuration: { api_key_vault_id: server } },
}));
seen.payload = of(await weir.rpc('call_dtma_api', { request: { action: 'deploy', server_instance_id: server, payload: { image: 'x:latest' } } }));
seen.secret = of(await weir.rpc('get_secret', { name: 'x' }));

console.log(JSON.stringify(seen));
