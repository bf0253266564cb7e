// @modelcontextprotocol/client 2.4.0, unmodified: node modern.mjs URL KEY STEPS [auto|legacy]
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { capabilities, on, run } from './steps.mjs';

const [url, key, steps, mode = 'auto'] = process.argv.slice(2);
const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers: { Authorization: `Bearer ${key}` } } });
const client = new Client({ name: 'weir-tests', version: '1.0.0' }, { capabilities, ...(mode === 'auto' ? { versionNegotiation: { mode: 'auto' } } : {}) });
const listening = new Map();
const peer = {
  client,
  inbox: on(client, (method, handler) => client.setRequestHandler(method, handler)),
  callTool: (params, options) => client.callTool(params, options),
  subscribe: async (uri) => {
    if (client.getProtocolEra() === 'legacy') return client.subscribeResource({ uri });
    const subscription = await client.listen({ resourceSubscriptions: [uri], toolsListChanged: true, promptsListChanged: true });
    listening.set(uri, subscription);
    return { honored: subscription.honoredFilter };
  },
  unsubscribe: async (uri) => (client.getProtocolEra() === 'legacy' ? client.unsubscribeResource({ uri }) : listening.get(uri)?.close()),
};
await run(peer, transport, JSON.parse(steps));
