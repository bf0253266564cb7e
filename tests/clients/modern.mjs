// @modelcontextprotocol/client 2.4.0, unmodified: node modern.mjs URL KEY STEPS [auto|legacy]
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { run } from './steps.mjs';

const [url, key, steps, mode = 'auto'] = process.argv.slice(2);
const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers: { Authorization: `Bearer ${key}` } } });
const options = mode === 'auto' ? { versionNegotiation: { mode: 'auto' } } : {};
const client = new Client({ name: 'weir-tests', version: '1.0.0' }, options);
await run(client, transport, JSON.parse(steps), (params, options) => client.callTool(params, options));
