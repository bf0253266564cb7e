// A PostgreSQL in this process, with the extension pgvector, migrated by Weir's own files: `node pglite.mjs <folder of migrations>`.
// Prints its port when it is ready, and ends with its standard input.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { vector } from '@electric-sql/pglite-pgvector';
import { PGLiteSocketServer } from '@electric-sql/pglite-socket';

const folder = process.argv[2];
// As `weir migrate` does it: the roles that own functions may create in the schema weir while a file runs.
const owners = (verb, preposition) =>
  `do $$ begin if to_regnamespace('weir') is not null then ${verb} create on schema weir ${preposition} weir_system, weir_writer; end if; end $$`;
const db = await PGlite.create({ extensions: { vector } });
await db.exec('create schema extensions; create extension vector schema extensions');
for (const file of readdirSync(folder).filter((name) => name.endsWith('.sql')).sort()) {
  try {
    await db.transaction(async (transaction) => {
      await transaction.exec(owners('grant', 'to'));
      await transaction.exec(readFileSync(join(folder, file), 'utf8'));
      await transaction.exec(owners('revoke', 'from'));
    });
  } catch (error) {
    throw new Error(`${file}: ${error.message}`, { cause: error });
  }
}

const server = new PGLiteSocketServer({ db, host: '127.0.0.1', port: 0, maxConnections: 10 });
server.addEventListener('listening', (event) => console.log(`listening ${event.detail.port}`));
await server.start();
process.stdin.on('end', () => process.exit(0)).resume();
