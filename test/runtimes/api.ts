/**
 * The API as an application of Deno or Bun has it. The last argument says what is behind it: SQL over HTTP (`neon`), a socket to
 * PostgreSQL (`hyperdrive`), or a pooler. PGRST_* and EDGEREST_* say where that is.
 */
import { createEdgerest, type EdgerestFetch } from '../../worker/edgerest.ts';
import { createHyperdrive } from '../../worker/hyperdrive.ts';
import { createNeon } from '../../worker/neon.ts';

const { env } = process;

function edgerest(): EdgerestFetch {
  switch (process.argv.at(-1)) {
    case 'neon':
      return createNeon({ bindings: env });
    case 'hyperdrive':
      return createHyperdrive({ bindings: env });
    default:
      return createEdgerest({ url: env.EDGEREST_POOLER_URL ?? '', secret: env.EDGEREST_POOLER_SECRET ?? '' });
  }
}

interface Options {
  readonly hostname: string;
  readonly port: number;
}
declare const Deno: { serve(options: Options, handler: EdgerestFetch): unknown } | undefined;
declare const Bun: { serve(options: Options & { readonly fetch: EdgerestFetch }): { readonly port: number } };

const options = { hostname: '127.0.0.1', port: Number(env.PORT) };
if (typeof Deno === 'undefined')
  console.log(`Listening on http://127.0.0.1:${Bun.serve({ ...options, fetch: edgerest() }).port}/`);
else Deno.serve(options, edgerest()); // which says so by itself
