// @modelcontextprotocol/sdk 1.32.2, unmodified: node legacy.mjs URL KEY STEPS
// STEPS is JSON: [{"list": true}, {"call": "name", "arguments": {…}}]. Prints one JSON array of what came back.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { run } from './steps.mjs';

const [url, key, steps] = process.argv.slice(2);
const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers: { Authorization: `Bearer ${key}` } } });
const client = new Client({ name: 'weir-tests', version: '1.0.0' });
await run(client, transport, JSON.parse(steps), (params, options) => client.callTool(params, undefined, options));
