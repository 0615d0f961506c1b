/** The OpenAPI document of a worker without a pooler: written here, from what is loaded when it is asked for. */
import type { Hop } from '../../../shared/hop/types.ts';
import { withDocuments } from '../../../shared/openapi/documents.ts';
import { connectionLost } from '../../../shared/transaction/failures.ts';
import { LoadError } from './load.ts';
import type { DatabaseStates } from './states.ts';

/** A hop that writes documents as well. */
export function withDatabaseDocuments(hop: Hop, states: DatabaseStates): Hop {
  const documents = withDocuments(hop, { source: () => states.documentParts(), turn: async () => undefined });
  return {
    transaction: async (request, payload, signal) => {
      try {
        return await documents.transaction(request, payload, signal);
      } catch (error) {
        if (!(error instanceof LoadError)) throw error;
        return { ok: false, snapshot: null, failure: connectionLost(error.message) };
      }
    },
  };
}
