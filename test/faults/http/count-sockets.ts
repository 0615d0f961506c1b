/**
 * For a program under test (`node --import`): how many sockets to the database it ever had open at once, counted in the program itself and
 * written to a file when it ends. COUNT_SOCKETS_TO is the database's port, COUNT_SOCKETS_OVER
 * how it is spoken to, COUNT_SOCKETS_FILE the file.
 */
import { writeFileSync } from 'node:fs';
import { SocketCount } from '../sockets.ts';

const { COUNT_SOCKETS_TO: port, COUNT_SOCKETS_OVER: over, COUNT_SOCKETS_FILE: file } = process.env;
if (port !== undefined && file !== undefined) {
  const sockets = new SocketCount(Number(port), over === 'encrypted' ? over : 'plain');
  process.on('exit', () => writeFileSync(file, String(sockets.most)));
}
