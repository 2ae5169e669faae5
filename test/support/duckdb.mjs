// `duckdb -csv -c QUERY`, with the engine as a library: the program is not in every distribution.
import { DuckDBInstance } from '@duckdb/node-api';

const [csv, command, query] = process.argv.slice(2);
if (csv !== '-csv' || command !== '-c') throw new Error('as duckdb -csv -c QUERY only');
const connection = await (await DuckDBInstance.create(':memory:')).connect();
const result = await connection.runAndReadAll(query);
/** As RFC 4180 has it. */
const field = (value) => (/[",\n]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : value);
for (const row of [result.columnNames(), ...result.getRowsJson()])
  process.stdout.write(`${row.map(field).join(',')}\n`);
