// @supabase/supabase-js, unmodified: node requirement.mjs URL ANON_KEY OWNER_TOKEN MEMBER_TOKEN GIVEN. An application that was written from
// the requirement's words alone: its tables, columns, functions and arguments. GIVEN is JSON: {"organization", "agent", "own": the member's
// agent, "operator": {email, password}} and servers' ids: {"pending", "running", "degraded", "ungranted"}. The member shares a workspace with
// `agent`; the owner shares none with `own`. Prints what came back, first where Weir follows the requirement, then where it does not, in the
// order of decision 140.
import { createClient } from '@supabase/supabase-js';

const [url, anonKey, ownerToken, memberToken, given] = process.argv.slice(2);
const { organization, agent, own, operator, pending, running, degraded, ungranted } = JSON.parse(given);
const as = (token) => createClient(url, anonKey, { accessToken: async () => token });
const weir = as(ownerToken);
const member = as(memberToken);
const of = ({ data, error, status }) => ({ data, status, error: error && { code: error.code, message: error.message, hint: error.hint } });
const seen = {};
const grantsOf = (server) => weir.from('agent_mcp_permissions').select('permissions, expires_at')
  .eq('agent_id', agent).eq('mcp_server_instance_id', server).is('revoked_at', null);
const validate = async (client, agent_id, mcp_server_instance_id, more) =>
  of(await client.rpc('validate_mcp_access', { agent_id, mcp_server_instance_id, ...more }));

seen.none = of(await member.rpc('get_organization_mcp_configs', { org_id: organization, agent_id: own }));
seen.granted = of(await weir.rpc('grant_mcp_access', { agent_id: agent, mcp_server_instance_id: pending }));
seen.nothingPermitted = of(await grantsOf(pending));
seen.list = of(await weir.rpc('grant_mcp_access', { agent_id: agent, mcp_server_instance_id: pending, permissions: ['echo', 'list_*'] }));
seen.permissions = of(await grantsOf(pending));
seen.configs = of(await weir.rpc('get_organization_mcp_configs', { org_id: organization }));
seen.instances = of(await weir.from('mcp_server_instances')
  .select('id, instance_name, catalog_server_id, status, endpoint_url').eq('id', pending));
seen.catalog = of(await weir.from('mcp_server_catalog')
  .select('id, name, display_name, description, version, capabilities, docker_image').limit(1));
seen.agents = of(await weir.from('agents').select('id, name, user_id').eq('id', agent));
seen.valid = await validate(weir, agent, pending);
seen.nobody = await validate(weir, agent, pending, { user_id: null });
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

// Pending servers are listed for an agent.
seen.ofAgent = of(await member.rpc('get_organization_mcp_configs', { org_id: organization, agent_id: agent }));
seen.ofAgentForAdmin = of(await weir.rpc('get_organization_mcp_configs', { org_id: organization, agent_id: agent }));
// The agent's owner writes its grants.
seen.ownerOfAgentGrants = of(await member.rpc('grant_mcp_access', { agent_id: own, mcp_server_instance_id: running }));
seen.ownerOfAgentAsks = of(await member.rpc('request_mcp_access',
  { agent_id: own, mcp_server_instance_id: running, permissions: ['echo'] }));
// Only the owner passes validate_mcp_access.
seen.validForMember = await validate(member, agent, running);
seen.adminGrants = of(await weir.rpc('grant_mcp_access', { agent_id: own, mcp_server_instance_id: running, permissions: ['echo'] }));
seen.validForOwnerOfAgent = await validate(member, own, running);
seen.validWithoutWorkspace = await validate(weir, own, running);
// A grant whose expiry is null denies. The test makes the call, with the agent's key.
seen.grantedForGood = of(await weir.rpc('grant_mcp_access', { agent_id: agent, mcp_server_instance_id: running, permissions: ['echo'] }));
seen.forGood = of(await grantsOf(running));
// `running` decides access.
seen.validDegraded = await validate(weir, agent, degraded);
seen.statuses = of(await weir.from('mcp_server_instances').select('id, status').in('id', [degraded, ungranted]));
seen.validUngranted = await validate(weir, agent, ungranted);
// An image is named by a tag.
const platform = createClient(url, anonKey);
await platform.auth.signInWithPassword(operator);
const publish = async (members) => of(await platform.rpc('publish_catalog_server', { entry: {
  slug: 'imaged', version: '1.0.0', display_name: 'Imaged', transport: 'stdio', package: 'imaged', bin: 'imaged', ...members } }));
seen.tag = await publish({ docker_image: 'node:22' });
seen.digest = await publish({ docker_image: `node@sha256:${'a'.repeat(64)}` });
seen.movingVersion = await publish({ version: 'latest' });
seen.exactVersion = await publish({});
// The log's table is read directly.
seen.logTable = of(await weir.from('mcp_interaction_logs').select());
// Everybody calls audit_mcp_interactions.
seen.forgedRecord = of(await weir.rpc('audit_mcp_interactions', { interactions: [] }));
// A vault's id stands in configuration, and a payload goes to the node.
seen.vault = of(await weir.rpc('manage_mcp_servers', {
  action: 'create', organization_id: organization,
  server_config: { instance_name: 'x', url: 'https://x.example', configuration: { api_key_vault_id: pending } },
}));
seen.payload = of(await weir.rpc('call_dtma_api',
  { request: { action: 'deploy', server_instance_id: pending, payload: { image: 'x:latest' } } }));
// get_secret returns the value.
seen.secret = of(await weir.rpc('get_secret', { name: 'x' }));

console.log(JSON.stringify(seen));
