/** Cloudflare Workers' entry for a worker without a pooler, over Hyperdrive (the binding HYPERDRIVE) or a socket to `db-uri`. */
import { createHyperdrive } from '../hyperdrive.ts';
import { clientOf, cloudflareApp } from './cloudflare.ts';

interface Bindings {
  readonly HYPERDRIVE?: { readonly connectionString: string };
}

export default cloudflareApp<Bindings>((bindings) => {
  const { HYPERDRIVE } = bindings;
  const through = HYPERDRIVE === undefined ? {} : { connectionString: HYPERDRIVE.connectionString };
  return createHyperdrive({ bindings, client: clientOf, ...through });
});
