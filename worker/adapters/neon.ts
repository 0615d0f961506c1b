/** Cloudflare Workers' entry for a worker without a pooler, over SQL by HTTP. */
import { createNeon } from '../neon.ts';
import { clientOf, cloudflareApp } from './cloudflare.ts';

export default cloudflareApp((bindings) => createNeon({ bindings, client: clientOf }));
