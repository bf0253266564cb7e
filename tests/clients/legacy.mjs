// @modelcontextprotocol/sdk 1.32.2, unmodified: node legacy.mjs URL KEY STEPS
// STEPS is a JSON array as in steps.mjs. Prints one JSON array of what came back.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { CreateMessageRequestSchema, ElicitRequestSchema, ListRootsRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { capabilities, on, run } from './steps.mjs';

const [url, key, steps] = process.argv.slice(2);
const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers: { Authorization: `Bearer ${key}` } } });
const client = new Client({ name: 'weir-tests', version: '1.0.0' }, { capabilities });
const schemas = { 'elicitation/create': ElicitRequestSchema, 'sampling/createMessage': CreateMessageRequestSchema, 'roots/list': ListRootsRequestSchema };
const peer = {
  client,
  inbox: on(client, (method, handler) => client.setRequestHandler(schemas[method], handler)),
  callTool: (params, options) => client.callTool(params, undefined, options),
  subscribe: (uri) => client.subscribeResource({ uri }),
  unsubscribe: (uri) => client.unsubscribeResource({ uri }),
};
await run(peer, transport, JSON.parse(steps));
